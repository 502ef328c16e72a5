// A constraint call does not allocate, and neither does an optimizer step once it is constructed.
//
// What the C++ library allocates is counted by replacing operator new, what Eigen allocates by its
// own check, whose assertion is replaced too, so that it also works where NDEBUG is defined.

#include <cstdlib>
#include <new>
#include <string>

namespace {

std::size_t allocations = 0;
std::string broken_assertion;

}  // namespace

void break_assertion(const char* condition) { broken_assertion = condition; }

#define EIGEN_RUNTIME_NO_MALLOC
#define eigen_assert(condition) ((condition) ? void() : break_assertion(#condition))

#include <complex>
#include <limits>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>

#include "catch.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // where only one of them is inlined
#endif

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& none) noexcept {
  return operator new(size, none);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using Eigen::Dynamic;
using Eigen::Index;

// Whether `call` allocates nothing.
template <class Call>
bool allocates_nothing(const Call& call) {
  broken_assertion.clear();
  const std::size_t before = allocations;
  Eigen::internal::set_is_malloc_allowed(false);
  call();
  Eigen::internal::set_is_malloc_allowed(true);
  const std::size_t counted = allocations - before;
  INFO(counted << " allocations, broken assertion: " << broken_assertion);
  const bool none = counted == 0 && broken_assertion.empty();
  CHECK(none);
  return none;
}

// Some vectors inside, some outside, some that need the second look, and one with a NaN.
template <class W>
void fill(W& w) {
  using Scalar = typename W::Scalar;
  using Real = typename Eigen::NumTraits<Scalar>::Real;
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j) {
      w(i, j) = static_cast<Scalar>(static_cast<Real>(0.01f * float((i * 7 + j * 3) % 11 - 5)));
    }
  }
  w(0, 0) = static_cast<Scalar>(std::numeric_limits<Real>::max());
  w(1, 2) = static_cast<Scalar>(std::numeric_limits<Real>::quiet_NaN());
  w(3, 3) = static_cast<Scalar>(std::numeric_limits<Real>::min());
}

// A constraint that changes some vectors.
template <class W, class Constraint>
void check_constraint(W& w, const Constraint& constraint) {
  fill(w);
  rein::Report report;
  allocates_nothing([&] { report = constraint(w); });
  CHECK(report.changed > 0);
}

template <class Scalar, int Order>
void check_constraints(Index rows, Index cols) {
  Eigen::Matrix<Scalar, Dynamic, Dynamic, Order> w(rows, cols);
  INFO(rows << " x " << cols);
  check_constraint(w, rein::MaxNorm{0.02, rein::per_row});
  check_constraint(w, rein::MaxNorm{0.02, rein::per_col});
  check_constraint(w, rein::MaxNorm{0.02, rein::per_filter("ioh", {rows / 2, cols, 2})});
}

// Any expression may be a gradient. One optimizer type, with other options at run time.
template <class Optimizer, class W>
void check_steps(Optimizer optimizer, W& w) {
  using Scalar = typename W::Scalar;
  const Index rows = w.rows(), cols = w.cols();
  const W a = W::Constant(rows, cols, Scalar(0.5f)), b = W::Constant(rows, cols, Scalar(0.25f));
  const Eigen::Matrix<Scalar, Dynamic, Dynamic, W::IsRowMajor ? Eigen::ColMajor : Eigen::RowMajor>
      other_order = a;
  const Eigen::Matrix<Scalar, Dynamic, Dynamic> around =
      Eigen::Matrix<Scalar, Dynamic, Dynamic>::Ones(rows + 2, cols + 1);
  const auto step = [&](const auto& gradient) {
    allocates_nothing([&] { optimizer.step(w, gradient); });
  };
  step(a);
  step(a);
  step(other_order);
  step(around.block(1, 1, rows, cols));
  step(Scalar(0.5f) * (a - b) + w);
  step(-a.array() * b.array());
  const std::vector<int> listed{3, 1};
  allocates_nothing([&] { optimizer.step_rows(w, a.topRows(2), listed); });
  // A W that is not contiguous.
  W wide(2 * rows, 2 * cols);
  wide.setOnes();
  auto block = wide.block(1, 1, rows, cols);
  allocates_nothing([&] { optimizer.step(block, a); });
}

}  // namespace

TEST_CASE("allocation: both checks notice an allocation") {
  const auto allocates = [](const auto& call) {
    broken_assertion.clear();
    const std::size_t before = allocations;
    Eigen::internal::set_is_malloc_allowed(false);
    call();
    Eigen::internal::set_is_malloc_allowed(true);
    return allocations != before || !broken_assertion.empty();
  };
  std::vector<int>* kept = nullptr;
  CHECK(allocates([&] { kept = new std::vector<int>; }));
  delete kept;
  Eigen::MatrixXf w;
  CHECK(allocates([&] { w.setZero(30, 30); }));
  CHECK_FALSE(allocates([&] { w.setOnes(); }));
}

TEST_CASE("allocation: none in a constraint call: float") {
  check_constraints<float, Eigen::ColMajor>(8, 6);
  check_constraints<float, Eigen::RowMajor>(8, 6);
  check_constraints<float, Eigen::ColMajor>(2500, 90);
}
TEST_CASE("allocation: none in a constraint call: double") {
  check_constraints<double, Eigen::RowMajor>(8, 2500);
}
TEST_CASE("allocation: none in a constraint call: half") {
  check_constraints<Eigen::half, Eigen::ColMajor>(70, 600);
}
TEST_CASE("allocation: none in a constraint call: complex<float>") {
  check_constraints<std::complex<float>, Eigen::RowMajor>(70, 600);
}

TEST_CASE("allocation: none with tied and only") {
  Eigen::MatrixXf w(40, 90);
  Eigen::VectorXf bias = Eigen::VectorXf::Ones(40);
  // In order, and not: then they are searched for one that is listed twice.
  const std::vector<int> unordered{39, 0, 7};
  const Eigen::VectorXi ordered = Eigen::Vector3i(0, 7, 39);
  const rein::MaxNorm max_norm{0.02, rein::per_row};
  fill(w);
  allocates_nothing([&] { max_norm(w, rein::tied(bias)); });
  fill(w);
  allocates_nothing([&] { max_norm(w, rein::only(ordered)); });
  fill(w);
  allocates_nothing([&] { max_norm(w, rein::only(unordered), rein::tied(bias.segment(0, 40))); });
  fill(w);
  allocates_nothing([&] { max_norm(w, rein::only({3, 2, 1})); });
}

TEST_CASE("allocation: none in the other constraints") {
  Eigen::MatrixXf w(100, 80);
  fill(w);
  allocates_nothing([&] { rein::UnitNorm{rein::per_row}(w); });
  fill(w);
  allocates_nothing([&] { rein::MinMaxNorm{0.1, 0.2, rein::per_col, 0.5}(w); });
  allocates_nothing([&] { CHECK(rein::Box{-1, 1}(w).changed > 0); });
  allocates_nothing([&] { CHECK(rein::NonNegative{}(w).changed > 0); });
  allocates_nothing([&] { rein::Unconstrained{}(w); });
}

TEST_CASE("allocation: none where each vector is projected") {
  Eigen::MatrixXf w(100, 80);
  check_constraint(w, rein::MaxRms{0.002, rein::per_row});
  check_constraint(w, rein::L1Ball{0.02, rein::per_row});
  check_constraint(w, rein::Simplex{1.0, rein::per_col});
  check_constraint(w, rein::Hyperplane{Eigen::VectorXf::Ones(80), 5.0, rein::per_row});
  check_constraint(w, rein::ZeroMean{rein::per_col});
  check_constraint(w, rein::in_order(rein::NonNegative{}, rein::MaxNorm{0.02, rein::per_row}));
}

TEST_CASE("allocation: in the first call of MaxSpectralNorm for a shape alone") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Ones(100, 80);
  rein::MaxSpectralNorm max_spectral_norm{1.0};
  max_spectral_norm(w);
  w *= 2;
  allocates_nothing([&] { CHECK(max_spectral_norm(w).changed == 1); });
  Eigen::MatrixXf other = Eigen::MatrixXf::Ones(80, 100);
  max_spectral_norm(other);
  other *= 2;
  allocates_nothing([&] { CHECK(max_spectral_norm(other).changed == 1); });
}

TEST_CASE("allocation: none in a constraint call on a part of W") {
  Eigen::MatrixXd w = Eigen::MatrixXd::Ones(200, 300);
  const rein::MaxNorm max_norm{0.5, rein::per_row};
  const std::vector<int> rows{3, 1, 2}, cols{7, 8};
  allocates_nothing([&] { max_norm(w.block(3, 4, 100, 70)); });
  allocates_nothing([&] { max_norm(w.transpose()); });
  allocates_nothing([&] { max_norm(w.reverse()); });
  allocates_nothing([&] { max_norm(Eigen::Ref<Eigen::MatrixXd>(w)); });
  auto picked = w(rows, cols);
  allocates_nothing([&] { max_norm(picked); });
}

TEST_CASE("allocation: none in a constructor of a constraint, but to refuse") {
  allocates_nothing([] { rein::MaxNorm(1.0, rein::per_filter("oihw", {64, 32, 3, 3})); });
  allocates_nothing([] { rein::MinMaxNorm(1.0, 2.0, rein::per_row); });
  allocates_nothing([] { rein::Box(1.0, 2.0); });
}

TEST_CASE("allocation: none in a step of Sgd") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Ones(70, 50);
  rein::SgdOptions options{.learning_rate = 0.1};
  const auto check = [&] {
    check_steps(rein::Sgd{w, options, rein::MaxNorm{1.0, rein::per_row}}, w);
  };
  check();
  options.momentum = 0.9;
  options.weight_decay = 0.01;
  check();
  options.nesterov = options.maximize = true;
  check();
  options.after_projection = rein::Momentum::tangent;
  check();
  options.after_projection = rein::Momentum::reset;
  check();
}

TEST_CASE("allocation: none in a step of Adam") {
  Eigen::Matrix<double, Dynamic, Dynamic, Eigen::RowMajor> w;
  w.setOnes(33, 40);
  rein::AdamOptions options;
  const auto check = [&] {
    check_steps(rein::Adam{w, options, [](auto& weights) { weights *= 0.5; }}, w);
  };
  check();
  options.weight_decay = 0.01;
  check();
  options.decoupled_weight_decay = options.amsgrad = options.maximize = true;
  check();
}
