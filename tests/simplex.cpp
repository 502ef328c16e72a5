#include <rein/sgd.hpp>
#include <rein/simplex.hpp>

#include "projection_laws.hpp"
#include "projection_sets.hpp"
#include "refusal.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  const oracle::Format format = oracle::format_of<Scalar>();
  const double tiny = laws::strict ? 4 * format.smallest() : 0.01;
  for (const double sum : {1.0, 0.0, 300.0, tiny, format.largest()}) {
    INFO("sum " << sum);
    laws::obey_set_everywhere<Scalar>(
        sum, 6, [&](Eigen::Index) { return laws::simplex(sum); },
        [&](const auto& grouping, Eigen::Index) {
          return rein::Simplex{sum, grouping};
        });
  }
}

}  // namespace

TEST_CASE("simplex obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("simplex obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("simplex obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("simplex obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("simplex: the nearest vector of entries >= 0 that add to the sum") {
  Eigen::Matrix<double, 5, 3> w;
  w << 0.75, 0.5, -1, 0.25, 0.25, 0.5, -0.0, 1, 0, -5, -5, -5, 0, 0, 0;
  const rein::Simplex simplex{1.0, rein::per_row};
  const rein::Report report = simplex(w);
  CHECK(w.row(0) == Eigen::RowVector3d(0.625, 0.375, 0));
  CHECK(w.row(1) == Eigen::RowVector3d(0.25, 0.25, 0.5));
  if (laws::strict) CHECK(std::signbit(w(2, 0)));
  CHECK((w.row(3).array() - 1.0 / 3).abs().maxCoeff() < 1e-16);
  CHECK((w.row(4).array() - 1.0 / 3).abs().maxCoeff() < 1e-16);
  CHECK(report == rein::Report{.checked = 5, .changed = 3});
  CHECK(simplex(w).changed == 0);
}

TEST_CASE("simplex: one entry is the sum") {
  Eigen::Vector3f w(-4, 1, 2);
  CHECK(rein::Simplex{2.0, rein::per_row}(w).changed == 2);
  CHECK(w == Eigen::Vector3f(2, 2, 2));
}

TEST_CASE("simplex: entries far beyond the sum, and differences beyond the largest number") {
  Eigen::Matrix<double, 3, 3> w;
  w << 1.5e308, -1.5e308, 1.5e308, 1e300, 1, -1, -1e308, -1.7e308, -1e308;
  rein::Simplex{1.5, rein::per_row}(w);
  CHECK(w.row(0) == Eigen::RowVector3d(0.75, 0, 0.75));
  CHECK(w.row(1) == Eigen::RowVector3d(1.5, 0, 0));
  CHECK(w.row(2) == Eigen::RowVector3d(0.75, 0, 0.75));
  Eigen::Vector2d v(1.5e308, -1.5e308);
  const rein::Simplex large{1.75e308, rein::per_col};
  CHECK(large(v).changed == 1);
  CHECK(v == Eigen::Vector2d(1.75e308, 0));
  CHECK(large(v).changed == 0);
}

TEST_CASE("simplex: entries that the scalar does not hold become its largest number") {
  Eigen::Vector<Eigen::half, 2> w(Eigen::half(1.0f), Eigen::half(2.0f));
  const rein::Simplex simplex{1e6, rein::per_col};
  CHECK(simplex(w).changed == 1);
  CHECK(oracle::copy_of(w).numbers == std::vector<double>{65504, 65504});
  CHECK(simplex(w).changed == 0);
}

TEST_CASE("simplex: long vectors") {
  laws::long_vectors_obey(laws::simplex, [](double size) {
    return rein::Simplex{size, rein::whole};
  });
}

TEST_CASE("simplex: after an optimizer's step") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(2, 3, 0.5f);
  const Eigen::MatrixXf gradient{{-1, 0, 0}, {0, 0, 0}};
  rein::Sgd sgd{w, {.learning_rate = 1}, rein::Simplex{1.75, rein::per_row}};
  const rein::Report report = sgd.step(w, gradient);
  CHECK(w.row(0) == Eigen::RowVector3f(1.25f, 0.25f, 0.25f));
  CHECK((w.row(1).array() - 1.75f / 3).abs().maxCoeff() < 1e-7f);
  CHECK(report == rein::Report{.checked = 2, .changed = 2});
}

TEST_CASE("simplex: invalid sums are refused") {
  const auto with = [](double radius) {
    return refusal([&] { rein::Simplex(radius, rein::whole); });
  };
  CHECK(names(with(-1), "rein::Simplex", "sum is -1", "finite number >= 0"));
  CHECK(names(with(std::numeric_limits<double>::quiet_NaN()), "nan"));
  CHECK(names(with(std::numeric_limits<double>::infinity()), "inf"));
  CHECK(with(0) == "");
}
