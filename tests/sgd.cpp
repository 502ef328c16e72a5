#include <rein/sgd.hpp>

#include "optimizer_laws.hpp"

namespace {

struct SgdKind {
  using Options = rein::SgdOptions;

  static Options typical() {
    return {.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.25, .weight_decay = 0.03};
  }

  template <class Weights, class... Constraint>
  static auto make(const Weights& w, const Options& options, Constraint... constraint) {
    return rein::Sgd{w, options, constraint...};
  }

  template <class Sgd>
  static laws::Entries state(const Sgd& sgd, const std::string& what) {
    REQUIRE(what == "momentum");
    return sgd.momentum();
  }

  template <class Sgd>
  static std::vector<laws::Entries> state(const Sgd& sgd) {
    return {state(sgd, "momentum")};
  }

  template <class Sgd>
  static void restore(const Sgd& saved, Sgd& resumed) {
    resumed.momentum() = saved.momentum();
    resumed.steps() = saved.steps();
  }

  static std::vector<Options> resumed() {
    return {typical(), {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .maximize = true}};
  }

  static void begin_after_6_steps(Options& options, int step) {
    options.momentum = step < 6 ? 0 : 0.9;
    options.nesterov = options.nesterov && step >= 6;
  }

  static Options options(const golden::Trajectory& t) {
    const Options defaults;
    return {
        .learning_rate = t.option("learning_rate", defaults.learning_rate),
        .momentum = t.option("momentum", defaults.momentum),
        .dampening = t.option("dampening", defaults.dampening),
        .weight_decay = t.option("weight_decay", defaults.weight_decay),
        .nesterov = t.option("nesterov", 0) != 0,
        .maximize = t.option("maximize", 0) != 0,
    };
  }

  /// One entry at a time, after the documentation of torch.optim.SGD.
  struct Reference {
    Reference(Eigen::Index size, const Options& o)
        : options(o), buffer(static_cast<std::size_t>(size)) {}

    void begin_step() { ++t; }

    long double updated(Eigen::Index k, long double w, long double g) {
      if (options.maximize) g = -g;
      g += options.weight_decay * w;
      if (options.momentum != 0) {
        long double& b = buffer[static_cast<std::size_t>(k)];
        b = t == 1 ? g
                   : options.momentum * b + (1 - static_cast<long double>(options.dampening)) * g;
        g = options.nesterov ? g + options.momentum * b : b;
      }
      return w - options.learning_rate * g;
    }

    Options options;
    int t = 0;
    std::vector<long double> buffer;
  };
};

}  // namespace

TEST_CASE("sgd follows PyTorch's trajectories") {
  CHECK(laws::golden_trajectories_are_followed<SgdKind, double>("sgd.txt", "double", 1e-12) == 46);
  CHECK(laws::golden_trajectories_are_followed<SgdKind, float>("sgd.txt", "float", 1e-5) == 8);
}

TEST_CASE("sgd: every kind of W takes the same steps") {
  laws::every_view_takes_the_same_steps<SgdKind, double>();
}

TEST_CASE("sgd: a parameter of the other storage order") {
  laws::the_other_storage_order_takes_the_same_steps<SgdKind>();
}

TEST_CASE("sgd: every size takes the same steps") {
  laws::every_size_takes_the_same_steps<SgdKind, laws::ColMajor<float>>();
  laws::every_size_takes_the_same_steps<SgdKind, laws::RowMajor<double>>();
}

TEST_CASE("sgd: the gradient may be an expression") {
  laws::gradients_may_be_expressions<SgdKind, double>();
}

TEST_CASE("sgd: vectors and empty weights") { laws::vectors_and_empty_weights<SgdKind>(); }

TEST_CASE("sgd: a wrong shape changes nothing") { laws::wrong_shapes_change_nothing<SgdKind>(); }

TEST_CASE("sgd: a gradient in the weights' memory is refused") {
  laws::a_gradient_in_the_weights_is_refused<SgdKind>();
}

TEST_CASE("sgd: an unfit constraint changes nothing") {
  laws::an_unfit_constraint_changes_nothing<SgdKind, laws::ColMajor<double>>();
}

TEST_CASE("sgd: users' constraints are applied") { laws::users_constraints_are_applied<SgdKind>(); }

TEST_CASE("sgd: the constraint is applied at every step (Keras#18883)") {
  laws::the_constraint_is_applied_at_every_step<SgdKind, float>();
  laws::the_constraint_is_applied_at_every_step<SgdKind, double>();
}

TEST_CASE("sgd: the report is the constraint's") { laws::the_report_is_the_constraints<SgdKind>(); }

TEST_CASE("sgd: a fused constraint equals a separate one") {
  laws::a_fused_constraint_equals_a_separate_one<SgdKind, laws::ColMajor<double>>();
}

TEST_CASE("sgd: listed rows take the steps") {
  laws::listed_rows_take_the_steps<SgdKind, laws::RowMajor<float>>(9, 12);
  laws::listed_rows_take_the_steps<SgdKind, laws::RowMajor<float>>(6, 2050);
  laws::listed_rows_take_the_steps<SgdKind, laws::ColMajor<double>>(7, 33);
}

TEST_CASE("sgd: unfit rows change nothing") { laws::unfit_rows_change_nothing<SgdKind>(); }

TEST_CASE("sgd: listed rows and other constraints") {
  laws::listed_rows_and_other_constraints<SgdKind>();
}

TEST_CASE("sgd: schedules take effect at the next step") {
  laws::schedules_take_effect_at_the_next_step<SgdKind>();
}

TEST_CASE("sgd: a resumed run continues bit for bit") {
  laws::a_resumed_run_continues_bit_for_bit<SgdKind, laws::ColMajor<float>>();
  laws::a_resumed_run_continues_bit_for_bit<SgdKind, laws::RowMajor<double>>();
}

TEST_CASE("sgd: after_projection needs a norm constraint") {
  laws::after_projection_needs_a_norm_constraint<SgdKind>();
}

TEST_CASE("sgd: parameters do not disturb each other") {
  laws::parameters_do_not_disturb_each_other<SgdKind>();
}

TEST_CASE("sgd: a learning rate of zero keeps the bits") {
  laws::a_learning_rate_of_zero_keeps_the_bits<SgdKind, float>();
  laws::a_learning_rate_of_zero_keeps_the_bits<SgdKind, double>();
}

TEST_CASE("sgd: invalid options are refused") {
  using Options = rein::SgdOptions;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   inf = std::numeric_limits<double>::infinity();
  laws::invalid_options_are_refused<SgdKind>({
      {[](Options& o) { o.learning_rate = -0.5; }, "learning_rate", "-0.5"},
      {[](Options& o) { o.learning_rate = nan; }, "learning_rate", "nan"},
      {[](Options& o) { o.learning_rate = inf; }, "learning_rate", "inf"},
      {[](Options& o) { o.momentum = -0.25; }, "momentum", "-0.25"},
      {[](Options& o) { o.momentum = nan; }, "momentum", "nan"},
      {[](Options& o) { o.momentum = inf; }, "momentum", "inf"},
      {[](Options& o) { o.dampening = nan; }, "dampening", "nan"},
      {[](Options& o) { o.weight_decay = -0.125; }, "weight_decay", "-0.125"},
      {[](Options& o) { o.weight_decay = nan; }, "weight_decay", "nan"},
      {[](Options& o) { o.weight_decay = inf; }, "weight_decay", "inf"},
      {[](Options& o) { o.nesterov = true, o.dampening = 0, o.momentum = 0; }, "momentum", "0"},
      {[](Options& o) { o.nesterov = true, o.dampening = 0.25; }, "dampening", "0.25"},
  });
}

TEST_CASE("sgd: a restored state of another shape is refused") {
  auto w = laws::filled<Eigen::MatrixXd>(3, 4, 1);
  const Eigen::MatrixXd before = w, gradient = laws::filled<Eigen::MatrixXd>(3, 4, 10);
  rein::Sgd sgd{w, {.momentum = 0.9}};
  sgd.momentum() = Eigen::MatrixXd::Zero(4, 4);
  const std::string message = refusal([&] { sgd.step(w, gradient); });
  INFO(message);
  CHECK(names(message, "momentum()", "4 x 4", "3 x 4"));
  CHECK(laws::same_bits(w, before));
  CHECK(sgd.steps() == 0);
}

// torch.optim.SGD makes the buffer at the first step that uses it, and does not dampen that step,
// however many went before it without momentum.
TEST_CASE("sgd: the buffer begins where momentum begins") {
  const Eigen::MatrixXd gradient = laws::filled<Eigen::MatrixXd>(3, 4, 10);
  const auto steps_with = [&](const rein::SgdOptions& at_construction) {
    Eigen::MatrixXd w = laws::filled<Eigen::MatrixXd>(3, 4, 1), expected = w - 0.2 * gradient;
    rein::Sgd sgd{w, at_construction};
    sgd.options() = {.learning_rate = 0.1};
    sgd.step(w, gradient);
    sgd.step(w, gradient);
    CHECK(laws::deviation(w, expected) <= 1e-15);
    sgd.options() = {.learning_rate = 0.1, .momentum = 0.5, .dampening = 0.75};
    sgd.step(w, gradient);
    expected -= 0.1 * gradient;
    CHECK(laws::deviation(w, expected) <= 1e-15);
    sgd.step(w, gradient);
    expected -= 0.1 * (0.5 + 0.25) * gradient;
    CHECK(laws::deviation(w, expected) <= 1e-15);
  };
  SECTION("constructed without it") { steps_with({}); }
  SECTION("constructed with it") { steps_with({.momentum = 0.5}); }
}

// The buffer had been made by the time that the constraint was refused.
TEST_CASE("sgd: a refused step does not begin the buffer") {
  Eigen::MatrixXd w = Eigen::MatrixXd::Ones(2, 2);
  const Eigen::MatrixXd before = w, gradient = Eigen::MatrixXd::Ones(2, 2);
  rein::Sgd sgd{w, {.learning_rate = 0}, rein::MaxNorm{9.0, rein::per_filter("o", {4})}};
  sgd.step(w, gradient);
  sgd.options() = {.learning_rate = 0, .momentum = 0.5, .dampening = 0.75};
  sgd.constraint() = rein::MaxNorm{9.0, rein::per_filter("o", {5})};
  CHECK(refusal([&] { sgd.step(w, gradient); }) != "");
  CHECK(sgd.momentum().size() == 0);
  sgd.constraint() = rein::MaxNorm{9.0, rein::per_filter("o", {4})};
  sgd.step(w, gradient);
  CHECK(sgd.momentum() == gradient);
}

TEST_CASE("sgd: the options and the constraint may be left out") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(2, 3, 1.0f);
  rein::Sgd by_default{w};
  by_default.step(w, Eigen::MatrixXf::Constant(2, 3, 10.0f));
  CHECK(std::abs(w(1, 2) - 0.9f) <= 1e-6f);
  CHECK(by_default.options().momentum == 0);

  rein::Sgd with_options{w, {.learning_rate = 0.5}};
  const rein::Report report = with_options.step(w, Eigen::MatrixXf::Constant(2, 3, 1.0f));
  CHECK(std::abs(w(1, 2) - 0.4f) <= 1e-6f);
  CHECK(report.changed == 0);

  rein::Sgd with_all{w, {.learning_rate = 0.1, .momentum = 0.9}, rein::MaxNorm{0.5, rein::per_row}};
  CHECK(with_all.step(w, Eigen::MatrixXf::Zero(2, 3)).changed == 2);
}

TEST_CASE("sgd: a constraint for far larger weights is refused by the step, not by the memory") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Ones(2, 3);
  const Eigen::MatrixXf before = w;
  rein::Sgd sgd{w,
                {.momentum = 0.9, .after_projection = rein::Momentum::reset},
                rein::MaxNorm{0.5, rein::per_filter("oi", {Eigen::Index(1) << 50, 1})}};
  CHECK(names(refusal([&] { sgd.step(w, Eigen::MatrixXf::Ones(2, 3)); }), "rein::", "6"));
  CHECK(w == before);
}

TEST_CASE("sgd: a row is not a column of any size, and the other way round") {
  using Row = Eigen::RowVectorXf;
  using Column = Eigen::VectorXf;
  CHECK(rein::detail::may_have_shape<Column, Column, Eigen::Dynamic>());
  CHECK(rein::detail::may_have_shape<Eigen::MatrixXf, Column, Eigen::Dynamic>());
  CHECK(!rein::detail::may_have_shape<Row, Column, Eigen::Dynamic>());
  CHECK(!rein::detail::may_have_shape<Column, Row, 1>());
}
