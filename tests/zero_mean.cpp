#include <rein/sgd.hpp>
#include <rein/zero_mean.hpp>

#include "projection_laws.hpp"
#include "projection_sets.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  for (const double size : {1.0, 1e4}) {
    laws::obey_set_everywhere<Scalar>(
        size, 40, [](Eigen::Index) { return laws::centered; },
        [](const auto& grouping, Eigen::Index) { return rein::ZeroMean{grouping}; });
  }
}

}  // namespace

TEST_CASE("zero_mean obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("zero_mean obeys the laws: double") {
  if (laws::strict) obeys_the_laws<double>();
}
TEST_CASE("zero_mean obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("zero_mean obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("zero_mean: the mean is taken from each entry") {
  Eigen::Matrix<double, 3, 3> w;
  w << 1, 2, 6, 1, 0, -1, 0, 0, 0;
  const rein::ZeroMean zero_mean{rein::per_row};
  const rein::Report report = zero_mean(w);
  CHECK(w.row(0) == Eigen::RowVector3d(-2, -1, 3));
  CHECK(w.row(1) == Eigen::RowVector3d(1, 0, -1));
  CHECK(report == rein::Report{.checked = 3, .changed = 1});
  CHECK(zero_mean(w).changed == 0);
}

// A mean rounded to a double would leave 1e-17 in place of each zero.
TEST_CASE("zero_mean: equal entries become zero, nearly equal ones keep their differences") {
  if (!laws::strict) return;
  for (const Eigen::Index length : {1, 3, 49, 1000, 12345}) {
    Eigen::VectorXd w = Eigen::VectorXd::Constant(length, 0.1);
    const rein::ZeroMean zero_mean{rein::whole};
    CHECK(zero_mean(w).changed == 1);
    CHECK(w.cwiseAbs().maxCoeff() == 0);
    if (length == 1) continue;
    w.setConstant(0.1);
    w(0) = std::nextafter(0.1, 1.0);
    const double step = w(0) - 0.1, n = static_cast<double>(length);
    zero_mean(w);
    CHECK(std::abs(w(0) / (step - step / n) - 1) < 1e-15);
    CHECK(std::abs(w(1) / (-step / n) - 1) < 1e-12);
    CHECK(zero_mean(w).changed == 0);
  }
}

// Of a sum that is rounded a few times nothing is left: each 2^-53 is lost beside a 1.
TEST_CASE("zero_mean: a sum of doubles that shows only when all rounding errors are kept") {
  if (!laws::strict) return;
  constexpr Eigen::Index lanes = rein::detail::packet_size<double>;
  Eigen::MatrixXd w = Eigen::MatrixXd::Zero(lanes, 64);  // a column is a packet
  w.col(0).setConstant(1);
  w.col(32).setConstant(-1);
  for (const Eigen::Index packet : {1, 2, 4, 8, 12, 16, 20, 24, 28}) {
    w.col(packet).setConstant(0x1p-53);
  }
  const rein::ZeroMean zero_mean{rein::whole};
  CHECK(zero_mean(w).changed == 1);
  CHECK(zero_mean(w).changed == 0);
}

// With -ffast-math, too.
TEST_CASE("zero_mean: a second call finds nothing to do for nearly equal entries") {
  const rein::ZeroMean zero_mean{rein::per_col};
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(5000, 50, 0.1f);
  for (Eigen::Index v = 0; v < w.cols(); ++v) w.col(v).head(v + 1).array() += 1e-8f;
  CHECK(zero_mean(w).changed == w.cols());
  CHECK(zero_mean(w).changed == 0);
}

TEST_CASE("zero_mean: entries whose sum is beyond the largest number") {
  Eigen::Vector3d w(1.5e308, 1.5e308, 1.2e308);
  CHECK(rein::ZeroMean{rein::whole}(w).changed == 1);
  CHECK((w / 1e307 - Eigen::Vector3d(1, 1, -2)).cwiseAbs().maxCoeff() < 1e-14);
}

TEST_CASE("zero_mean: an entry that the scalar does not hold becomes its largest number") {
  const float top = std::numeric_limits<float>::max();
  Eigen::Vector3f w(top, -top, -top);
  rein::ZeroMean{rein::whole}(w);
  CHECK(w(0) == top);
  CHECK(std::abs(w(1) + 2 * (top / 3)) < 1e-6f * top);
}

TEST_CASE("zero_mean: complex entries lose the mean of both parts") {
  using Complex = std::complex<float>;
  Eigen::MatrixXcf w(2, 2);
  w << Complex(1, 4), Complex(3, 2), Complex(1, 1), Complex(-1, 3);
  const rein::ZeroMean zero_mean{rein::per_row};
  CHECK(zero_mean(w).changed == 2);
  Eigen::MatrixXcf expected(2, 2);
  expected << Complex(-1, 1), Complex(1, -1), Complex(1, -1), Complex(-1, 1);
  CHECK(w == expected);
  CHECK(zero_mean(w) == rein::Report{.checked = 2});
  Eigen::RowVector2cf reversed(Complex(1, 4), Complex(3, 2));
  CHECK(zero_mean(reversed.reverse()).changed == 1);
  CHECK(reversed == expected.row(0));
  w(0, 0) = Complex(0, std::numeric_limits<float>::quiet_NaN());
  w(1, 0) += Complex(0, 2);
  CHECK(zero_mean(w) == rein::Report{.checked = 2, .changed = 1, .nonfinite = 1});
  CHECK(w(0, 1) == Complex(1, -1));
  CHECK(w(1, 0) == Complex(1, 0));
}

TEST_CASE("zero_mean: after an optimizer's step, on a filter's entries") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Zero(2, 4);
  const Eigen::MatrixXf gradient{{-1, 0, 0, -4}, {-3, 0, 0, -8}};
  rein::Sgd sgd{w, {.learning_rate = 1}, rein::ZeroMean{rein::per_filter("io", {4, 2})}};
  CHECK(sgd.step(w, gradient).changed == 2);  // column-major: the filters are the rows
  CHECK(w == Eigen::MatrixXf{{-0.25f, -1.25f, -1.25f, 2.75f}, {0.25f, -2.75f, -2.75f, 5.25f}});
}
