#include <tuple>

#include <rein/every.hpp>
#include <rein/in_order.hpp>
#include <rein/max_norm.hpp>
#include <rein/non_negative.hpp>
#include <rein/sgd.hpp>

#include "catch.hpp"

using Eigen::Matrix2d;
using Eigen::MatrixXf;

TEST_CASE("in_order: the constraints are applied in turn, their reports added") {
  const auto constraint = rein::in_order(rein::NonNegative{}, rein::MaxNorm{1.0, rein::per_row});
  Matrix2d w{{3, 4}, {-1, 0.5}};
  const rein::Report report = constraint(w);
  CHECK((w - Matrix2d{{0.6, 0.8}, {0, 0.5}}).norm() < 1e-15);
  CHECK(report == rein::Report{.checked = 6, .changed = 2, .largest_norm = 5});
  CHECK(constraint(w).changed == 0);
}

TEST_CASE("in_order: the order matters") {
  Matrix2d w{{-3, 4}, {0, 0}};
  rein::in_order(rein::MaxNorm{1.0, rein::per_row}, rein::NonNegative{})(w);
  CHECK(w(0, 0) == 0);
  CHECK(std::abs(w(0, 1) - 0.8) < 1e-15);
}

TEST_CASE("in_order: the user's own constraints, which may return nothing") {
  const auto halve = [](auto& weights) { weights *= 0.5f; };
  int calls = 0;
  const auto count = [&](auto& weights) {
    ++calls;
    return rein::Report{.checked = weights.size()};
  };
  auto constraint = rein::in_order(halve, count, rein::MaxNorm{1.0, rein::whole}, halve);
  MatrixXf w = MatrixXf::Constant(1, 4, 2);
  const rein::Report report = constraint(w);
  CHECK(w == MatrixXf::Constant(1, 4, 0.25f));
  CHECK(calls == 1);
  CHECK(report == rein::Report{.checked = 5, .changed = 1, .largest_norm = 2});
}

TEST_CASE("in_order: constraints with a state, one within another, and temporary weights") {
  const auto halve = [](auto& weights) { weights *= 0.5f; };
  auto constraint = rein::in_order(rein::in_order(halve), rein::every(2, halve));
  MatrixXf w = MatrixXf::Constant(2, 2, 8);
  constraint(w.row(0));
  constraint(w.row(0));
  CHECK(w == MatrixXf{{1, 1}, {8, 8}});
  CHECK(std::get<1>(constraint.constraints()).calls() == 2);
}

TEST_CASE("in_order: the constraints can be assigned") {
  auto constraint = rein::in_order(rein::MaxNorm{1.0, rein::whole}, rein::NonNegative{});
  std::get<0>(constraint.constraints()) = rein::MaxNorm{2.0, rein::whole};
  Eigen::Vector2d w(0, 4);
  constraint(w);
  CHECK(w == Eigen::Vector2d(0, 2));
}

TEST_CASE("in_order: after an optimizer's step") {
  MatrixXf w{{0, 0}, {0, 0.5f}};
  const MatrixXf gradient{{-3, -4}, {1, 0}};
  rein::Sgd sgd{w,
                {.learning_rate = 1},
                rein::in_order(rein::NonNegative{}, rein::MaxNorm{2.5, rein::per_row})};
  const rein::Report report = sgd.step(w, gradient);
  CHECK(w == MatrixXf{{1.5f, 2}, {0, 0.5f}});
  CHECK(report == rein::Report{.checked = 6, .changed = 2, .largest_norm = 5});
}
