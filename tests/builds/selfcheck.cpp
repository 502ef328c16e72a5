// What rein promises, checked by a program that needs nothing but Eigen and compiles in seconds, so
// that it can be built with every compiler, standard library, Eigen and flag of builds/run. Sums
// are compared with long double; numbers are compared by their bits, which -ffast-math leaves
// alone.

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <vector>

#include <rein/rein.hpp>

namespace {

using Eigen::Index;

int checks = 0, failures = 0;

void check(bool ok, const char* what, const char* where) {
  ++checks;
  if (ok) return;
  if (++failures <= 20) std::printf("WRONG: %s (%s)\n", what, where);
}

// No memory is to be allocated while one of these lives.
struct NoAllocation {
#ifdef EIGEN_RUNTIME_NO_MALLOC
  NoAllocation() { Eigen::internal::set_is_malloc_allowed(false); }
  ~NoAllocation() { Eigen::internal::set_is_malloc_allowed(true); }
#else
  NoAllocation() {}
#endif
};

template <class Scalar>
using Bits =
    std::conditional_t<sizeof(Scalar) == 8, std::uint64_t,
                       std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint16_t>>;

template <class Scalar>
Bits<Scalar> bits(const Scalar& x) {
  Bits<Scalar> result;
  std::memcpy(&result, &x, sizeof result);
  return result;
}

template <class Scalar>
constexpr double epsilon = sizeof(Scalar) == 8   ? 0x1p-52
                           : sizeof(Scalar) == 4 ? 0x1p-23
                                                 : 0x1p-10;

template <class Scalar>
bool finite(const Scalar& x) {
  const Bits<Scalar> exponent = sizeof(Scalar) == 8 ? static_cast<Bits<Scalar>>(0x7FF0000000000000u)
                                : sizeof(Scalar) == 4 ? static_cast<Bits<Scalar>>(0x7F800000u)
                                                      : static_cast<Bits<Scalar>>(0x7C00u);
  return (bits(x) & exponent) != exponent;
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < a.cols(); ++j) {
      if (bits(a.coeff(i, j)) != bits(b.coeff(i, j))) return false;
    }
  }
  return true;
}

// Inf and NaN, made where no compiler sees them.
template <class Scalar>
Scalar from_bits(Bits<Scalar> pattern) {
  volatile Bits<Scalar> hidden = pattern;
  const Bits<Scalar> seen = hidden;
  Scalar x;
  std::memcpy(&x, &seen, sizeof x);
  return x;
}
template <class Scalar>
Scalar infinity() {
  if constexpr (sizeof(Scalar) == 8) return from_bits<Scalar>(0x7FF0000000000000u);
  if constexpr (sizeof(Scalar) == 4) return from_bits<Scalar>(0x7F800000u);
  if constexpr (sizeof(Scalar) == 2) return from_bits<Scalar>(0x7C00u);
}
template <class Scalar>
Scalar not_a_number() {
  Bits<Scalar> pattern = bits(infinity<Scalar>());
  return from_bits<Scalar>(static_cast<Bits<Scalar>>(pattern | 3));
}

std::uint64_t state = 0x9E3779B97F4A7C15u;
double uniform() {  // in [-1, 1)
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<double>(state >> 11) * 0x1p-52 - 1;
}

template <class W>
void fill(W& w, double scale) {
  using Scalar = typename W::Scalar;
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j) w(i, j) = static_cast<Scalar>(scale * uniform());
  }
}

// Whether long double has more digits than double: not on all machines, and not under valgrind.
bool has_extended() {
  volatile long double one = 1, little = LDBL_EPSILON;
  volatile long double sum = one + little;
  return LDBL_EPSILON < DBL_EPSILON && sum != one;
}

// Whether subnormal numbers are numbers: not where a program is linked with -ffast-math.
bool has_subnormals() {
  volatile double smallest = DBL_MIN;
  volatile double half = smallest / 2;
  return half != 0;
}

template <class V>
long double exact_norm(const V& v) {
  long double square = 0;
  for (Index i = 0; i < v.size(); ++i) {
    const long double x = static_cast<double>(v.coeff(i));
    square += x * x;
  }
  return std::sqrt(square);
}

template <class V>
bool all_finite(const V& v) {
  for (Index i = 0; i < v.size(); ++i) {
    if (!finite(v.coeff(i))) return false;
  }
  return true;
}

template <class V>
bool same_vector(const V& a, const V& b) {
  for (Index i = 0; i < a.size(); ++i) {
    if (bits(a.coeff(i)) != bits(b.coeff(i))) return false;
  }
  return true;
}

// Each vector of a grouping, as a column.
template <class W>
auto vector(const W& w, rein::PerRow, Index v) {
  return Eigen::Matrix<typename W::Scalar, Eigen::Dynamic, 1>(w.row(v).transpose());
}
template <class W>
auto vector(const W& w, rein::PerCol, Index v) {
  return Eigen::Matrix<typename W::Scalar, Eigen::Dynamic, 1>(w.col(v));
}
template <class W>
auto vector(const W& w, rein::PerFilter filter, Index v) {
  Eigen::Matrix<typename W::Scalar, Eigen::Dynamic, 1> result(filter.outer * filter.inner);
  for (Index o = 0; o < filter.outer; ++o) {
    for (Index i = 0; i < filter.inner; ++i) {
      result[o * filter.inner + i] = w.data()[(o * filter.filters + v) * filter.inner + i];
    }
  }
  return result;
}

template <class W>
Index vectors(const W& w, rein::PerRow) {
  return w.rows();
}
template <class W>
Index vectors(const W& w, rein::PerCol) {
  return w.cols();
}
template <class W>
Index vectors(const W&, rein::PerFilter filter) {
  return filter.filters;
}

// The whole contract of MaxNorm: what is inside keeps its bits, what is outside ends on the limit,
// what is not finite stays, the report says so, and a second call changes nothing.
template <class W, class G>
void max_norm(const W& before, const G& grouping, double limit, const char* where) {
  using Scalar = typename W::Scalar;
  constexpr double eps = epsilon<Scalar>;
  const bool exact = sizeof(Scalar) < 8 || has_extended();
  const rein::MaxNorm constraint{limit, grouping};
  W w = before;
  rein::Report report;
  {
    const NoAllocation guard;
    report = constraint(w);
  }
  Index changed = 0, nonfinite = 0;
  const auto norms = rein::norms(before, grouping);
  for (Index v = 0; v < vectors(w, grouping); ++v) {
    const auto x = vector(before, grouping, v);
    const auto y = vector(w, grouping, v);
    const bool same = same_vector(x, y);
    changed += !same;
    if (!all_finite(x)) {
      ++nonfinite;
      check(same, "a vector with a NaN or an Inf stays", where);
      check(!finite(norms[v]), "its norm is not finite", where);
      continue;
    }
    if (!exact) continue;
    const long double norm = exact_norm(x), after = exact_norm(y);
    const long double step = sizeof(Scalar) == 8 ? 0x1p-1074L : 0x1p-149L;  // of subnormals
    if (norm < DBL_MAX && (sizeof(Scalar) == 8 || norm < FLT_MAX)) {
      const double norm_eps = sizeof(Scalar) == 8 ? 0x1p-52 : 0x1p-23;
      check(std::abs(static_cast<long double>(norms[v]) - norm) <= 2 * norm_eps * norm + step / 2,
            "a norm is right to 2 eps", where);
    }
    if (norm <= limit) check(same, "a vector inside keeps its bits", where);
    check(after <= limit * (1 + 8 * static_cast<long double>(eps)), "norms are at most the limit",
          where);
    if (norm > limit * (1 + 8 * static_cast<long double>(eps))) {
      check(!same, "a vector outside is changed", where);
      for (Index i = 0; i < x.size(); ++i) {
        const long double wanted = static_cast<double>(x[i]) * (limit / norm);
        check(std::abs(static_cast<double>(y[i]) - wanted) <= 4 * eps * std::abs(wanted) + step,
              "a changed entry is right to 4 eps", where);
      }
    }
  }
  check(report.checked == vectors(w, grouping), "the report counts all vectors", where);
  check(report.changed == changed, "the report counts the changed vectors", where);
  check(report.nonfinite == nonfinite, "the report counts what is not finite", where);

  const W once = w;
  check(constraint(w).changed == 0, "a second call reports no change", where);
  check(same_bits(w, once), "a second call changes nothing", where);
}

template <class W>
void all_max_norms(Index rows, Index cols, const char* where) {
  using Scalar = typename W::Scalar;
  W w(rows, cols);
  const bool wide = sizeof(Scalar) > 2;
  const double big = sizeof(Scalar) == 8 ? 1e300 : 1e37, small = 1 / big;
  for (const double scale : {1.0, wide ? big : 1e3, wide && has_subnormals() ? small : 1e-2}) {
    fill(w, scale);
    if (w.size() > 0) w(rows / 2, cols / 2) *= static_cast<Scalar>(0.001);
    for (const double limit : {0.5 * scale, 2.0 * scale, 1.0, 0.0}) {
      max_norm(w, rein::per_row, limit, where);
      max_norm(w, rein::per_col, limit, where);
      if (rows % 2 == 0) {
        max_norm(w, rein::per_filter("hoi", {2, rows / 2, cols}), limit, where);
      }
    }
    if (w.size() < 2) continue;
    w(0, cols - 1) = not_a_number<Scalar>();
    w(rows - 1, 0) = infinity<Scalar>();
    max_norm(w, rein::per_row, scale, where);
    max_norm(w, rein::per_col, scale, where);
  }
}

// The other constraints: a second call changes nothing, and a vector with a NaN stays.
template <class W, class C>
void lands(C constraint, const char* where) {
  using Scalar = typename W::Scalar;
  W w(9, 12);
  fill(w, 3);
  w(4, 5) = not_a_number<Scalar>();
  const W before = w;
  const rein::Report first = constraint(w);
  check(first.nonfinite == 1, "a NaN is counted", where);
  check(first.changed > 0, "something changes", where);
  const W once = w;
  const rein::Report second = constraint(w);
  check(second.changed == 0 && second.nonfinite == 1, "a second call reports no change", where);
  check(same_bits(w, once), "a second call changes nothing", where);
  check(bits(w(4, 5)) == bits(before(4, 5)), "the NaN stays", where);
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j) {
      check(finite(w(i, j)) == finite(before(i, j)), "nothing else becomes a NaN", where);
    }
  }
}

// Entries that are taken in groups: finite ones with zeros of both signs, and all of these with a
// NaN and an Inf.
template <class W>
void clamps_long_runs(const char* where) {
  using Scalar = typename W::Scalar;
  const Scalar values[] = {Scalar(0.0f), Scalar(0.5f), Scalar(0.25f)};
  constexpr auto sign = static_cast<Bits<Scalar>>(Bits<Scalar>(1) << (8 * sizeof(Scalar) - 1));
  for (const bool odd : {false, true}) {
    W w(1500, 3);
    for (Index i = 0; i < w.size(); ++i) {
      Scalar& x = w(i % 1500, i / 1500);
      x = i % 61 == 0 ? Scalar(-1.0f) : values[i % 3];
      if (i % 61 == 30) x = from_bits<Scalar>(sign);
    }
    if (odd) {
      w(700, 1) = infinity<Scalar>();
      w(3, 2) = not_a_number<Scalar>();
    }
    const W before = w;
    const rein::Report report = rein::NonNegative{}(w);
    Index changed = 0, nonfinite = 0;
    bool right = true;
    for (Index i = 0; i < w.size(); ++i) {
      const Bits<Scalar> x = bits(before(i % 1500, i / 1500)), y = bits(w(i % 1500, i / 1500));
      const bool number = finite(before(i % 1500, i / 1500)), below = number && x > sign;
      changed += below;
      nonfinite += !number;
      right &= y == (below ? 0 : x);
    }
    check(right, "entries below 0 become 0, the others keep their bits", where);
    check(report.changed == changed && report.nonfinite == nonfinite, "entries are counted", where);
  }
}

// A step with the constraint in it gives the bits of the step and then the constraint.
template <class W, class MakeOptimizer, class C>
void fused(const MakeOptimizer& make, const C& constraint, const char* where) {
  using Scalar = typename W::Scalar;
  for (const Index cols : {3, 40, 1100}) {
    W w(6, cols), gradient(6, cols);
    fill(w, 1);
    W apart = w, rows = w;
    auto one = make(w, constraint);
    auto other = make(apart, rein::Unconstrained{});
    auto by_rows = make(rows, constraint);
    const std::vector<int> all{5, 0, 4, 1, 3, 2};
    for (int k = 0; k < 3; ++k) {
      fill(gradient, 1);
      if (k == 1) gradient(2, 1) = not_a_number<Scalar>();
      W listed(6, cols);
      for (Index i = 0; i < 6; ++i) listed.row(i) = gradient.row(all[static_cast<std::size_t>(i)]);
      rein::Report report;
      {
        const NoAllocation guard;
        report = one.step(w, gradient);
      }
      other.step(apart, gradient);
      C same = constraint;
      check(report == same(apart), "a fused step reports what step and call do", where);
      check(same_bits(w, apart), "a fused step gives the bits of step and call", where);
      by_rows.step_rows(rows, listed, all);
#ifndef __FAST_MATH__
      check(same_bits(w, rows), "a step of all rows gives the bits of a step", where);
#endif
    }
    check(!finite(w(2, 1)), "a NaN in the gradient comes through", where);
    check(finite(w(3, 1)), "and stays where it is", where);
  }
}

// A column comes out as it does alone, in code that the compiler makes of the same sums elsewhere.
template <class Scalar>
void alone_as_among_others(const char* where) {
#ifndef __FAST_MATH__
  using Real = typename Eigen::NumTraits<Scalar>::Real;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
  constexpr Index components = sizeof(Scalar) / sizeof(Real);
  for (Index length = 1; length <= 300; ++length) {
    const Index columns = length <= 40 ? 300 : 43;
    Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor> w(length * components,
                                                                           columns);
    fill(w, 1);
    auto together = w;
    const rein::MaxNorm constraint{0.5 * std::sqrt(static_cast<double>(length)), rein::per_col};
    const auto constrain = [&](Real* column, Index count) {
      constraint(Eigen::Map<Matrix>(reinterpret_cast<Scalar*>(column), length, count));
    };
    constrain(together.data(), columns);
    for (Index j = 0; j < columns; ++j) constrain(&w(0, j), 1);
    check(same_bits(w, together), "a column comes out as it does alone", where);
  }
#else
  (void)where;
#endif
}

template <class Scalar, int Order>
void all_of(const char* where) {
  using W = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Order>;
  for (const Index rows : {1, 2, 8, 19}) {
    for (const Index cols : {1, 7, 16, 133}) all_max_norms<W>(rows, cols, where);
  }
  all_max_norms<W>(2, 20000, where);
  all_max_norms<W>(3000, 3, where);

  using rein::per_row;
  lands<W>(rein::UnitNorm{per_row}, where);
  lands<W>(rein::MinMaxNorm{1.0, 2.0, per_row}, where);
  lands<W>(rein::MaxRms{0.5, per_row}, where);
  lands<W>(rein::Box{-0.5, 0.5}, where);
  clamps_long_runs<W>(where);
  lands<W>(rein::L1Ball{2.0, per_row}, where);
  lands<W>(rein::Simplex{1.0, per_row}, where);
  lands<W>(rein::ZeroMean{per_row}, where);
  lands<W>(rein::Hyperplane{Eigen::VectorXd::Ones(12), 0.5, per_row}, where);

  const auto sgd = [](W& w, const auto& constraint) {
    return rein::Sgd{w, {.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.01}, constraint};
  };
  const auto adam = [](W& w, const auto& constraint) {
    return rein::Adam{w, {.learning_rate = 0.5, .amsgrad = true}, constraint};
  };
  fused<W>(sgd, rein::MaxNorm{1.0, per_row}, where);
  fused<W>(adam, rein::MaxNorm{1.0, per_row}, where);

  W w = W::Constant(2, 2, 3);
  W bias = W::Constant(2, 1, 6);
  rein::MaxNorm{std::sqrt(4.5), per_row}(w, rein::tied(bias.col(0)), rein::only({1}));
  check(w(0, 0) == 3 && bias(0, 0) == 6, "a vector not listed stays", where);
  check(std::abs(static_cast<double>(w(1, 1)) - 1.5) < 1e-6 &&
            std::abs(static_cast<double>(bias(1, 0)) - 3) < 1e-6,
        "a tied bias goes along", where);

  const double norm = rein::clip_gradient_norm(1.0, w, bias);
  check(std::abs(norm - std::sqrt(18 + 4.5 + 36 + 9)) < 1e-5, "the norm of all gradients", where);
  check(std::abs(w.squaredNorm() + bias.squaredNorm() - 1) < 1e-6, "clipped gradients", where);
}

// Without a heap: Eigen refuses to allocate at all where EIGEN_NO_MALLOC is defined.
void fixed_sizes() {
  Eigen::Matrix<float, 3, 4> w = Eigen::Matrix<float, 3, 4>::Constant(2);
  Eigen::Matrix<float, 3, 4> gradient = Eigen::Matrix<float, 3, 4>::Constant(1);
  rein::Adam adam{w, {.learning_rate = 0.5}, rein::MaxNorm{1.0, rein::per_row}};
  rein::Sgd sgd{w, {.learning_rate = 0.5, .momentum = 0.5}, rein::MaxNorm{1.0, rein::per_col}};
  check(adam.step(w, gradient).changed == 3, "a step of a fixed size", "fixed");
  check(std::abs(w(1, 1) - 0.5f) < 1e-6f, "a step of a fixed size", "fixed");
  check(sgd.step(w, -gradient).changed == 4, "a step of a fixed size", "fixed");
  check(std::abs(w(1, 1) - 0.57735027f) < 1e-6f, "a step of a fixed size", "fixed");
}

void refusals() {
#if defined(__cpp_exceptions)
  bool refused = false;
  try {
    rein::MaxNorm{-1.0, rein::per_row};
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  check(refused, "a negative limit is refused", "refusals");
  refused = false;
  try {
    rein::MaxNorm{static_cast<double>(not_a_number<double>()), rein::per_row};
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  check(refused, "a NaN as the limit is refused", "refusals");
#endif
}

}  // namespace

int main() {
  fixed_sizes();
  refusals();
#ifndef EIGEN_NO_MALLOC
  all_of<float, Eigen::ColMajor>("float, column-major");
  all_of<double, Eigen::RowMajor>("double, row-major");
  alone_as_among_others<float>("float");
  alone_as_among_others<double>("double");
  alone_as_among_others<std::complex<float>>("complex<float>");
  alone_as_among_others<std::complex<double>>("complex<double>");
#endif
  std::printf("%d checks, %d wrong\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
