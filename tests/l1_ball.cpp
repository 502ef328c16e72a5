#include <rein/l1_ball.hpp>
#include <rein/sgd.hpp>

#include "projection_laws.hpp"
#include "projection_sets.hpp"
#include "refusal.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  const oracle::Format format = oracle::format_of<Scalar>();
  const double tiny = laws::strict ? 4 * format.smallest() : 0.01;
  for (const double radius : {3.0, 0.0, 0.1, 300.0, tiny, format.largest()}) {
    INFO("radius " << radius);
    laws::obey_set_everywhere<Scalar>(
        radius, 6, [&](Eigen::Index) { return laws::ball(radius); },
        [&](const auto& grouping, Eigen::Index) {
          return rein::L1Ball{radius, grouping};
        });
  }
}

}  // namespace

TEST_CASE("l1_ball obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("l1_ball obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("l1_ball obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("l1_ball obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("l1_ball: a vector outside loses the same from each entry, or becomes sparse") {
  Eigen::Matrix<double, 4, 3> w;
  w << 3, -2, 0.5, 1, -0.5, 0, 4, 4, -4, 0, 0, -7;
  const rein::L1Ball l1_ball{2.0, rein::per_row};
  const rein::Report report = l1_ball(w);
  CHECK(w.row(0) == Eigen::RowVector3d(1.5, -0.5, 0));
  CHECK(w.row(1) == Eigen::RowVector3d(1, -0.5, 0));
  CHECK((w.row(2) - Eigen::RowVector3d(2, 2, -2) / 3).cwiseAbs().maxCoeff() < 1e-15);
  CHECK(w.row(3) == Eigen::RowVector3d(0, 0, -2));
  CHECK(report == rein::Report{.checked = 4, .changed = 3});
  CHECK(l1_ball(w).changed == 0);
}

TEST_CASE("l1_ball: entries far beyond the radius, and sums beyond the largest number") {
  Eigen::Matrix<double, 3, 3> w;
  w << 1e308, -1e308, 1e308, 1e300, 1, -1, 1.5e-320, 1e-320, 0;
  rein::L1Ball{1.5, rein::per_row}(w);
  CHECK(w.row(0) == Eigen::RowVector3d(0.5, -0.5, 0.5));
  CHECK(w.row(1) == Eigen::RowVector3d(1.5, 0, 0));
  if (laws::strict) CHECK(w.row(2) == Eigen::RowVector3d(1.5e-320, 1e-320, 0));
  Eigen::Vector3d v(1.5e308, 1e308, -1e308);
  const rein::L1Ball large{1.5e308, rein::per_col};
  CHECK(large(v).changed == 1);
  CHECK(std::abs(v(0) - 2.5e307 / 0.3) < 1e293);
  CHECK(large(v).changed == 0);
}

// Added to the first one, each of the others would be lost.
TEST_CASE("l1_ball: many small entries beside a large one count") {
  Eigen::VectorXd w = Eigen::VectorXd::Constant(1000001, 1.0 / 32);
  w(0) = 0x1p53;
  const rein::L1Ball exceeded{0x1p53 + 30250, rein::whole}, kept{0x1p53 + 31350, rein::whole};
  CHECK(kept(w).changed == 0);
  CHECK(exceeded(w).changed == 1);
}

TEST_CASE("l1_ball: long vectors") {
  laws::long_vectors_obey(laws::ball, [](double size) { return rein::L1Ball{size, rein::whole}; });
}

TEST_CASE("l1_ball: entries without addresses") {
  Eigen::RowVector3f w(0.5f, -2, 3);
  CHECK(rein::L1Ball{2, rein::per_row}(w.reverse()).changed == 1);
  CHECK(w == Eigen::RowVector3f(0, -0.5f, 1.5f));
}

TEST_CASE("l1_ball: after an optimizer's step") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(2, 3, 0.5f);
  const Eigen::MatrixXf gradient{{-1, 0, 0}, {0, 0, 0}};
  rein::Sgd sgd{w, {.learning_rate = 1}, rein::L1Ball{1.75, rein::per_row}};
  const rein::Report report = sgd.step(w, gradient);
  CHECK(w.row(0) == Eigen::RowVector3f(1.25f, 0.25f, 0.25f));
  CHECK(w.row(1) == Eigen::RowVector3f::Constant(0.5f));
  CHECK(report == rein::Report{.checked = 2, .changed = 1});
}

TEST_CASE("l1_ball: invalid radii are refused") {
  const auto with = [](double radius) {
    return refusal([&] { rein::L1Ball(radius, rein::whole); });
  };
  CHECK(names(with(-1), "rein::L1Ball", "radius is -1", "finite number >= 0"));
  CHECK(names(with(std::numeric_limits<double>::quiet_NaN()), "nan"));
  CHECK(names(with(std::numeric_limits<double>::infinity()), "inf"));
  CHECK(with(0) == "");
}
