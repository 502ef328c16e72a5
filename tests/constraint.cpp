#include <rein/constraint.hpp>
#include <rein/max_norm.hpp>
#include <rein/non_negative.hpp>

#include "catch.hpp"

using Eigen::MatrixXd;
using Eigen::MatrixXf;

// What can be constrained: everything that Eigen can write through.
static_assert(rein::Weights<MatrixXf&>);
static_assert(rein::Weights<Eigen::ArrayXXd&>);
static_assert(rein::Weights<Eigen::Vector3f&>);
static_assert(rein::Weights<Eigen::Matrix<float, 4, 4, Eigen::RowMajor>&>);
static_assert(rein::Weights<Eigen::Matrix<Eigen::half, -1, -1>&>);
static_assert(rein::Weights<Eigen::Matrix<Eigen::bfloat16, -1, -1>&>);
static_assert(rein::Weights<Eigen::MatrixXcf&>);
static_assert(rein::Weights<Eigen::MatrixXcd&>);
static_assert(rein::Weights<Eigen::Ref<MatrixXf>&>);
static_assert(rein::Weights<Eigen::Map<MatrixXf>&>);
// These write through to a matrix that outlives them.
static_assert(rein::Weights<Eigen::Map<MatrixXf>>);
static_assert(rein::Weights<decltype(std::declval<MatrixXf&>().row(0))>);
static_assert(rein::Weights<decltype(std::declval<MatrixXf&>().block(0, 0, 1, 1))>);
static_assert(rein::Weights<decltype(std::declval<MatrixXf&>().transpose())>);
static_assert(rein::Weights<decltype(std::declval<MatrixXf&>().reverse())>);
static_assert(rein::Weights<decltype(std::declval<MatrixXf&>().array())>);
static_assert(rein::Weights<decltype(std::declval<Eigen::MatrixXcf&>().real())>);

// Not these: constants,
static_assert(!rein::Weights<const MatrixXf&>);
static_assert(!rein::Weights<Eigen::Map<const MatrixXf>&>);
static_assert(!rein::Weights<Eigen::Ref<const MatrixXf>&>);
static_assert(!rein::Weights<decltype(std::declval<const MatrixXf&>().row(0))>);
static_assert(!rein::Weights<decltype(std::declval<const MatrixXf&>().transpose())>);
// temporaries,
static_assert(!rein::Weights<MatrixXf>);
static_assert(!rein::Weights<decltype(std::declval<MatrixXf&>() + std::declval<MatrixXf&>())>);
static_assert(!rein::Weights<decltype(std::declval<MatrixXf&>() * std::declval<MatrixXf&>())>);
static_assert(!rein::Weights<decltype(2.0f * std::declval<MatrixXf&>())>);
static_assert(!rein::Weights<decltype(MatrixXf::Ones(2, 2))>);
// scalars that have no norm to rescale, and what is not a dense matrix at all.
static_assert(!rein::Weights<Eigen::MatrixXi&>);
static_assert(!rein::Weights<Eigen::Array<bool, -1, -1>&>);
static_assert(!rein::Weights<Eigen::Matrix<long double, -1, -1>&>);
static_assert(!rein::Weights<float&>);
static_assert(!rein::Weights<float*>);

namespace {

struct Functor {
  template <class W>
  void operator()(W&) const {}
};

struct OnlyForDouble {
  void operator()(MatrixXd&) const {}
};

struct Counter {
  int calls = 0;
  template <class W>
  rein::Report operator()(W&) {
    return {.checked = ++calls};
  }
};

[[maybe_unused]] const auto returns_nothing = [](auto& w) { w *= 2; };
[[maybe_unused]] const auto returns_report = [](auto& w) {
  return rein::Report{.checked = w.rows()};
};
[[maybe_unused]] const auto returns_int = [](auto&) { return 1; };
[[maybe_unused]] const auto returns_bool = [](auto&) { return true; };
[[maybe_unused]] const auto takes_ref = [](Eigen::Ref<MatrixXf> w) { w.setZero(); };
[[maybe_unused]] const auto takes_nothing = [] {};
[[maybe_unused]] const auto takes_two = [](auto&, auto&) {};

}  // namespace

static_assert(rein::Constraint<rein::Unconstrained, MatrixXf>);
static_assert(rein::Constraint<rein::MaxNorm<rein::PerRow>, MatrixXf>);
static_assert(rein::Constraint<const rein::MaxNorm<rein::PerRow>, MatrixXf>);
static_assert(rein::Constraint<rein::MaxNorm<rein::PerFilter>, Eigen::Block<MatrixXd>>);
static_assert(rein::Constraint<rein::NonNegative, Eigen::ArrayXXf>);
static_assert(rein::Constraint<Functor, MatrixXf>);
static_assert(rein::Constraint<Counter, MatrixXf>);
static_assert(!rein::Constraint<const Counter, MatrixXf>);
static_assert(rein::Constraint<OnlyForDouble, MatrixXd>);
static_assert(!rein::Constraint<OnlyForDouble, MatrixXf>);
static_assert(rein::Constraint<decltype(returns_nothing), MatrixXf>);
static_assert(rein::Constraint<decltype(returns_report), MatrixXf>);
static_assert(rein::Constraint<decltype(takes_ref), MatrixXf>);
static_assert(!rein::Constraint<decltype(returns_int), MatrixXf>);
static_assert(!rein::Constraint<decltype(returns_bool), MatrixXf>);
static_assert(!rein::Constraint<decltype(takes_nothing), MatrixXf>);
static_assert(!rein::Constraint<decltype(takes_two), MatrixXf>);
static_assert(!rein::Constraint<int, MatrixXf>);
static_assert(!rein::Constraint<decltype(returns_nothing), const MatrixXf>);

TEST_CASE("constraint: reports add up") {
  rein::Report sum{.checked = 5, .changed = 2, .nonfinite = 1, .largest_norm = 3.5};
  const rein::Report one{.checked = 4, .changed = 1, .nonfinite = 2, .largest_norm = 2.5};
  CHECK(sum + one == rein::Report{9, 3, 3, 3.5});
  CHECK(one + sum == rein::Report{9, 3, 3, 3.5});
  sum += {.largest_norm = 7};
  CHECK(sum == rein::Report{5, 2, 1, 7});
  CHECK_FALSE(sum == one);
  CHECK(rein::Report{} == rein::Report{0, 0, 0, 0});
  CHECK(rein::Report{} + one == one);
}

TEST_CASE("constraint: Unconstrained asks for nothing") {
  MatrixXf w = MatrixXf::Constant(3, 4, 1e30f);
  const MatrixXf before = w;
  CHECK(rein::Unconstrained{}(w) == rein::Report{});
  CHECK(w == before);
}

TEST_CASE("constraint: constraints are called on temporaries that write through") {
  MatrixXf w = MatrixXf::Constant(4, 4, 3.0f);
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  CHECK(max_norm(w.topRows(1)).changed == 1);
  CHECK(max_norm(w.transpose().bottomRows(1)).changed == 1);
  CHECK(max_norm(Eigen::Map<MatrixXf>(w.data(), 1, 4)).changed == 1);
  CHECK(w(2, 2) == 3);
  CHECK(w(0, 1) == 0.5f);
  CHECK(w(1, 3) < 0.9f);
}
