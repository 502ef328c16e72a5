#include <rein/adam.hpp>

#include "optimizer_laws.hpp"

namespace {

struct AdamKind {
  using Options = rein::AdamOptions;

  static Options typical() {
    return {.learning_rate = 0.05,
            .beta1 = 0.8,
            .beta2 = 0.95,
            .epsilon = 1e-3,
            .weight_decay = 0.03,
            .amsgrad = true};
  }

  template <class Weights, class... Constraint>
  static auto make(const Weights& w, const Options& options, Constraint... constraint) {
    return rein::Adam{w, options, constraint...};
  }

  template <class Adam>
  static laws::Entries state(const Adam& adam, const std::string& what) {
    return what == "first_moment"    ? adam.first_moment()
           : what == "second_moment" ? adam.second_moment()
                                     : adam.max_second_moment();
  }

  template <class Adam>
  static std::vector<laws::Entries> state(const Adam& adam) {
    return {state(adam, "first_moment"), state(adam, "second_moment"),
            state(adam, "max_second_moment")};
  }

  template <class Adam>
  static void restore(const Adam& saved, Adam& resumed) {
    resumed.first_moment() = saved.first_moment();
    resumed.second_moment() = saved.second_moment();
    resumed.max_second_moment() = saved.max_second_moment();
    resumed.steps() = saved.steps();
  }

  static std::vector<Options> resumed() {
    return {typical(),
            {.learning_rate = 0.05, .weight_decay = 0.1, .decoupled_weight_decay = true},
            {.maximize = true}};
  }

  static void begin_after_6_steps(Options& options, int step) { options.amsgrad = step >= 6; }

  static Options options(const golden::Trajectory& t) {
    const Options defaults;
    return {
        .learning_rate = t.option("learning_rate", defaults.learning_rate),
        .beta1 = t.option("beta1", defaults.beta1),
        .beta2 = t.option("beta2", defaults.beta2),
        .epsilon = t.option("epsilon", defaults.epsilon),
        .weight_decay = t.option("weight_decay", defaults.weight_decay),
        .decoupled_weight_decay = t.option("decoupled_weight_decay", 0) != 0,
        .amsgrad = t.option("amsgrad", 0) != 0,
        .maximize = t.option("maximize", 0) != 0,
    };
  }

  /// One entry at a time, after the documentation of torch.optim.Adam and AdamW.
  struct Reference {
    struct Moments {
      long double first = 0, second = 0, max_second = 0;
    };

    Reference(Eigen::Index size, const Options& o)
        : options(o), moments(static_cast<std::size_t>(size)) {}

    void begin_step() {
      beta1_to_t *= options.beta1;
      beta2_to_t *= options.beta2;
    }

    long double updated(Eigen::Index k, long double w, long double g) {
      Moments& m = moments[static_cast<std::size_t>(k)];
      const long double beta1 = options.beta1, beta2 = options.beta2;
      if (options.maximize) g = -g;
      if (options.decoupled_weight_decay) {
        w -= options.learning_rate * options.weight_decay * w;
      } else {
        g += options.weight_decay * w;
      }
      m.first = beta1 * m.first + (1 - beta1) * g;
      m.second = beta2 * m.second + (1 - beta2) * g * g;
      m.max_second = std::max(m.max_second, m.second);
      const long double second = (options.amsgrad ? m.max_second : m.second) / (1 - beta2_to_t);
      return w - options.learning_rate * (m.first / (1 - beta1_to_t)) /
                     (std::sqrt(second) + options.epsilon);
    }

    Options options;
    long double beta1_to_t = 1, beta2_to_t = 1;
    std::vector<Moments> moments;
  };
};

}  // namespace

TEST_CASE("adam follows PyTorch's trajectories") {
  CHECK(laws::golden_trajectories_are_followed<AdamKind, double>("adam.txt", "double", 1e-12) ==
        66);
  CHECK(laws::golden_trajectories_are_followed<AdamKind, float>("adam.txt", "float", 1e-5) == 8);
}

TEST_CASE("adam: every kind of W takes the same steps") {
  laws::every_view_takes_the_same_steps<AdamKind, float>();
}

TEST_CASE("adam: a parameter of the other storage order") {
  laws::the_other_storage_order_takes_the_same_steps<AdamKind>();
}

TEST_CASE("adam: every size takes the same steps") {
  laws::every_size_takes_the_same_steps<AdamKind, laws::ColMajor<float>>();
  laws::every_size_takes_the_same_steps<AdamKind, laws::RowMajor<double>>();
}

TEST_CASE("adam: the gradient may be an expression") {
  laws::gradients_may_be_expressions<AdamKind, double>();
}

TEST_CASE("adam: vectors and empty weights") { laws::vectors_and_empty_weights<AdamKind>(); }

TEST_CASE("adam: a wrong shape changes nothing") { laws::wrong_shapes_change_nothing<AdamKind>(); }

TEST_CASE("adam: a gradient in the weights' memory is refused") {
  laws::a_gradient_in_the_weights_is_refused<AdamKind>();
}

TEST_CASE("adam: an unfit constraint changes nothing") {
  laws::an_unfit_constraint_changes_nothing<AdamKind, laws::RowMajor<float>>();
}

TEST_CASE("adam: users' constraints are applied") {
  laws::users_constraints_are_applied<AdamKind>();
}

TEST_CASE("adam: the constraint is applied at every step (Keras#18883)") {
  laws::the_constraint_is_applied_at_every_step<AdamKind, float>();
  laws::the_constraint_is_applied_at_every_step<AdamKind, double>();
}

TEST_CASE("adam: the report is the constraint's") {
  laws::the_report_is_the_constraints<AdamKind>();
}

TEST_CASE("adam: a fused constraint equals a separate one") {
  laws::a_fused_constraint_equals_a_separate_one<AdamKind, laws::RowMajor<float>>();
}

TEST_CASE("adam: listed rows take the steps") {
  laws::listed_rows_take_the_steps<AdamKind, laws::RowMajor<double>>(9, 12);
  laws::listed_rows_take_the_steps<AdamKind, laws::RowMajor<double>>(6, 2050);
  laws::listed_rows_take_the_steps<AdamKind, laws::ColMajor<float>>(7, 33);
}

TEST_CASE("adam: unfit rows change nothing") { laws::unfit_rows_change_nothing<AdamKind>(); }

TEST_CASE("adam: listed rows and other constraints") {
  laws::listed_rows_and_other_constraints<AdamKind>();
}

TEST_CASE("adam: schedules take effect at the next step") {
  laws::schedules_take_effect_at_the_next_step<AdamKind>();
}

TEST_CASE("adam: a resumed run continues bit for bit") {
  laws::a_resumed_run_continues_bit_for_bit<AdamKind, laws::ColMajor<float>>();
  laws::a_resumed_run_continues_bit_for_bit<AdamKind, laws::RowMajor<double>>();
}

TEST_CASE("adam: after_projection needs a norm constraint") {
  laws::after_projection_needs_a_norm_constraint<AdamKind>();
}

TEST_CASE("adam: parameters do not disturb each other") {
  laws::parameters_do_not_disturb_each_other<AdamKind>();
}

// MiniDNN and tiny-dnn again, in the numbers a reader can check: the first step of Adam moves every
// entry by the learning rate. With beta^t one tensor too far it would be (1 - beta1) / (1 -
// beta1^2) times sqrt((1 - beta2^2) / (1 - beta2)), 0.744 of it, in the second parameter, and less
// in the next.
TEST_CASE("adam: the first step is the learning rate in every parameter") {
  std::vector<Eigen::MatrixXd> parameters(5, Eigen::MatrixXd::Zero(3, 2));
  std::vector<rein::Adam<Eigen::MatrixXd>> optimizers;
  for (Eigen::MatrixXd& w : parameters)
    optimizers.push_back(rein::Adam{w, rein::AdamOptions{.learning_rate = 0.5}});
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    optimizers[p].step(parameters[p], Eigen::MatrixXd::Constant(3, 2, p % 2 == 0 ? 3.0 : -0.25));
    const double expected = p % 2 == 0 ? -0.5 : 0.5;
    CHECK((parameters[p].array() - expected).abs().maxCoeff() <= 1e-7);
  }
}

TEST_CASE("adam: a learning rate of zero keeps the bits") {
  laws::a_learning_rate_of_zero_keeps_the_bits<AdamKind, float>();
  laws::a_learning_rate_of_zero_keeps_the_bits<AdamKind, double>();
}

TEST_CASE("adam: without a gradient there is no step, not 0 / 0") {
  auto w = laws::filled<Eigen::MatrixXf>(4, 7, 1);
  const Eigen::MatrixXf before = w;
  rein::Adam adam{w};
  for (int k = 0; k < 3; ++k) adam.step(w, Eigen::MatrixXf::Zero(4, 7));
  CHECK(laws::same_bits(w, before));
  CHECK(adam.steps() == 3);
}

TEST_CASE("adam: invalid options are refused") {
  using Options = rein::AdamOptions;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   inf = std::numeric_limits<double>::infinity();
  laws::invalid_options_are_refused<AdamKind>({
      {[](Options& o) { o.learning_rate = -0.5; }, "learning_rate", "-0.5"},
      {[](Options& o) { o.learning_rate = nan; }, "learning_rate", "nan"},
      {[](Options& o) { o.learning_rate = inf; }, "learning_rate", "inf"},
      {[](Options& o) { o.beta1 = -0.25; }, "beta1", "-0.25"},
      {[](Options& o) { o.beta1 = 1; }, "beta1", "1"},
      {[](Options& o) { o.beta1 = nan; }, "beta1", "nan"},
      {[](Options& o) { o.beta2 = -0.125; }, "beta2", "-0.125"},
      {[](Options& o) { o.beta2 = 1.5; }, "beta2", "1.5"},
      {[](Options& o) { o.beta2 = nan; }, "beta2", "nan"},
      {[](Options& o) { o.epsilon = -0.75; }, "epsilon", "-0.75"},
      {[](Options& o) { o.epsilon = nan; }, "epsilon", "nan"},
      {[](Options& o) { o.epsilon = inf; }, "epsilon", "inf"},
      {[](Options& o) { o.weight_decay = -0.125; }, "weight_decay", "-0.125"},
      {[](Options& o) { o.weight_decay = nan; }, "weight_decay", "nan"},
      {[](Options& o) { o.weight_decay = inf; }, "weight_decay", "inf"},
  });
}

// A square root that Eigen 3.4 approximates gave NaN for Inf, in all entries but those left over
// at the end of a vector register. With PyTorch an overflowing second moment stops the entry.
TEST_CASE("adam: a gradient whose square overflows does not spoil W") {
  const auto stays = [](auto w, double large) {
    laws::fill(w, 1);
    using Scalar = typename decltype(w)::Scalar;
    const auto before = w;
    rein::Adam adam{w};
    for (int k = 0; k < 3; ++k)
      adam.step(w, decltype(w)::Constant(w.rows(), w.cols(), static_cast<Scalar>(large)));
    CHECK(laws::same_bits(w, before));
  };
  stays(Eigen::MatrixXf(9, 5), 1e30);
  stays(Eigen::MatrixXd(9, 5), 1e200);
}

TEST_CASE("adam: a restored state of another shape is refused") {
  auto w = laws::filled<Eigen::MatrixXd>(3, 4, 1);
  const Eigen::MatrixXd before = w, gradient = laws::filled<Eigen::MatrixXd>(3, 4, 10);
  const auto refused = [&](auto part, const char* name) {
    rein::Adam adam{w, {.amsgrad = true}};
    (adam.*part)() = Eigen::MatrixXd::Zero(4, 4);
    const std::string message = refusal([&] { adam.step(w, gradient); });
    INFO(message);
    CHECK(names(message, name, "4 x 4", "3 x 4"));
    CHECK(laws::same_bits(w, before));
    CHECK(adam.steps() == 0);
  };
  using Adam = rein::Adam<Eigen::MatrixXd>;
  using Part = Eigen::MatrixXd& (Adam::*)();
  refused(static_cast<Part>(&Adam::first_moment), "first_moment()");
  refused(static_cast<Part>(&Adam::second_moment), "second_moment()");
  refused(static_cast<Part>(&Adam::max_second_moment), "max_second_moment()");
}

TEST_CASE("adam: the options and the constraint may be left out") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(2, 3, 1.0f);
  rein::Adam by_default{w};
  by_default.step(w, Eigen::MatrixXf::Constant(2, 3, 10.0f));
  CHECK(std::abs(w(1, 2) - 0.999f) <= 1e-6f);
  CHECK(by_default.options().beta2 == 0.999);

  rein::Adam with_options{w, {.learning_rate = 0.5}};
  const rein::Report report = with_options.step(w, Eigen::MatrixXf::Constant(2, 3, 1.0f));
  CHECK(std::abs(w(1, 2) - 0.499f) <= 1e-6f);
  CHECK(report.changed == 0);

  rein::Adam with_all{w, {.learning_rate = 0.1}, rein::MaxNorm{0.5, rein::per_row}};
  CHECK(with_all.step(w, Eigen::MatrixXf::Zero(2, 3)).changed == 2);
}
