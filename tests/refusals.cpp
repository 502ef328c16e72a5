// What all refusals have in common: the message names the owner, the argument, its value and the
// rule, and neither weights nor state have changed. Which values each constraint and option takes
// is tested beside it, in the file of its name.

#include <complex>
#include <cstring>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <rein/rein.hpp>

#include "catch.hpp"
#include "optimizer_laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::MatrixXf;
using Eigen::VectorXd;
using RowMajorXd = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

struct Refused {
  const char* owner;
  const char* argument;
  const char* value;
  const char* rule;
  void (*call)();
};

}  // namespace

TEST_CASE("refusals: a message names the owner, the argument, its value and the rule") {
  static MatrixXf w = MatrixXf::Ones(4, 3);
  static const MatrixXf ones = w;
  using rein::per_row, rein::per_col;
  const std::vector<Refused> table{
      {"MaxNorm", "limit", "-1", "a finite number >= 0",
       [] {
         rein::MaxNorm{-1, per_row};
       }},
      {"MaxNorm", "limit", "-inf", "a finite number >= 0",
       [] {
         rein::MaxNorm{-inf, per_row};
       }},
      {"MaxRms", "limit", "-0.5", "a finite number >= 0",
       [] {
         rein::MaxRms{-0.5, per_row};
       }},
      {"MaxSpectralNorm", "limit", "inf", "a finite number >= 0",
       [] { rein::MaxSpectralNorm{inf}; }},
      {"MinMaxNorm", "low", "-1", "a finite number >= 0",
       [] {
         rein::MinMaxNorm{-1, 1, per_row};
       }},
      {"MinMaxNorm", "high", "1", "a finite number >= low",
       [] {
         rein::MinMaxNorm{2, 1, per_row};
       }},
      {"MinMaxNorm", "rate", "1.5", "in [0, 1]",
       [] {
         rein::MinMaxNorm{1, 2, per_row, 1.5};
       }},
      {"MinMaxNorm", "rate", "-inf", "in [0, 1]",
       [] {
         rein::MinMaxNorm{1, 2, per_row, -inf};
       }},
      {"Box", "low", "inf", "a finite number",
       [] {
         rein::Box{inf, inf};
       }},
      {"Box", "high", "1", "a finite number >= low",
       [] {
         rein::Box{2, 1};
       }},
      {"L1Ball", "radius", "-2", "a finite number >= 0",
       [] {
         rein::L1Ball{-2, per_row};
       }},
      {"Simplex", "sum", "-2", "a finite number >= 0",
       [] {
         rein::Simplex{-2, per_row};
       }},
      {"Halfspace", "offset", "nan", "a finite number",
       [] { rein::Halfspace(Eigen::Vector2d(1, 1), nan_value, per_row); }},
      {"Hyperplane", "an entry of normal", "inf", "a finite number",
       [] { rein::Hyperplane(Eigen::Vector2d(1, inf), 1, per_row); }},
      {"Hyperplane", "the size of normal", "2", "the length of the vectors, 3",
       [] { rein::Hyperplane(Eigen::Vector2d(1, 1), 1, per_row)(w); }},
      {"every", "n", "0", ">= 1", [] { rein::every(0, rein::NonNegative{}); }},
      {"every", "n", "-3", ">= 1", [] { rein::every(-3, rein::NonNegative{}); }},
      {"per_filter", "the number of dims", "1", "2, one for each axis of \"oi\"",
       [] { rein::per_filter("oi", {4}); }},
      {"per_filter", "a dim", "-4", ">= 0",
       [] {
         rein::per_filter("oi", {-4, 3});
       }},
      {"per_filter", "the product of dims", "8", "the number of weights, 12",
       [] {
         rein::MaxNorm{1, rein::per_filter("oi", {4, 2})}(w);
       }},
      {"tied", "the bias' size", "3", "the number of vectors, 4",
       [] {
         Eigen::VectorXf bias = Eigen::VectorXf::Ones(3);
         rein::MaxNorm{1, per_row}(w, rein::tied(bias));
       }},
      {"only", "an index", "4", ">= 0 and below the number of vectors, 4",
       [] {
         rein::MaxNorm{1, per_row}(w, rein::only({4}));
       }},
      {"rescale", "the number of factors", "4", "the number of vectors, 3",
       [] { rein::rescale(w, per_col, Eigen::ArrayXf::Ones(4)); }},
      {"rescale", "a factor", "-inf", "a finite number",
       [] { rein::rescale(w, per_row, Eigen::ArrayXd::Constant(4, -inf)); }},
      {"rescale", "a factor", "1e+300", "a finite number in the weights' precision",
       [] { rein::rescale(w, per_row, Eigen::ArrayXd::Constant(4, 1e300)); }},
      {"clip_gradient_norm", "limit", "-1", "a finite number >= 0",
       [] { rein::clip_gradient_norm(-1, w); }},
      {"Sgd", "momentum", "-0.5", "a finite number >= 0",
       [] {
         rein::Sgd{w, {.momentum = -0.5}};
       }},
      {"Adam", "beta1", "1", "in [0, 1)",
       [] {
         rein::Adam{w, {.beta1 = 1}};
       }},
      {"Adam", "beta2", "-0.5", "in [0, 1)",
       [] {
         rein::Adam{w, {.beta2 = -0.5}};
       }},
      {"Adam", "the shape of the gradient", "3 x 4", "that of the weights at construction, 4 x 3",
       [] { rein::Adam{w}.step(w, w.transpose()); }},
      {"Sgd", "the shape of the gradient rows", "4 x 3",
       "the number of indices times that of the weights' columns, 1 x 3",
       [] { rein::Sgd{w}.step_rows(w, w, std::vector<int>{1}); }},
  };
  for (const Refused& refused : table) {
    const std::string message = refusal(refused.call);
    CHECK(message == std::string("rein::") + refused.owner + ": " + refused.argument + " is " +
                         refused.value + "; it must be " + refused.rule);
    CHECK(laws::same_bits(w, ones));
  }
}

TEST_CASE("refusals: a tied bias that is part of the weights") {
  const MatrixXd before = laws::filled<MatrixXd>(4, 6, 1);
  MatrixXd w = before;
  RowMajorXd r = before;
  const auto refuses = [&](auto&& weights, auto&& bias) {
    const std::string message = refusal([&] {
      rein::MaxNorm{1e-3, rein::per_row}(weights, rein::tied(bias));
    });
    INFO("\"" << message << "\"");
    CHECK(names(message, "rein::tied", "the bias", "the weights' memory"));
    CHECK(laws::same_bits(w, before));
    CHECK(laws::same_bits(r, before));
  };
  refuses(w, w.col(5));
  refuses(w, w.col(0).reverse());
  refuses(w, w.row(1).head(4));
  refuses(w, w.row(1).transpose().tail(4));
  refuses(w.topRows(4), w.diagonal());
  refuses(w.reverse(), w.col(2));
  refuses(w.reverse(), w.col(2).reverse());
  refuses(w.leftCols(5), w.col(4));
  refuses(w.transpose().topRows(4), w.col(2));
  refuses(w.col(0), w.col(0));
  refuses(w.row(0), w.row(0).head(1));
  refuses(w.row(0), w.row(0).tail(1));
  refuses(w, Eigen::Map<VectorXd>(w.data() + 20, 4));
  refuses(w,
          Eigen::Map<VectorXd, 0, Eigen::InnerStride<>>(w.data() + 1, 4, Eigen::InnerStride<>(5)));
  refuses(r, r.col(5));
  refuses(r.leftCols(5), r.col(4));
  refuses(r.bottomRows(3), r.row(3).head(3));
  // Strides by which entries overlap: 4 is two columns on, and 1 between rows that begin at 3
  // and 6.
  using AnyStride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  refuses(Eigen::Map<MatrixXd, 0, AnyStride>(w.data(), 3, 3, AnyStride(2, 3)),
          Eigen::Map<VectorXd, 0, Eigen::InnerStride<>>(w.data() + 4, 3, Eigen::InnerStride<>(9)));
  // One entry in common is enough.
  refuses(w.leftCols(2), Eigen::Map<VectorXd>(w.data() + 7, 4));
  refuses(Eigen::Map<MatrixXd, 0, AnyStride>(w.data(), 4, 3, AnyStride(1, 4)), w.row(2).head(4));
  // Half an entry in common, too.
  std::vector<float> parts(12, 1);
  const auto at = [&](std::size_t part) {
    return reinterpret_cast<std::complex<float>*>(&parts[part]);
  };
  refuses(Eigen::Map<Eigen::MatrixXcf>(at(0), 2, 3), Eigen::Map<Eigen::VectorXcf>(at(1), 2));
  CHECK(parts == std::vector<float>(12, 1));
}

// Weights and bias in one matrix, each unit's bias in its row or column, are laid out as many keep
// them: x with a 1 appended.
TEST_CASE("refusals: a tied bias beside the weights in one matrix is taken") {
  const auto takes = [](auto& all, auto&& weights, auto&& bias) {
    laws::fill(all, 1);
    const MatrixXd all_before = all, weights_before = weights;
    const VectorXd bias_before = bias.size() == 1 ? VectorXd(bias) : VectorXd(bias.reshaped());
    MatrixXd apart = weights_before;
    VectorXd bias_apart = bias_before;
    const rein::MaxNorm max_norm{0.5, rein::per_row};
    max_norm(apart, rein::tied(bias_apart));
    CHECK(max_norm(weights, rein::tied(bias)).changed > 0);
    CHECK(laws::deviation(MatrixXd(weights), apart) <= 1e-15);
    CHECK(laws::deviation(VectorXd(bias.reshaped()), bias_apart) <= 1e-15);
    CHECK((all.array() != all_before.array()).count() <= weights.size() + bias.size());
  };
  MatrixXd w(4, 6);
  RowMajorXd r(4, 6);
  takes(w, w.leftCols(5), w.col(5));
  takes(w, w.rightCols(5), w.col(0));
  takes(r, r.leftCols(5), r.col(5));
  takes(r, r.leftCols(5), r.col(5).transpose());
  takes(r, r.leftCols(5), r.col(5).reverse());
  takes(r, r.leftCols(5).reverse(), r.col(5));
  takes(r, r.leftCols(5).reverse(), r.col(5).reverse());
  takes(r, r.leftCols(5),
        Eigen::Map<VectorXd, 0, Eigen::InnerStride<>>(r.data() + 5, 4, Eigen::InnerStride<>(6)));
  // Between the entries of the weights.
  takes(r, Eigen::Map<MatrixXd, 0, Eigen::InnerStride<2>>(r.data(), 4, 3),
        Eigen::Map<VectorXd, 0, Eigen::InnerStride<2>>(r.data() + 1, 4));
  takes(w, w.topRows(3).transpose(), w.row(3));
  takes(w, w.topRows(3).transpose(), w.row(3).transpose());
  takes(w, w.row(0), w.block(3, 2, 1, 1).col(0));
  takes(w, w.row(0).transpose(), w.row(1).transpose());
}

namespace {

template <class Optimizer>
MatrixXd first_state(const Optimizer& optimizer) {
  if constexpr (requires { optimizer.momentum(); }) {
    return optimizer.momentum();
  } else {
    return optimizer.first_moment();
  }
}

// A step whose constraint does not fit, found out within others that are put together.
template <class MakeOptimizer>
void an_unfit_part_changes_nothing(const MakeOptimizer& make) {
  const auto unfit_filter = rein::MaxNorm{1.0, rein::per_filter("oi", {3, 5})};
  const auto unfit_normal = rein::Halfspace{Eigen::Vector2d(1, 1), 0.0, rein::per_row};
  const auto check = [&](auto constraint) {
    MatrixXd w = laws::filled<MatrixXd>(3, 4, 1);
    const MatrixXd before = w, gradient = laws::filled<MatrixXd>(3, 4, 10);
    auto optimizer = make(w, constraint);
    const MatrixXd state = first_state(optimizer);
    CHECK(names(refusal([&] { optimizer.step(w, gradient); }), "rein::"));
    CHECK(names(refusal([&] { optimizer.step_rows(w, gradient.topRows(1), std::vector<int>{1}); }),
                "rein::"));
    CHECK(names(refusal([&] { optimizer.constraint()(w); }), "rein::"));
    CHECK(laws::same_bits(w, before));
    CHECK(optimizer.steps() == 0);
    CHECK(laws::same_bits(first_state(optimizer), state));
  };
  check(unfit_filter);
  check(rein::in_order(rein::NonNegative{}, unfit_filter));
  check(rein::in_order(rein::MaxNorm{0.1, rein::per_row}, unfit_normal));
  check(rein::every(3, unfit_filter));
  check(rein::in_order(rein::NonNegative{}, rein::every(2, rein::in_order(unfit_normal))));
}

}  // namespace

TEST_CASE("refusals: a constraint that does not fit, within in_order or every") {
  an_unfit_part_changes_nothing([](auto& w, auto constraint) {
    return rein::Sgd{w, {.momentum = 0.9}, constraint};
  });
  an_unfit_part_changes_nothing([](auto& w, auto constraint) {
    return rein::Adam{w, {.amsgrad = true}, constraint};
  });
}

TEST_CASE("refusals: every() does not count a call that is refused") {
  MatrixXf w = MatrixXf::Ones(2, 3);
  auto second = rein::every(2, rein::MaxNorm{1.0, rein::per_filter("oi", {2, 3})});
  second(w);
  MatrixXf other = MatrixXf::Ones(2, 2);
  CHECK(names(refusal([&] { second(other); }), "rein::per_filter"));
  CHECK(second.calls() == 1);
  CHECK(second(w).changed == 2);
}

// A refused step that made the momentum buffer left the next one to dampen its first gradient.
TEST_CASE("refusals: a refused step does not begin the momentum") {
  const auto options = rein::SgdOptions{.learning_rate = 0.1, .momentum = 0.5, .dampening = 0.75};
  MatrixXd w = MatrixXd::Ones(3, 4);
  const MatrixXd gradient = MatrixXd::Ones(3, 4);
  rein::Sgd sgd{w, {.learning_rate = 0}, rein::MaxNorm{100.0, rein::per_filter("oi", {3, 4})}};
  sgd.step(w, gradient);
  sgd.options() = options;
  sgd.constraint() = rein::MaxNorm{100.0, rein::per_filter("oi", {3, 5})};
  CHECK(names(refusal([&] { sgd.step(w, gradient); }), "rein::per_filter"));
  CHECK(sgd.momentum().size() == 0);
  sgd.constraint() = rein::MaxNorm{100.0, rein::per_filter("oi", {3, 4})};
  sgd.step(w, gradient);
  CHECK(laws::deviation(w, MatrixXd::Constant(3, 4, 0.9)) <= 1e-15);
}

// An own constraint joins in by a check_weights(weights) const.
TEST_CASE("refusals: an own constraint can refuse before the step") {
  struct OnlyThreeRows {
    void check_weights(const MatrixXd& w) const {
      if (w.rows() != 3) throw std::invalid_argument("not three rows");
    }
    void operator()(MatrixXd& w) const { w.setZero(); }
  };
  MatrixXd w = MatrixXd::Ones(2, 2);
  const MatrixXd before = w;
  rein::Adam adam{w, {}, rein::in_order(OnlyThreeRows{})};
  CHECK(refusal([&] { adam.step(w, before); }) == "not three rows");
  CHECK(laws::same_bits(w, before));
  CHECK(adam.steps() == 0);
}

TEST_CASE("refusals: where an own constraint throws, the step has been taken") {
  struct Thrower {
    void operator()(MatrixXd&) const { throw std::invalid_argument("no"); }
  };
  MatrixXd w = laws::filled<MatrixXd>(2, 3, 1), expected = w;
  const MatrixXd gradient = laws::filled<MatrixXd>(2, 3, 10);
  rein::Adam thrower{w, {.learning_rate = 0.1}, Thrower{}};
  rein::Adam plain{expected, {.learning_rate = 0.1}};
  CHECK(refusal([&] { thrower.step(w, gradient); }) == "no");
  plain.step(expected, gradient);
  CHECK(laws::same_bits(w, expected));
  CHECK(thrower.steps() == 1);
  CHECK(laws::same_bits(thrower.first_moment(), plain.first_moment()));
}

// A product is evaluated before anything is written; std::bad_alloc may come of that.
TEST_CASE("refusals: where evaluating the gradient throws, nothing has changed") {
  MatrixXd w = laws::filled<MatrixXd>(4, 3, 1);
  const MatrixXd before = w, inputs = laws::filled<MatrixXd>(4, 3, 2);
  const auto throws = MatrixXd::NullaryExpr(
      4, 4, [](Index, Index) -> double { throw std::invalid_argument("no"); });
  rein::Sgd sgd{w, {.momentum = 0.9}};
  rein::Adam adam{w};
  CHECK(refusal([&] { sgd.step(w, throws * inputs); }) == "no");
  CHECK(refusal([&] { adam.step(w, throws * inputs); }) == "no");
  CHECK(refusal([&] { adam.step_rows(w, throws * inputs, std::vector<int>{3, 2, 1, 0}); }) == "no");
  CHECK(laws::same_bits(w, before));
  CHECK(sgd.steps() == 0);
  CHECK(adam.steps() == 0);
}

TEST_CASE("refusals: a gradient in the memory of weights that are read backwards") {
  VectorXd w = laws::filled<VectorXd>(9, 1, 1);
  const VectorXd before = w;
  rein::Sgd sgd{w};
  CHECK(names(refusal([&] { sgd.step(w.reverse(), w); }), "the gradient", "the weights' memory"));
  CHECK(laws::same_bits(w, before));
}
