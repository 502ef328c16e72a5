#pragma once
// The laws that every optimizer obeys, written once. A kind (SgdKind in sgd.cpp, AdamKind in
// adam.cpp) says how the optimizer is made, what its state is, and how its step reads as a plain
// loop in long double.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "refusal.hpp"

namespace laws {

using Eigen::Dynamic;
using Eigen::Index;

template <class Scalar>
using ColMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::ColMajor>;
template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::RowMajor>;

/// The entries of any matrix as doubles, which hold a float exactly; the comparisons below are then
/// compiled once and not for every pair of expressions.
struct Entries {
  template <class Matrix>
  Entries(const Matrix& m) : rows(m.rows()), cols(m.cols()) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) values.push_back(static_cast<double>(m(i, j)));
    }
  }

  Index rows, cols;
  std::vector<double> values;  // row-major
};

/// Equality that tells -0 from 0 and takes a NaN to be equal to itself.
inline bool same_bits(const Entries& a, const Entries& b) {
  if (a.rows != b.rows || a.cols != b.cols) return false;
  for (std::size_t k = 0; k < a.values.size(); ++k) {
    const double x = a.values[k], y = b.values[k];
    if (std::isnan(x) ? !std::isnan(y) : x != y || std::signbit(x) != std::signbit(y)) return false;
  }
  return true;
}

inline bool same_bits(const std::vector<Entries>& a, const std::vector<Entries>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Entries& x, const Entries& y) { return same_bits(x, y); });
}

/// The largest difference, relative to the larger of `unit` and the expected value; infinite if one
/// is NaN or the shapes differ.
inline double deviation(const Entries& actual, const Entries& expected, double unit = 1) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (actual.rows != expected.rows || actual.cols != expected.cols) return infinity;
  double worst = 0;
  for (std::size_t k = 0; k < actual.values.size(); ++k) {
    const double e = expected.values[k];
    const double d = std::abs(actual.values[k] - e) / std::max(unit, std::abs(e));
    worst = std::isnan(d) ? infinity : std::max(worst, d);
  }
  return worst;
}

template <class Weights>
void fill(Weights&& w, int seed, double scale = 1) {
  using Scalar = typename std::decay_t<Weights>::Scalar;
  for (Index j = 0; j < w.cols(); ++j) {
    for (Index i = 0; i < w.rows(); ++i) {
      w(i, j) = static_cast<Scalar>(scale * golden::pattern(i, j, seed));
    }
  }
}

template <class Matrix>
Matrix filled(Index rows, Index cols, int seed, double scale = 1) {
  Matrix m(rows, cols);
  fill(m, seed, scale);
  return m;
}

/// W in long double, stepped by Kind::Reference and constrained row by row. Nothing here is rein's.
template <class Kind>
struct Reference {
  using Matrix = ColMajor<long double>;

  template <class Weights>
  Reference(const Weights& weights, const typename Kind::Options& options, double row_limit)
      : w(weights.template cast<long double>()),
        rule(w.rows() * w.cols(), options),
        limit(row_limit) {}

  template <class Gradient>
  void step(const Gradient& gradient) {
    std::vector<Index> all;
    for (Index i = 0; i < w.rows(); ++i) all.push_back(i);
    step_rows(gradient, all);
  }

  template <class Gradient>
  void step_rows(const Gradient& gradient, const std::vector<Index>& listed) {
    rule.begin_step();
    for (Index row = 0; row < std::ssize(listed); ++row) {
      const Index i = listed[static_cast<std::size_t>(row)];
      for (Index j = 0; j < w.cols(); ++j) {
        w(i, j) =
            rule.updated(i + j * w.rows(), w(i, j), static_cast<long double>(gradient(row, j)));
      }
      long double square = 0;
      for (Index j = 0; j < w.cols(); ++j) square += w(i, j) * w(i, j);
      const long double norm = std::sqrt(square);
      for (Index j = 0; norm > limit && j < w.cols(); ++j) w(i, j) *= limit / norm;
    }
  }

  Matrix w;
  typename Kind::Reference rule;
  long double limit;
};

template <class Scalar>
double tolerance(int steps) {
  return 16.0 * steps * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
}

/// Calls law(name, w) with a 5 x 12 W of every kind that rein takes, and checks that what lies
/// around or between its entries is not touched.
template <class Scalar, class Law>
void for_each_view(Law law) {
  constexpr Index rows = 5, cols = 12;
  const Scalar guard(77);
  {
    ColMajor<Scalar> w(rows, cols);
    law("Matrix", w);
  }
  {
    RowMajor<Scalar> w(rows, cols);
    law("row-major Matrix", w);
  }
  {
    Eigen::Matrix<Scalar, rows, cols> w;
    law("fixed-size Matrix", w);
  }
  {
    Eigen::Array<Scalar, Dynamic, Dynamic, Eigen::RowMajor> w(rows, cols);
    law("row-major Array", w);
  }
  {
    ColMajor<Scalar> around = ColMajor<Scalar>::Constant(rows + 3, cols + 2, guard);
    law("Block", around.block(1, 1, rows, cols));
    around.block(1, 1, rows, cols).setConstant(guard);
    CHECK((around.array() == guard).all());
  }
  {
    std::vector<Scalar> memory(400, guard);
    using Strides = Eigen::Stride<Dynamic, Dynamic>;
    Eigen::Map<ColMajor<Scalar>, Eigen::Unaligned, Strides> w(memory.data() + 1, rows, cols,
                                                              Strides(13, 2));
    law("Map with strides", w);
    w.setConstant(guard);
    CHECK(std::count(memory.begin(), memory.end(), guard) == 400);
  }
  {
    ColMajor<Scalar> transposed(cols, rows);
    law("Transpose", transposed.transpose());
  }
  {
    ColMajor<Scalar> around = ColMajor<Scalar>::Constant(rows + 1, cols, guard);
    Eigen::Ref<ColMajor<Scalar>, 0, Eigen::OuterStride<>> w = around.topRows(rows);
    law("Ref", w);
    CHECK((around.row(rows).array() == guard).all());
  }
}

/// Every kind of W takes the steps of the plain loop, with and without a constraint. Where nothing
/// is outside its limit they all end at the same bits; where rows are rescaled, those of one
/// storage order do (a norm may be added up in another order in the other one).
template <class Kind, class Scalar>
void every_view_takes_the_same_steps() {
  constexpr int steps = 12;
  const auto options = Kind::typical();
  for (const double limit : {std::numeric_limits<double>::max(), 1.5}) {
    std::map<bool, Entries> first;
    for_each_view<Scalar>([&](const char* name, auto&& w) {
      INFO(name << ", limit " << limit);
      fill(w, 1, 1.5);
      Reference<Kind> reference(w, options, limit);
      auto optimizer = Kind::make(w, options, rein::MaxNorm{limit, rein::per_row});
      for (int k = 0; k < steps; ++k) {
        const auto gradient = filled<ColMajor<Scalar>>(w.rows(), w.cols(), 10 + k);
        optimizer.step(w, gradient);
        reference.step(gradient);
      }
      const Entries last = w;
      CHECK(deviation(last, reference.w) <= tolerance<Scalar>(steps));
      const bool apart = limit < 2 && std::decay_t<decltype(w)>::IsRowMajor;
      CHECK(same_bits(last, first.emplace(apart, last).first->second));
    });
  }
}

/// An optimizer made for column-major weights takes row-major ones, with row-major gradients: their
/// entries follow each other without a gap, but not in the order of its state.
template <class Kind>
void the_other_storage_order_takes_the_same_steps() {
  auto w = filled<ColMajor<double>>(30, 70, 1);
  RowMajor<double> rows = w;
  auto optimizer = Kind::make(w, Kind::typical(), rein::Unconstrained{});
  auto by_rows = optimizer;
  for (int k = 0; k < 3; ++k) {
    const auto gradient = filled<ColMajor<double>>(30, 70, 10 + k);
    optimizer.step(w, gradient);
    by_rows.step(rows, RowMajor<double>(gradient));
    CHECK(rows == w);
    CHECK(same_bits(Kind::state(by_rows), Kind::state(optimizer)));
  }
}

/// Sizes at and around vector registers and the chunks that a pass is made of.
template <class Kind, class Weights>
void every_size_takes_the_same_steps() {
  using Scalar = typename Weights::Scalar;
  constexpr int steps = 3;
  const std::pair<Index, Index> shapes[] = {{1, 1},    {1, 15},   {17, 1},   {1, 5003}, {5003, 1},
                                            {3, 2049}, {300, 70}, {70, 301}, {1025, 3}};
  for (const auto& [rows, cols] : shapes) {
    INFO(rows << " x " << cols);
    auto w = filled<Weights>(rows, cols, 1, 1.5);
    // The expected norm is about 0.87 sqrt(cols): about half of the rows are outside.
    const double limit = 0.87 * std::sqrt(static_cast<double>(cols));
    Reference<Kind> reference(w, Kind::typical(), limit);
    auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{limit, rein::per_row});
    for (int k = 0; k < steps; ++k) {
      const auto gradient = filled<Weights>(rows, cols, 10 + k);
      optimizer.step(w, gradient);
      reference.step(gradient);
    }
    CHECK(deviation(w, reference.w) <= tolerance<Scalar>(steps));
  }
}

/// A gradient may be any expression, also one that reads W: it is as if it had been evaluated
/// first.
template <class Kind, class Scalar>
void gradients_may_be_expressions() {
  const auto a = filled<ColMajor<Scalar>>(6, 9, 21), b = filled<ColMajor<Scalar>>(6, 9, 22);
  const auto left = filled<ColMajor<Scalar>>(6, 4, 23);
  const auto right = filled<RowMajor<Scalar>>(4, 9, 24);
  const auto other_order = filled<RowMajor<Scalar>>(6, 9, 25);
  const auto transposed = filled<ColMajor<Scalar>>(9, 6, 26);
  const auto large = filled<ColMajor<Scalar>>(8, 20, 27);
  const auto inputs = filled<ColMajor<Scalar>>(9, 5, 28),
             outputs = filled<ColMajor<Scalar>>(6, 5, 29);
  const std::vector<Scalar> memory(200, Scalar(0.25));
  using Strides = Eigen::Stride<Dynamic, Dynamic>;
  const Eigen::Map<const ColMajor<Scalar>, 0, Strides> map(memory.data() + 1, 6, 9, Strides(15, 2));

  const auto check = [](const char* name, auto constraint, auto gradient_at) {
    INFO(name);
    auto w = filled<ColMajor<Scalar>>(6, 9, 1, 1.5);
    auto expected = w;
    auto with_expression = Kind::make(w, Kind::typical(), constraint);
    auto with_matrix = Kind::make(w, Kind::typical(), constraint);
    for (int k = 0; k < 3; ++k) {
      const ColMajor<Scalar> evaluated = gradient_at(expected);
      with_matrix.step(expected, evaluated);
      with_expression.step(w, gradient_at(w));
      CHECK(same_bits(w, expected));
    }
  };
  // The patterns are multiples of 1/64, so that these are exact however they are evaluated.
  const rein::Unconstrained no;
  check("0.5 * (A - B)", no, [&](const auto&) { return Scalar(0.5) * (a - b); });
  check("A * B", no, [&](const auto&) { return left * right; });
  check("A * B + C", no, [&](const auto&) { return left * right + a; });
  check("row-major", no,
        [&](const auto&) { return Eigen::Ref<const RowMajor<Scalar>>(other_order); });
  check("transpose", no, [&](const auto&) { return transposed.transpose(); });
  check("block", no, [&](const auto&) { return large.block(1, 2, 6, 9); });
  check("map with strides", no, [&](const auto&) { return map; });
  check("array", no, [&](const auto&) { return a.array() * b.array(); });
  // These read W, which must not have begun to change. Eigen evaluates both sides alike.
  check("W - A", rein::MaxNorm{1.5, rein::per_row}, [&](const auto& w) { return w - a; });
  check("(W X - Y) X^T", no,
        [&](const auto& w) { return (w * inputs - outputs) * inputs.transpose(); });
  check("W less its rows' means", no,
        [&](const auto& w) { return w.colwise() - w.rowwise().mean(); });
}

/// Vectors, and W without entries.
template <class Kind>
void vectors_and_empty_weights() {
  const auto two_steps = [](auto w) {
    fill(w, 1, 1.5);
    const auto gradient = filled<ColMajor<double>>(w.rows(), w.cols(), 10);
    Reference<Kind> reference(w, Kind::typical(), 0.5);
    auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{0.5, rein::per_row});
    rein::Report report;
    for (int k = 0; k < 2; ++k) {
      report = optimizer.step(w, gradient);
      reference.step(gradient);
    }
    INFO(w.rows() << " x " << w.cols());
    CHECK(report.checked == w.rows());
    CHECK(report.nonfinite == 0);
    CHECK(deviation(w, reference.w) <= tolerance<double>(2));
    CHECK(optimizer.steps() == 2);
  };
  two_steps(Eigen::VectorXd(11));
  two_steps(Eigen::VectorXd(0));
  two_steps(Eigen::MatrixXd(0, 4));
  two_steps(Eigen::MatrixXd(4, 0));
  two_steps(Eigen::MatrixXd(0, 0));
}

/// A gradient or a W of another shape is refused, and nothing has changed: neither W, nor the
/// state, nor the number of steps.
template <class Kind>
void wrong_shapes_change_nothing() {
  auto w = filled<ColMajor<double>>(3, 4, 1);
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
  optimizer.step(w, filled<ColMajor<double>>(3, 4, 10));
  const auto w_before = w;
  const auto state_before = Kind::state(optimizer);
  const auto steps_before = optimizer.steps();

  const auto refuses = [&](auto& weights, const auto& gradient, const char* one,
                           const char* other) {
    const std::string message = refusal([&] { optimizer.step(weights, gradient); });
    INFO("\"" << message << "\"");
    CHECK(names(message, "rein::", one, other));
    CHECK(same_bits(w, w_before));
    CHECK(optimizer.steps() == steps_before);
    CHECK(same_bits(Kind::state(optimizer), state_before));
  };
  refuses(w, filled<ColMajor<double>>(4, 3, 10), "3 x 4", "4 x 3");
  refuses(w, filled<ColMajor<double>>(3, 5, 10), "3 x 4", "3 x 5");
  refuses(w, filled<ColMajor<double>>(2, 4, 10), "3 x 4", "2 x 4");
  refuses(w, filled<ColMajor<double>>(0, 0, 10), "3 x 4", "0 x 0");
  refuses(w, filled<ColMajor<double>>(12, 1, 10), "3 x 4", "12 x 1");

  auto turned = filled<ColMajor<double>>(4, 3, 2);
  const auto turned_before = turned;
  refuses(turned, filled<ColMajor<double>>(4, 3, 10), "3 x 4", "4 x 3");
  refuses(turned, filled<ColMajor<double>>(3, 4, 10), "3 x 4", "4 x 3");
  CHECK(same_bits(turned, turned_before));
  auto empty = filled<ColMajor<double>>(0, 0, 2);
  refuses(empty, filled<ColMajor<double>>(3, 4, 10), "3 x 4", "0 x 0");
}

/// A gradient in W's own memory is refused, because W is written while it is read; an expression
/// that reads each entry of W at its own place is not, and one with a product is evaluated first.
template <class Kind>
void a_gradient_in_the_weights_is_refused() {
  auto w = filled<ColMajor<double>>(20, 20, 1);
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
  const auto before = w;
  const auto refuses = [&](auto&& weights, const auto& gradient) {
    const std::string message = refusal([&] { optimizer.step(weights, gradient); });
    INFO("\"" << message << "\"");
    CHECK(names(message, "rein::", "the gradient", "the weights' memory"));
    CHECK(same_bits(w, before));
    CHECK(optimizer.steps() == 0);
  };
  refuses(w, w);
  refuses(w, w.transpose());
  refuses(w, w + w.transpose());
  refuses(w, w.transpose() + w);
  refuses(w, (2 * w).transpose());
  refuses(w, (-w).transpose());
  refuses(w, Eigen::Map<ColMajor<double>>(w.data(), 20, 20));

  const auto takes = [&](const auto& gradient) {
    w = before;
    auto expected = before;
    auto one = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
    auto other = one;
    other.step(expected, gradient.eval());
    one.step(w, gradient);
    CHECK(same_bits(w, expected));
  };
  takes(2 * w);
  takes(w.cwiseAbs() + 0.5 * w);
  takes(w * w.transpose());

  w = before;
  // Blocks of one matrix: beside each other in its memory, and with some entries in common.
  ColMajor<double> around = filled<ColMajor<double>>(40, 20, 3);
  around.topRows(20) = before;
  refuses(around.topRows(20), around.middleRows(19, 20));
  refuses(around.topRows(20), around.middleRows(1, 20));
  // Of row-major weights, the last row alone.
  RowMajor<double> rows = filled<RowMajor<double>>(40, 20, 3);
  rows.topRows(20) = before;
  refuses(rows.topRows(20), rows.middleRows(19, 20));
  ColMajor<double> wider = filled<ColMajor<double>>(40, 21, 3);
  refuses(wider.block(15, 0, 20, 20), wider.block(0, 1, 20, 20));
  // Between the weights' entries; and of weights that overlap themselves.
  using Strides = Eigen::Stride<Dynamic, Dynamic>;
  using Strided = Eigen::Map<ColMajor<double>, 0, Strides>;
  refuses(Strided(wider.data(), 20, 20, Strides(40, 2)),
          Strided(wider.data() + 1, 20, 20, Strides(40, 2)));
  refuses(Strided(wider.data(), 20, 20, Strides(1, 1)),
          Strided(wider.data() + 1, 20, 20, Strides(1, 1)));
  auto expected = before;
  auto one = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
  auto other = one;
  other.step(expected, around.bottomRows(20).eval());
  one.step(around.topRows(20), around.bottomRows(20));
  CHECK(same_bits(around.topRows(20), expected));
}

/// A constraint that does not fit W is found out before anything is written.
template <class Kind, class Weights>
void an_unfit_constraint_changes_nothing() {
  auto w = filled<Weights>(3, 4, 1);
  const auto gradient = filled<Weights>(3, 4, 10);
  auto optimizer =
      Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_filter("oi", {3, 4})});
  optimizer.step(w, gradient);
  const auto w_before = w;
  const auto state_before = Kind::state(optimizer);
  optimizer.constraint() = rein::MaxNorm{1.0, rein::per_filter("oi", {3, 5})};
  const std::string message = refusal([&] { optimizer.step(w, gradient); });
  INFO("\"" << message << "\"");
  CHECK(names(message, "rein::", "12", "15"));
  CHECK(same_bits(w, w_before));
  CHECK(optimizer.steps() == 1);
  CHECK(same_bits(Kind::state(optimizer), state_before));
}

/// An option out of its range: how to write it, and what the message must name.
template <class Options>
struct Invalid {
  void (*write)(Options&);
  const char* argument;
  const char* value;
};

/// Invalid options are refused by the constructor; written through options() they are refused by
/// the next step. The message names the argument and its value, and nothing has changed.
template <class Kind>
void invalid_options_are_refused(const std::vector<Invalid<typename Kind::Options>>& table) {
  auto w = filled<ColMajor<double>>(3, 4, 1);
  const auto gradient = filled<ColMajor<double>>(3, 4, 10);
  for (const auto& invalid : table) {
    INFO(invalid.argument << " = " << invalid.value);
    auto options = Kind::typical();
    invalid.write(options);
    std::string message = refusal([&] {
      Kind::make(w, options, rein::MaxNorm{1.0, rein::per_row});
    });
    INFO("at construction: \"" << message << "\"");
    CHECK(names(message, "rein::", invalid.argument, invalid.value));

    auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
    optimizer.step(w, gradient);
    const auto w_before = w;
    const auto state_before = Kind::state(optimizer);
    const auto steps_before = optimizer.steps();
    invalid.write(optimizer.options());
    message = refusal([&] { optimizer.step(w, gradient); });
    INFO("at a step: \"" << message << "\"");
    CHECK(names(message, "rein::", invalid.argument, invalid.value));
    CHECK(same_bits(w, w_before));
    CHECK(optimizer.steps() == steps_before);
    CHECK(same_bits(Kind::state(optimizer), state_before));

    optimizer.options() = Kind::typical();
    optimizer.step(w, gradient);
    CHECK(optimizer.steps() == steps_before + 1);
  }
}

// What a user might write: halves what is above 1 in the first row.
struct Halve {
  template <class Weights>
  void operator()(Weights& w) const {
    for (Index j = 0; j < w.cols(); ++j) {
      if (w(0, j) > 1) w(0, j) /= 2;
    }
  }
};

struct CountAndHalve {
  int calls = 0;

  template <class Weights>
  rein::Report operator()(Weights& w) {
    ++calls;
    Halve{}(w);
    rein::Report report;
    report.checked = 1000 + calls;
    report.changed = w.cols();
    report.largest_norm = 0.125 * calls;
    return report;
  }
};

/// Whatever can be called on W is a constraint, is called once per step, after the step, and is
/// kept by value. A Report it returns comes back from step unchanged.
template <class Kind>
void users_constraints_are_applied() {
  constexpr int steps = 5;
  const auto run = [&](auto constraint, auto after_each_step) {
    auto w = filled<ColMajor<double>>(4, 6, 1, 2);
    auto expected = w;
    auto constrained = Kind::make(w, Kind::typical(), std::move(constraint));
    auto plain = Kind::make(expected, Kind::typical());
    for (int k = 1; k <= steps; ++k) {
      const auto gradient = filled<ColMajor<double>>(4, 6, 10 + k);
      const rein::Report report = constrained.step(w, gradient);
      plain.step(expected, gradient);
      Halve{}(expected);
      CHECK(same_bits(w, expected));
      after_each_step(constrained, report, k);
    }
  };

  SECTION("a lambda that returns nothing") {
    int calls = 0;
    run([&calls](Eigen::Ref<ColMajor<double>> w) { ++calls, Halve{}(w); },
        [&](const auto&, const rein::Report&, int k) { CHECK(calls == k); });
  }
  SECTION("a lambda that returns a Report") {
    run(
        [](auto& w) {
          Halve{}(w);
          rein::Report report;
          report.checked = 11;
          report.changed = 7;
          report.nonfinite = 2;
          report.largest_norm = 2.5;
          return report;
        },
        [](const auto&, const rein::Report& report, int) {
          CHECK(report.checked == 11);
          CHECK(report.changed == 7);
          CHECK(report.nonfinite == 2);
          CHECK(report.largest_norm == 2.5);
        });
  }
  SECTION("a functor with state") {
    run(CountAndHalve{}, [](auto& optimizer, const rein::Report& report, int k) {
      CHECK(optimizer.constraint().calls == k);
      CHECK(report.checked == 1000 + k);
      CHECK(report.largest_norm == 0.125 * k);
    });
  }
  SECTION("one built on a constraint of rein") {
    auto w = filled<ColMajor<double>>(4, 6, 1, 2);
    auto expected = w;
    const rein::MaxNorm max_norm{1.0, rein::per_row};
    auto wrapped = Kind::make(w, Kind::typical(), [&](auto& weights) { return max_norm(weights); });
    auto direct = Kind::make(w, Kind::typical(), max_norm);
    for (int k = 1; k <= steps; ++k) {
      const auto gradient = filled<ColMajor<double>>(4, 6, 10 + k);
      CHECK(wrapped.step(w, gradient) == direct.step(expected, gradient));
      CHECK(same_bits(w, expected));
    }
  }
}

/// Keras#18883, tfjs#3345, tfjs#3979: a constraint was given to a layer, and nothing ever applied
/// it; training went on without it in silence. Here the gradient pushes outwards all the time, so
/// that every single step would leave the ball, and after every single step the norms are looked
/// at.
template <class Kind, class Scalar>
void the_constraint_is_applied_at_every_step() {
  const double limit = 0.75, eps = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  auto w = filled<ColMajor<Scalar>>(4, 6, 1);
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{limit, rein::per_row});
  for (int k = 0; k < 50; ++k) {
    const ColMajor<Scalar> outwards = -w;
    const rein::Report report = optimizer.step(w, outwards);
    INFO("step " << k + 1);
    CHECK(report.changed == w.rows());
    CHECK(w.template cast<double>().rowwise().norm().maxCoeff() <= limit * (1 + 8 * eps));
  }
}

/// checked, changed and largest_norm are the constraint's, on W as the step left it.
template <class Kind>
void the_report_is_the_constraints() {
  auto w = filled<ColMajor<double>>(5, 8, 1);
  auto stepped = w;
  const double limit = w.rowwise().norm().mean();
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{limit, rein::per_row});
  auto plain = Kind::make(w, Kind::typical());
  for (int k = 0; k < 6; ++k) {
    const auto gradient = filled<ColMajor<double>>(5, 8, 10 + k);
    stepped = w;
    plain.step(stepped, gradient);
    const Eigen::VectorXd norms = stepped.rowwise().norm();
    const rein::Report report = optimizer.step(w, gradient);
    CHECK(report.checked == 5);
    CHECK(report.changed == (norms.array() > limit).count());
    CHECK(report.nonfinite == 0);
    CHECK(std::abs(report.largest_norm - norms.maxCoeff()) <= 1e-14 * norms.maxCoeff());
  }

  SECTION("a NaN in a gradient stays in its row") {
    auto gradient = filled<ColMajor<double>>(5, 8, 20);
    stepped = w;
    plain.step(stepped, gradient);
    rein::MaxNorm{limit, rein::per_row}(stepped);
    gradient(2, 3) = std::numeric_limits<double>::quiet_NaN();
    const rein::Report report = optimizer.step(w, gradient);
    CHECK(report.nonfinite == 1);
    CHECK(report.checked == 5);
    CHECK(std::isnan(w(2, 3)));
    stepped.row(2) = w.row(2);
    CHECK(deviation(w.topRows(2), stepped.topRows(2)) <= tolerance<double>(1));
    CHECK(deviation(w.bottomRows(2), stepped.bottomRows(2)) <= tolerance<double>(1));
    CHECK(std::isfinite(w(2, 2)));
  }
}

/// The step with a constraint ends where the plain step followed by a call of the constraint ends,
/// to the bit, also where the two share a pass over the weights.
template <class Kind, class Weights>
void a_fused_constraint_equals_a_separate_one() {
  const auto check = [](const char* name, auto constraint_for) {
    const std::pair<Index, Index> shapes[] = {{12, 18}, {64, 130}, {300, 70}, {3, 5004}, {1030, 6}};
    for (const auto& [rows, cols] : shapes) {
      INFO(name << ", " << rows << " x " << cols);
      auto w = filled<Weights>(rows, cols, 1, 2);
      auto separate = w;
      auto constraint = constraint_for(rows, cols);
      auto fused = Kind::make(w, Kind::typical(), constraint);
      auto plain = Kind::make(w, Kind::typical());
      for (int k = 0; k < 3; ++k) {
        const auto gradient = filled<Weights>(rows, cols, 10 + k);
        const rein::Report report = fused.step(w, gradient);
        plain.step(separate, gradient);
        const rein::Report expected = constraint(separate);
        CHECK(same_bits(w, separate));
        CHECK(report == expected);
        if (k == 0) CHECK(report.changed > 0);
      }
      CHECK(same_bits(Kind::state(fused), Kind::state(plain)));
    }
  };
  // Limits near the expected norm: some vectors are inside and some are not.
  const auto limit = [](Index length) { return std::sqrt(static_cast<double>(length)); };
  check("MaxNorm per_row", [&](Index, Index cols) {
    return rein::MaxNorm{limit(cols), rein::per_row};
  });
  check("MaxNorm per_col", [&](Index rows, Index) {
    return rein::MaxNorm{limit(rows), rein::per_col};
  });
  check("MaxNorm whole", [&](Index rows, Index cols) {
    return rein::MaxNorm{limit(rows * cols), rein::whole};
  });
  check("MaxNorm per_filter", [&](Index rows, Index cols) {
    return rein::MaxNorm{limit(rows * cols / 2), rein::per_filter("ioh", {rows, 2, cols / 2})};
  });
  check("NonNegative", [](Index, Index) { return rein::NonNegative{}; });
}

/// step_rows() takes the steps of the plain loop in the rows that it lists, and leaves the others'
/// bits and their state; where it lists all rows it is step().
template <class Kind, class Weights>
void listed_rows_take_the_steps(Index rows, Index cols) {
  using Scalar = typename Weights::Scalar;
  INFO(rows << " x " << cols);
  const double limit = 0.8 * std::sqrt(static_cast<double>(cols));
  auto w = filled<Weights>(rows, cols, 1, 1.5);
  Reference<Kind> reference(w, Kind::typical(), limit);
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{limit, rein::per_row});
  const auto other_rows = [](const Entries& m, const std::vector<Index>& listed) {
    Entries others = m;
    for (const Index i : listed) {
      std::fill_n(others.values.begin() + i * m.cols, m.cols, 0);
    }
    return others;
  };
  Index changed = 0;
  int steps = 0;
  for (const std::vector<Index>& listed :
       {std::vector<Index>{3, 0}, {1}, {}, {0, 2, rows - 1}, {rows - 1, 3, 2}}) {
    const Entries w_before = w;
    const auto state_before = Kind::state(optimizer);
    const auto gradient = filled<Weights>(std::ssize(listed), cols, 10 + ++steps);
    const rein::Report report = optimizer.step_rows(w, gradient, listed);
    reference.step_rows(gradient, listed);
    CHECK(report.checked == std::ssize(listed));
    changed += report.changed;
    CHECK(same_bits(other_rows(w, listed), other_rows(w_before, listed)));
    const auto state = Kind::state(optimizer);
    for (std::size_t part = 0; part < state.size(); ++part) {
      CHECK(same_bits(other_rows(state[part], listed), other_rows(state_before[part], listed)));
    }
  }
  CHECK(optimizer.steps() == steps);
  CHECK(changed > 0);
  CHECK(deviation(w, reference.w) <= tolerance<Scalar>(steps));

  auto expected = w;
  auto same = optimizer;
  std::vector<Index> all;
  for (Index i = 0; i < rows; ++i) all.push_back(i);
  for (int k = 0; k < 2; ++k) {
    const auto gradient = filled<Weights>(rows, cols, 20 + k);
    CHECK(optimizer.step_rows(w, gradient, all) == same.step(expected, gradient));
    CHECK(same_bits(w, expected));
    CHECK(same_bits(Kind::state(optimizer), Kind::state(same)));
  }
}

/// A list or a gradient that does not fit is refused, and nothing has changed.
template <class Kind>
void unfit_rows_change_nothing() {
  auto w = filled<RowMajor<double>>(5, 4, 1);
  auto optimizer = Kind::make(w, Kind::typical(), rein::MaxNorm{1.0, rein::per_row});
  optimizer.step(w, filled<RowMajor<double>>(5, 4, 10));
  const auto w_before = w;
  const auto state_before = Kind::state(optimizer);
  const auto two = filled<RowMajor<double>>(2, 4, 11);
  const auto refuses = [&](const auto& gradient, const std::vector<int>& listed, const char* one,
                           const char* other) {
    const std::string message = refusal([&] { optimizer.step_rows(w, gradient, listed); });
    INFO("\"" << message << "\"");
    CHECK(names(message, "rein::", one, other));
    CHECK(names(message, "rein::only") == false);
    CHECK(same_bits(w, w_before));
    CHECK(optimizer.steps() == 1);
    CHECK(same_bits(Kind::state(optimizer), state_before));
  };
  refuses(two, {1, 5}, "an index is 5", "number of vectors, 5");
  refuses(two, {-1, 2}, "an index is -1", ">= 0");
  refuses(two, {3, 3}, "the index 3", "twice");
  refuses(two, {1, 2, 3}, "2 x 4", "3 x 4");
  refuses(filled<RowMajor<double>>(2, 5, 11), {1, 2}, "2 x 5", "2 x 4");
  refuses(filled<RowMajor<double>>(5, 4, 11), {1, 2}, "5 x 4", "2 x 4");
  refuses(w.topRows(2), {1, 2}, "the gradient", "the weights' memory");
  refuses(2 * w.topRows(2), {0, 1}, "the gradient", "the weights' memory");
}

/// A constraint that is not one of the rows' norms is applied to all weights, as after a step.
template <class Kind>
void listed_rows_and_other_constraints() {
  const std::vector<Index> listed{4, 1};
  const auto gradient = filled<RowMajor<double>>(2, 6, 10);
  const auto check = [&](const auto& constraint, Index checked) {
    auto w = filled<RowMajor<double>>(5, 6, 1, 2);
    auto expected = w;
    auto constrained = Kind::make(w, Kind::typical(), constraint);
    auto plain = Kind::make(w, Kind::typical());
    const rein::Report report = constrained.step_rows(w, gradient, listed);
    CHECK(plain.step_rows(expected, gradient, listed) == rein::Report{});
    CHECK(report == constraint(expected));
    CHECK(report.checked == checked);
    CHECK(same_bits(w, expected));
  };
  check(rein::MaxNorm{1.0, rein::per_col}, 6);
  check(rein::NonNegative{}, 30);
}

/// options() and constraint() may be written between steps, as a schedule does.
template <class Kind>
void schedules_take_effect_at_the_next_step() {
  auto w = filled<ColMajor<double>>(4, 5, 1, 2);
  auto options = Kind::typical();
  const double base = options.learning_rate;
  Reference<Kind> reference(w, options, 2.0);
  auto optimizer = Kind::make(w, options, rein::MaxNorm{2.0, rein::per_row});
  for (int k = 0; k < 20; ++k) {
    const double rate = base * (k < 5 ? 0.2 * (k + 1) : 1.0 / (k - 3));
    const double limit = 2.0 - 0.05 * k;
    optimizer.options().learning_rate = rate;
    optimizer.constraint() = rein::MaxNorm{limit, rein::per_row};
    reference.rule.options.learning_rate = rate;
    reference.limit = limit;
    const auto gradient = filled<ColMajor<double>>(4, 5, 10 + k);
    optimizer.step(w, gradient);
    reference.step(gradient);
    CHECK(deviation(w, reference.w) <= tolerance<double>(k + 1));
  }
  CHECK(std::as_const(optimizer).options().learning_rate == base / 16);
}

/// A run that is saved and resumed continues bit for bit, by steps of all rows and of some; so does
/// a copy of the optimizer. `schedule` writes the options before each step, and `restore` copies
/// the state of the constraint, if it has one.
template <class Kind, class Weights, class C, class Restore>
void continues_bit_for_bit(
    const typename Kind::Options& options, const C& constraint, const Restore& restore,
    void (*schedule)(typename Kind::Options&, int) = [](auto&, int) {}) {
  auto w = filled<Weights>(5, 12, 1, 2);
  auto optimizer = Kind::make(w, options, constraint);
  const std::vector<int> some{4, 0, 1};
  const auto train = [&](auto& trained, auto& weights, int from, int to) {
    for (int k = from; k < to; ++k) {
      schedule(trained.options(), k);
      if (k % 3 == 2) {
        trained.step_rows(weights, filled<Weights>(3, 12, 10 + k), some);
      } else {
        trained.step(weights, filled<Weights>(5, 12, 10 + k));
      }
    }
  };
  for (const int saved_at : {0, 1, 5, 8}) {
    INFO("saved after " << saved_at << " steps");
    train(optimizer, w, static_cast<int>(optimizer.steps()), saved_at);
    auto copy = optimizer;
    auto w_copy = w;
    auto w_resumed = w;
    auto resumed = Kind::make(w_resumed, optimizer.options(), constraint);
    Kind::restore(std::as_const(optimizer), resumed);
    restore(std::as_const(optimizer).constraint(), resumed.constraint());

    auto continued = optimizer;
    auto w_continued = w;
    train(continued, w_continued, saved_at, saved_at + 10);
    train(copy, w_copy, saved_at, saved_at + 10);
    train(resumed, w_resumed, saved_at, saved_at + 10);
    CHECK(same_bits(w_copy, w_continued));
    CHECK(same_bits(w_resumed, w_continued));
    CHECK(resumed.steps() == saved_at + 10);
    CHECK(same_bits(Kind::state(resumed), Kind::state(continued)));
  }
}

/// The same with all options, also where the state begins to be used after some steps, and with
/// constraints that keep a state.
template <class Kind, class Weights>
void a_resumed_run_continues_bit_for_bit() {
  const rein::MaxNorm max_norm{2.0, rein::per_row};
  const auto nothing = [](const auto&, auto&) {};
  for (auto options : Kind::resumed()) {
    for (const auto what : {rein::Momentum::keep, rein::Momentum::reset, rein::Momentum::tangent}) {
      options.after_projection = what;
      continues_bit_for_bit<Kind, Weights>(options, max_norm, nothing);
    }
    continues_bit_for_bit<Kind, Weights>(options, max_norm, nothing, Kind::begin_after_6_steps);
  }
  if constexpr (std::is_same_v<typename Weights::Scalar, float>) {
    continues_bit_for_bit<Kind, Weights>(
        Kind::typical(), rein::every(3, max_norm),
        [](const auto& saved, auto& resumed) { resumed.calls() = saved.calls(); });
    continues_bit_for_bit<Kind, Weights>(
        Kind::typical(), rein::MaxSpectralNorm{2.0},
        [](const auto& saved, auto& resumed) { resumed.vector() = saved.vector(); });
  }
}

/// What becomes of a changed vector's momentum can be asked for where the constraint is one of
/// norms, and where there is none; with others it is refused before anything is written.
template <class Kind>
void after_projection_needs_a_norm_constraint() {
  auto asking = Kind::typical();
  asking.after_projection = rein::Momentum::reset;
  auto w = filled<ColMajor<double>>(3, 4, 1);
  const auto gradient = filled<ColMajor<double>>(3, 4, 10);
  auto expected = w;
  auto unconstrained = Kind::make(w, asking);
  auto same = Kind::make(w, Kind::typical());
  for (int k = 0; k < 2; ++k) {
    unconstrained.step(w, gradient);
    same.step(expected, gradient);
    CHECK(same_bits(w, expected));
    CHECK(same_bits(Kind::state(unconstrained), Kind::state(same)));
  }

  const auto refuses = [&](const auto& constraint) {
    std::string message = refusal([&] { Kind::make(w, asking, constraint); });
    INFO("at construction: \"" << message << "\"");
    CHECK(names(message, "rein::", "after_projection is reset", "must be keep"));
    auto optimizer = Kind::make(w, Kind::typical(), constraint);
    optimizer.step(w, gradient);
    const auto w_before = w;
    const auto state_before = Kind::state(optimizer);
    optimizer.options().after_projection = rein::Momentum::tangent;
    const std::vector<int> first{0};
    for (const bool rows : {false, true}) {
      message = refusal([&] {
        rows ? optimizer.step_rows(w, gradient.topRows(1), first) : optimizer.step(w, gradient);
      });
      INFO("at a step: \"" << message << "\"");
      CHECK(names(message, "rein::", "after_projection is tangent", "must be keep"));
      CHECK(same_bits(w, w_before));
      CHECK(optimizer.steps() == 1);
      CHECK(same_bits(Kind::state(optimizer), state_before));
    }
  };
  refuses(rein::NonNegative{});
  refuses(Halve{});
  refuses(rein::every(2, rein::MaxNorm{1.0, rein::per_row}));
}

/// MiniDNN and tiny-dnn keep one Adam for all parameters and advance beta^t once per tensor, not
/// per step: with two tensors the second one's bias correction is a step ahead, with ten it is
/// nine. Here every parameter has its own optimizer; stepping several in turn changes none of them.
template <class Kind>
void parameters_do_not_disturb_each_other() {
  const std::pair<Index, Index> shapes[] = {{3, 4}, {7, 1}, {2, 9}};
  std::vector<ColMajor<double>> together, alone;
  std::vector<decltype(Kind::make(together[0], Kind::typical()))> optimizers;
  for (const auto& [rows, cols] : shapes) {
    together.push_back(filled<ColMajor<double>>(rows, cols, 1));
    optimizers.push_back(Kind::make(together.back(), Kind::typical()));
  }
  alone = together;
  constexpr int steps = 6;
  for (int k = 0; k < steps; ++k) {
    for (std::size_t p = 0; p < together.size(); ++p) {
      optimizers[p].step(together[p],
                         filled<ColMajor<double>>(together[p].rows(), together[p].cols(), 10 + k));
    }
  }
  for (std::size_t p = 0; p < alone.size(); ++p) {
    Reference<Kind> reference(alone[p], Kind::typical(), std::numeric_limits<double>::max());
    auto optimizer = Kind::make(alone[p], Kind::typical());
    for (int k = 0; k < steps; ++k) {
      const auto gradient = filled<ColMajor<double>>(alone[p].rows(), alone[p].cols(), 10 + k);
      optimizer.step(alone[p], gradient);
      reference.step(gradient);
    }
    CHECK(same_bits(together[p], alone[p]));
    CHECK(deviation(together[p], reference.w) <= tolerance<double>(steps));
    CHECK(optimizers[p].steps() == steps);
  }
}

/// A learning rate of zero leaves W's bits, while the state moves on.
template <class Kind, class Scalar>
void a_learning_rate_of_zero_keeps_the_bits() {
  auto options = Kind::typical();
  options.learning_rate = 0;
  options.weight_decay = 0;
  auto w = filled<ColMajor<Scalar>>(5, 12, 1, 1e-3 / 3);
  w(0, 0) = std::numeric_limits<Scalar>::denorm_min();
  w(1, 0) = std::numeric_limits<Scalar>::max() / 2;
  w(2, 0) = Scalar(0);
  const auto before = w;
  auto optimizer = Kind::make(w, options);
  for (int k = 0; k < 5; ++k) optimizer.step(w, filled<ColMajor<Scalar>>(5, 12, 10 + k, 100));
  CHECK(same_bits(w, before));
  CHECK(optimizer.steps() == 5);
  for (const Entries& part : Kind::state(optimizer)) {
    CHECK(std::any_of(part.values.begin(), part.values.end(), [](double x) { return x != 0; }));
  }
}

/// Follows the stored trajectories of one scalar, and returns how many there were.
template <class Kind, class Scalar>
int golden_trajectories_are_followed(const char* file, const char* scalar, double tolerance) {
  int count = 0;
  double worst = 0;
  for (const golden::Trajectory& t : golden::read(std::string(REIN_TEST_DATA_DIR "/") + file)) {
    if (t.scalar != scalar) continue;
    ++count;
    INFO(t.name);
    const auto stored = [&](const golden::Record& record) {
      return Eigen::Map<const RowMajor<double>>(record.values.data(), t.rows, t.cols);
    };
    REQUIRE(t.records.at(0).step == 0);
    ColMajor<Scalar> w = stored(t.records[0]).template cast<Scalar>();

    const auto follow = [&](auto optimizer) {
      const double base = optimizer.options().learning_rate;
      int step = 0;
      for (const golden::Record& record : t.records) {
        while (step < record.step) {
          if (t.halve_every > 0)
            optimizer.options().learning_rate = base * std::exp2(-(step / t.halve_every));
          ++step;
          optimizer.step(w, golden::gradient(t, w, step));
        }
        INFO(record.what << " after step " << step);
        const double off = record.what == "weights"
                               ? deviation(w, stored(record))
                               : deviation(Kind::state(optimizer, record.what), stored(record),
                                           stored(record).cwiseAbs().maxCoeff());
        CHECK(off <= tolerance);
        worst = std::max(worst, off);
      }
    };
    const auto options = Kind::options(t);
    if (std::isinf(t.limit)) {
      follow(Kind::make(w, options));
    } else {
      follow(Kind::make(w, options, rein::MaxNorm{t.limit, rein::per_row}));
    }
  }
  CHECK(worst <= tolerance);
  return count;
}

}  // namespace laws
