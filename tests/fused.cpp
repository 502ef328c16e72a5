// A step with a constraint of norms or entries is a step and then a call of it, to the bit: for the
// scalars, storage orders, strides and groupings that tests/sgd.cpp and tests/adam.cpp leave out,
// and for weights and gradients at the ends of the range, with NaN and Inf.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <rein/box.hpp>
#include <rein/max_norm.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/non_negative.hpp>
#include <rein/sgd.hpp>

#include "laws.hpp"

namespace {

using Eigen::Dynamic;
using Eigen::Index;

// NaN for NaN, other numbers by their bits: of two NaNs that an operation meets, either may come
// out.
bool same_numbers(const oracle::Weights& a, const oracle::Weights& b) {
  const auto same = [](double x, double y) {
    return oracle::bits(x) == oracle::bits(y) || (std::isnan(x) && std::isnan(y));
  };
  return std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(), same);
}

template <class Scalar, int Order>
void steps_are_a_step_and_a_call(int plans) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic, Order>;
  laws::Random random(25);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const oracle::Rule rule{.low = 0.5, .high = 2};
  for (const laws::Plan& plan : laws::plans_for({rule}, plans, random)) {
    INFO(oracle::format_of<Scalar>().name << ", " << laws::describe(plan));
    const Index inner = Order == Eigen::RowMajor ? plan.cols : plan.rows;
    const Index outer = Order == Eigen::RowMajor ? plan.rows : plan.cols;
    const Index stride = inner + (random.chance(0.5) ? 3 : 0);
    // Both in the same layout: in another one a sum may round in another way.
    using Map = Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;
    laws::Surroundings<Scalar> memory(stride * outer + 1), other_memory(stride * outer + 1);
    Map w(memory.data() + 1, plan.rows, plan.cols, Eigen::OuterStride<>(stride));
    Map separate(other_memory.data() + 1, plan.rows, plan.cols, Eigen::OuterStride<>(stride));
    laws::with_grouping(w, plan, [&](const auto& grouping) {
      const auto filled = [&](auto& m) {
        oracle::Weights numbers = oracle::copy_of(m);
        laws::fill(numbers, oracle::vectors_of(numbers, plan.grouping), rule, random);
        oracle::assign(m, numbers);
      };
      filled(w);
      separate = w;
      Matrix gradient(plan.rows, plan.cols);
      const rein::MinMaxNorm constraint{rule.low, rule.high, grouping};
      const rein::SgdOptions options{.learning_rate = 0.125,
                                     .momentum = random.chance(0.25) ? 0 : 0.5};
      rein::Sgd fused{w, options, constraint};
      rein::Sgd plain{separate, options};
      for (int step = 0; step < 2; ++step) {
        filled(gradient);
        const rein::Report report = fused.step(w, gradient);
        plain.step(separate, gradient);
        CHECK(report == constraint(separate));
        CHECK(same_numbers(oracle::copy_of(w), oracle::copy_of(separate)));
        CHECK(same_numbers(oracle::copy_of(fused.momentum()), oracle::copy_of(plain.momentum())));
      }
    });
    memory.check_untouched(w);
  }
}

// Takes a step with a constraint of w, and one without and then a call of the other weights.
template <class Fused, class Plain, class Matrix, class Gradient>
rein::Report check_step(Fused& fused, Matrix& w, Plain& plain, Matrix& separate,
                        const Gradient& gradient) {
  const rein::Report report = fused.step(w, gradient);
  plain.step(separate, gradient);
  CHECK(report == fused.constraint()(separate));
  CHECK(w == separate);
  return report;
}

// Columns that are summed while they are updated. After a group of which many exceed the limit,
// others are updated in pieces that do not end with a column.
template <class Scalar>
void long_columns_are_updated_and_summed(Index rows, Index cols, int exceeding) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  INFO(oracle::format_of<Scalar>().name << ", " << rows << " x " << cols << ", " << exceeding);
  laws::Random random(26);
  Matrix w(rows, cols), gradient(rows, cols);
  const auto filled = [&](Matrix& m) {
    for (Index i = 0; i < m.size(); ++i) m(i) = static_cast<Scalar>(random.between(-1, 1));
  };
  filled(w);
  for (Index j = 0; j < cols; ++j) {
    const double norm = j >= 10 && j < 10 + exceeding ? 3 : random.between(0.5, 1.5);
    w.col(j) *= static_cast<Scalar>(norm / static_cast<double>(w.col(j).norm()));
  }
  Matrix separate = w;
  const rein::MinMaxNorm constraint{0, 2, rein::per_col};
  rein::Sgd fused{w, {.learning_rate = 1e-4, .momentum = 0.5}, constraint};
  rein::Sgd plain{separate, {.learning_rate = 1e-4, .momentum = 0.5}};
  for (int step = 0; step < 3; ++step) {
    filled(gradient);
    const rein::Report report = check_step(fused, w, plain, separate, gradient);
    if (step == 0) CHECK(report.changed == exceeding);
  }
}

// Filters that are updated and summed in one run with the next ones, or in pieces where they go on
// in the next column, from a gradient that lies in memory and from one that is computed.
template <class Scalar>
void filters_are_updated_and_summed(Index rows, Index cols, Index length) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  INFO(oracle::format_of<Scalar>().name << ", " << rows << " x " << cols << " in " << length);
  const auto filters = rein::per_filter("oi", {rows * cols / length, length});
  laws::Random random(31);
  const auto filled = [&](double most) {
    return Matrix(Matrix::NullaryExpr(
        rows, cols, [&] { return static_cast<Scalar>(random.between(-most, most)); }));
  };
  Matrix w = filled(1);
  for (Index f = 0; f < w.size() / length; ++f) {
    Eigen::Map<Eigen::Array<Scalar, Dynamic, 1>> filter(w.data() + f * length, length);
    const double norm = random.chance(0.1) ? 2.5 : random.between(0.5, 1.9);
    filter *= static_cast<Scalar>(norm) / filter.matrix().norm();
  }
  Matrix separate = w;
  const rein::MaxNorm constraint{2, filters};
  rein::Sgd fused{w, {.learning_rate = 1e-3, .momentum = 0.5}, constraint};
  rein::Sgd plain{separate, {.learning_rate = 1e-3, .momentum = 0.5}};
  for (int step = 0; step < 4; ++step) {
    Matrix gradient(rows + 1, cols);
    gradient.topRows(rows) = filled(0.1);
    const bool computed = step % 2 == 1;
    const auto block = gradient.topRows(rows);
    const rein::Report report = computed ? check_step(fused, w, plain, separate, 2 * block)
                                         : check_step(fused, w, plain, separate, block);
    if (step == 0) CHECK(report.changed > 0);
  }
}

// Columns of which some are so close to the limit that a sum in another order may be on its other
// side.
template <class Scalar>
void columns_near_the_limit_are_updated_and_summed(Index rows, Index cols) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  INFO(oracle::format_of<Scalar>().name << ", " << rows << " x " << cols);
  const double eps = oracle::format_of<Scalar>().epsilon();
  laws::Random random(32);
  Matrix w =
      Matrix::NullaryExpr(rows, cols, [&] { return static_cast<Scalar>(random.between(-1, 1)); });
  for (Index j = 0; j < w.cols(); ++j) {
    const double norm =
        j % 8 == 7 ? 2 * (1 + random.between(4, 6) * eps) : random.between(0.5, 1.9);
    w.col(j) *= static_cast<Scalar>(norm / w.col(j).template cast<double>().norm());
  }
  Matrix separate = w;
  const rein::MaxNorm constraint{2, rein::per_col};
  rein::Sgd fused{w, {.learning_rate = 1}, constraint};
  const rein::Report report = fused.step(w, Matrix::Zero(rows, cols));
  CHECK(report == constraint(separate));
  CHECK(w == separate);
  CHECK(report.changed > 0);
  CHECK(report.changed < cols / 8);
}

// Few rows of many columns, whose squares a step and a call may add in an order of their own.
template <class Scalar>
void narrow_rows_are_updated_and_summed(Index rows, Index cols, int steps = 20) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  INFO(oracle::format_of<Scalar>().name << ", " << rows << " x " << cols);
  laws::Random random(30);
  const auto filled = [&] {
    return Matrix(Matrix::NullaryExpr(rows, cols,
                                      [&] { return static_cast<Scalar>(random.between(-1, 1)); }));
  };
  Matrix w = filled(), separate = w;
  const rein::MaxNorm constraint{0.25, rein::per_row};
  rein::Sgd fused{w, {.learning_rate = 0.5}, constraint};
  rein::Sgd plain{separate, {.learning_rate = 0.5}};
  for (int step = 0; step < steps; ++step) {
    const Matrix gradient = filled();
    CHECK(check_step(fused, w, plain, separate, gradient).changed == rows);
  }
}

// Entries that are clamped while they are updated: of a matrix, and of a block whose columns have
// gaps between them, from a gradient that is computed.
template <class Scalar, class Constraint>
void entries_are_updated_and_clamped(const Constraint& constraint, Index rows, Index cols) {
  using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  INFO(oracle::format_of<Scalar>().name << ", " << rows << " x " << cols);
  laws::Random random(33);
  const auto filled = [&](Index more) {
    return Matrix(Matrix::NullaryExpr(rows + more, cols,
                                      [&] { return static_cast<Scalar>(random.between(-1, 1)); }));
  };
  const auto check = [&](auto&& w, auto&& separate) {
    const rein::SgdOptions options{.learning_rate = 0.125, .momentum = 0.5};
    rein::Sgd fused{w, options, constraint};
    rein::Sgd plain{separate, options};
    for (int step = 0; step < 3; ++step) {
      Matrix gradient = filled(0);
      if (step == 2) gradient(rows / 2, cols / 2) = std::numeric_limits<Scalar>::quiet_NaN();
      const rein::Report report = fused.step(w, gradient + Scalar(0.5f) * gradient);
      plain.step(separate, gradient + Scalar(0.5f) * gradient);
      CHECK(report == constraint(separate));
      CHECK(report.checked == rows * cols);
      CHECK(report.changed > 0);
      CHECK(report.nonfinite == (step == 2));
      CHECK(same_numbers(oracle::copy_of(w), oracle::copy_of(separate)));
    }
  };
  Matrix w = filled(2), separate = w;
  check(w.topRows(rows), separate.topRows(rows));
  CHECK(same_numbers(oracle::copy_of(w), oracle::copy_of(separate)));  // what lies around, too
  w = filled(0), separate = w;
  check(w, separate);
}

// A single entry that is outside, or not finite, at each place of weights of so many rows.
template <class Scalar>
void one_entry_is_clamped(Index rows) {
  using Column = Eigen::Matrix<Scalar, Dynamic, 1>;
  const rein::Box box{-0.5, 0.75};
  Column w(rows);
  rein::Sgd sgd{w, {.learning_rate = 1}, box};
  INFO(oracle::format_of<Scalar>().name << ", " << rows);
  using Limits = std::numeric_limits<double>;
  for (const auto& [outside, finite] : {std::pair{-1.0, true},
                                        {1.0, true},
                                        {Limits::infinity(), false},
                                        {-Limits::infinity(), false},
                                        {Limits::quiet_NaN(), false}}) {
    bool all = true;
    for (Index place = 0; place < rows; ++place) {
      w.setConstant(Scalar(0.25));
      Column gradient = Column::Zero(rows), wanted = w;
      gradient[place] = static_cast<Scalar>(0.25 - outside);
      wanted[place] = static_cast<Scalar>(finite ? std::clamp(outside, -0.5, 0.75) : outside);
      const rein::Report report = sgd.step(w, gradient);
      all = all && report.checked == rows && report.changed == finite &&
            report.nonfinite == !finite &&
            same_numbers(oracle::copy_of(w), oracle::copy_of(wanted));
    }
    CHECK(all);
  }
}

}  // namespace

TEST_CASE("fused: narrow rows are updated and summed") {
  for (const Index cols : {64, 65, 128, 136, 250, 400, 600, 1400}) {
    for (const Index rows : {3, 8, 10, 15, 16, 31, 32}) {
      narrow_rows_are_updated_and_summed<float>(rows, cols);
      narrow_rows_are_updated_and_summed<double>(rows, cols);
    }
  }
}

// A call prefetches rows of 256 bytes to 2 KiB, a step does not.
TEST_CASE("fused: narrow rows that no cache holds are updated and summed") {
  narrow_rows_are_updated_and_summed<float>(33, 128001, 2);
  narrow_rows_are_updated_and_summed<float>(66, 64001, 2);
  narrow_rows_are_updated_and_summed<float>(600, 7001, 2);
  narrow_rows_are_updated_and_summed<double>(10, 210005, 2);
}

TEST_CASE("fused: long columns are updated and summed") {
  for (const int exceeding : {0, 1, 10}) {
    for (const Index rows : {256, 1500, 20000}) {
      long_columns_are_updated_and_summed<float>(rows, 24, exceeding);
      long_columns_are_updated_and_summed<double>(rows, 24, exceeding);
    }
    long_columns_are_updated_and_summed<float>(310, 300, exceeding);
  }
}

TEST_CASE("fused: columns are scaled while later ones are updated and summed") {
  for (const int exceeding : {10, 100, 130}) {
    for (const Index rows : {150, 200, 250}) {
      long_columns_are_updated_and_summed<float>(rows, 141, exceeding);
      long_columns_are_updated_and_summed<double>(rows, 141, exceeding);
    }
  }
}

TEST_CASE("fused: columns that no cache holds are updated, summed and scaled") {
  long_columns_are_updated_and_summed<float>(100, 11000, 10000);
  long_columns_are_updated_and_summed<float>(600, 1900, 1700);
  long_columns_are_updated_and_summed<double>(70, 8000, 7000);
}

TEST_CASE("fused: filters are updated and summed in runs and in pieces") {
  filters_are_updated_and_summed<float>(16000, 1, 64);
  filters_are_updated_and_summed<double>(16000, 1, 100);
  filters_are_updated_and_summed<float>(200, 150, 300);
  filters_are_updated_and_summed<double>(200, 150, 1500);
  filters_are_updated_and_summed<float>(2000, 30, 1500);
  filters_are_updated_and_summed<double>(3000, 20, 100);
}

TEST_CASE("fused: columns near the limit are updated and summed") {
  for (const Index rows : {64, 100, 400}) {
    columns_near_the_limit_are_updated_and_summed<float>(rows, 3000);
    columns_near_the_limit_are_updated_and_summed<double>(rows, 3000);
  }
  columns_near_the_limit_are_updated_and_summed<float>(3000, 400);
}

TEST_CASE("fused: entries are updated and clamped") {
  for (const auto& [rows, cols] : {std::pair<Index, Index>{3, 5}, {1100, 7}, {50, 90}}) {
    entries_are_updated_and_clamped<float>(rein::NonNegative{}, rows, cols);
    entries_are_updated_and_clamped<double>(rein::Box{-0.75, 0.75}, rows, cols);
    entries_are_updated_and_clamped<Eigen::half>(rein::Box{-0.5, 0.25}, rows, cols);
  }
}

TEST_CASE("fused: one entry is clamped") {
  for (const Index rows : {1, 2, 3, 7, 15, 16, 17, 63, 100, 1024, 1051}) {
    one_entry_is_clamped<float>(rows);
    one_entry_is_clamped<double>(rows);
  }
}

TEST_CASE("fused: a step is a step and a call: float, row-major") {
  steps_are_a_step_and_a_call<float, Eigen::RowMajor>(100);
}
TEST_CASE("fused: a step is a step and a call: half") {
  steps_are_a_step_and_a_call<Eigen::half, Eigen::ColMajor>(40);
}
TEST_CASE("fused: a step is a step and a call: bfloat16") {
  steps_are_a_step_and_a_call<Eigen::bfloat16, Eigen::RowMajor>(40);
}
TEST_CASE("fused: a step is a step and a call: complex<double>") {
  steps_are_a_step_and_a_call<std::complex<double>, Eigen::ColMajor>(70);
}
