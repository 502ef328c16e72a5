#include <rein/non_negative.hpp>

#include "entry_laws.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  laws::bounds_hold_everywhere<Scalar>(rein::NonNegative{}, 0,
                                       std::numeric_limits<double>::infinity());
}

}  // namespace

TEST_CASE("non_negative obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("non_negative obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("non_negative obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("non_negative obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("non_negative: negative entries become 0, the others stay") {
  Eigen::Matrix<float, 2, 3> w;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  w << 1.5f, -2.0f, -0.0f, nan, -inf, inf;
  const oracle::Weights before = oracle::copy_of(w);
  const rein::Report report = rein::NonNegative{}(w);
  CHECK(w(0, 1) == 0);
  w(0, 1) = -2.0f;
  CHECK(oracle::same_bits(oracle::copy_of(w), before));
  CHECK(report.checked == 6);
  CHECK(report.changed == 1);
  CHECK(report.nonfinite == 3);
}

TEST_CASE("non_negative: the smallest and the largest negative numbers become 0") {
  Eigen::Vector3d w(-1e-300, -std::numeric_limits<double>::max(), 1e-300);
  CHECK(rein::NonNegative{}(w).changed == 2);
  CHECK(w == Eigen::Vector3d(0, 0, 1e-300));
}
