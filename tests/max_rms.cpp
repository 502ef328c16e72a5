#include <cmath>

#include <rein/max_rms.hpp>
#include <rein/sgd.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

// The laws of a norm constraint, with the norm's limit by the length of the vectors.
template <class Scalar>
void obeys_the_laws() {
  laws::Random random(9);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (int k = 0; k < 60; ++k) {
    laws::Plan plan = laws::random_plan({}, random);
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(
        plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
          laws::with_grouping(w, plan, [&](const auto& grouping) {
            INFO(view);
            oracle::Weights weights = oracle::copy_of(w);
            const std::vector<oracle::Places> vectors = oracle::vectors_of(weights, plan.grouping);
            const std::size_t length =
                vectors.front().size() / static_cast<std::size_t>(weights.format.components);
            const double root = std::sqrt(static_cast<double>(length));
            plan.rule.high = 0.75 * root;
            laws::fill(weights, vectors, plan.rule, random);
            oracle::assign(w, weights);
            const rein::MaxRms max_rms{0.75, grouping};
            laws::obey(w, plan.grouping, plan.rule, [&] { return max_rms(w); });
          });
        });
  }
}

}  // namespace

TEST_CASE("max_rms obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("max_rms obeys the laws: complex<float>") { obeys_the_laws<std::complex<float>>(); }

TEST_CASE("max_rms: one limit for vectors of any length") {
  Eigen::Matrix<double, 2, 4> w;
  w << 3, 3, 3, 3, 0, 2, 0, 0;
  const rein::MaxRms max_rms{1.0, rein::per_row};
  const rein::Report report = max_rms(w);
  CHECK(w.row(0) == Eigen::RowVector4d(1, 1, 1, 1));
  CHECK(w.row(1) == Eigen::RowVector4d(0, 2, 0, 0));
  CHECK(report == rein::Report{.checked = 2, .changed = 1, .largest_norm = 6});
  CHECK(max_rms(w).changed == 0);
}

TEST_CASE("max_rms: vectors of one entry, and of none") {
  Eigen::Vector3f w(-2, 0.5f, 4);
  rein::MaxRms{1, rein::per_row}(w);
  CHECK(w == Eigen::Vector3f(-1, 0.5f, 1));
  Eigen::MatrixXf empty(3, 0);
  CHECK(rein::MaxRms{1, rein::per_row}(empty).changed == 0);
}

TEST_CASE("max_rms: the norm's limit is at most the largest double") {
  const double top = std::numeric_limits<double>::max();
  Eigen::Vector4d w(top / 2, -top / 2, top / 2, top / 2);
  CHECK(rein::MaxRms{top, rein::whole}(w).changed == 0);
  CHECK(rein::MaxRms{top / 8, rein::whole}(w).changed == 1);
  CHECK(w.cwiseAbs().maxCoeff() < top / 8 * (1 + 1e-15));
  CHECK(w.cwiseAbs().minCoeff() > top / 8 * (1 - 1e-15));
}

TEST_CASE("max_rms: with a tied bias, on some of the vectors") {
  Eigen::Matrix2d w{{6, 8}, {6, 8}};
  Eigen::Vector2d b(10, 10);
  const rein::Report report =
      rein::MaxRms{std::sqrt(0.5), rein::per_row}(w, rein::tied(b), rein::only({1}));
  CHECK((w - Eigen::Matrix2d{{6, 8}, {0.6, 0.8}}).norm() < 1e-14);
  CHECK((b - Eigen::Vector2d(10, 1)).norm() < 1e-14);
  CHECK(report.checked == 1);
}

TEST_CASE("max_rms: after an optimizer's step") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(2, 4, 1);
  Eigen::MatrixXf gradient = Eigen::MatrixXf::Zero(2, 4);
  gradient.row(1).setConstant(-1);
  rein::Sgd sgd{w, {.learning_rate = 2}, rein::MaxRms{1.5, rein::per_row}};
  CHECK(sgd.step(w, gradient).changed == 1);
  CHECK(w.row(0) == Eigen::RowVector4f::Constant(1));
  CHECK(w.row(1) == Eigen::RowVector4f::Constant(1.5f));
}

TEST_CASE("max_rms: fused with a step, as after it") {
  const Eigen::MatrixXf start = Eigen::MatrixXf::Random(33, 50);
  const Eigen::MatrixXf gradient = Eigen::MatrixXf::Random(33, 50);
  const rein::MaxRms max_rms{0.6, rein::per_row};
  Eigen::MatrixXf fused = start, apart = start;
  rein::Sgd constrained{fused, {.learning_rate = 0.1}, max_rms};
  rein::Sgd plain{apart, {.learning_rate = 0.1}};
  const rein::Report report = constrained.step(fused, gradient);
  plain.step(apart, gradient);
  CHECK(max_rms(apart) == report);
  CHECK(report.changed > 0);
  CHECK(report.changed < 33);
  CHECK(fused == apart);
}

TEST_CASE("max_rms: invalid limits are refused") {
  const auto with = [](double limit) { return refusal([&] { rein::MaxRms(limit, rein::whole); }); };
  CHECK(names(with(-1), "rein::MaxRms", "limit is -1", "finite number >= 0"));
  CHECK(names(with(std::numeric_limits<double>::quiet_NaN()), "nan"));
  CHECK(names(with(std::numeric_limits<double>::infinity()), "inf"));
  CHECK(rein::MaxRms{0, rein::per_col}.limit() == 0);
}
