#include <rein/every.hpp>
#include <rein/max_norm.hpp>
#include <rein/sgd.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using Eigen::Vector2d;

TEST_CASE("every: the constraint is applied on each n-th call") {
  auto third = rein::every(3, rein::MaxNorm{1.0, rein::whole});
  for (int call = 1; call <= 9; ++call) {
    Vector2d w(0, 5);
    const rein::Report report = third(w);
    INFO("call " << call);
    CHECK(w(1) == (call % 3 == 0 ? 1 : 5));
    CHECK(report == (call % 3 == 0 ? rein::Report{.checked = 1, .changed = 1, .largest_norm = 5}
                                   : rein::Report{}));
  }
  CHECK(third.calls() == 9);
  CHECK(third.n() == 3);
}

TEST_CASE("every: n = 1 is each call") {
  auto each = rein::every(1, rein::MaxNorm{1.0, rein::whole});
  Vector2d w(0, 5);
  CHECK(each(w).changed == 1);
}

TEST_CASE("every: a copy counts for itself, and the count can be restored") {
  auto second = rein::every(2, [](auto& weights) { weights *= 0.5; });
  Vector2d w(0, 8);
  second(w);
  auto copy = second;
  copy(w);
  CHECK(w(1) == 4);
  CHECK(copy.calls() == 2);
  CHECK(second.calls() == 1);
  second(w);
  CHECK(w(1) == 2);
  second.calls() = 1;
  CHECK(second(w) == rein::Report{});
  CHECK(w(1) == 1);
}

TEST_CASE("every: the constraint can be assigned") {
  auto each = rein::every(1, rein::MaxNorm{1.0, rein::whole});
  each.constraint() = rein::MaxNorm{2.0, rein::whole};
  Eigen::Matrix2f w = Eigen::Matrix2f::Constant(8);
  each(w.row(1));  // a temporary view
  CHECK(w(0, 0) == 8);
  CHECK(std::abs(w(1, 0) - std::sqrt(2.0f)) < 1e-6f);
  CHECK(each.constraint().limit() == 2);
}

TEST_CASE("every: after optimizer steps") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Zero(1, 2);
  const Eigen::MatrixXf gradient{{-3, -4}};
  rein::Sgd sgd{w, {.learning_rate = 1}, rein::every(2, rein::MaxNorm{5.0, rein::per_row})};
  CHECK(sgd.step(w, gradient) == rein::Report{});
  CHECK(sgd.step(w, gradient).changed == 1);
  CHECK(w == Eigen::MatrixXf{{3, 4}});
  CHECK(sgd.constraint().calls() == 2);
}

TEST_CASE("every: n < 1 is refused") {
  const auto with = [](Eigen::Index n) {
    return refusal([&] { rein::every(n, rein::MaxNorm{1.0, rein::whole}); });
  };
  CHECK(names(with(0), "rein::every", "n is 0", ">= 1"));
  CHECK(names(with(-2), "n is -2"));
  CHECK(with(1) == "");
}
