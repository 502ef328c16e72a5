#include <rein/unit_norm.hpp>

#include "laws.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  laws::obey_everywhere<Scalar>(
      {{.low = 1, .high = 1}}, 60,
      [](const auto& grouping, const oracle::Rule&) { return rein::UnitNorm{grouping}; });
}

}  // namespace

TEST_CASE("unit_norm obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("unit_norm obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("unit_norm obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("unit_norm obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }
TEST_CASE("unit_norm obeys the laws: complex<float>") { obeys_the_laws<std::complex<float>>(); }

TEST_CASE("unit_norm: long and short rows get norm 1, zero rows stay") {
  Eigen::Matrix<double, 3, 2> w;
  w << 3, 4, 0, -1e-200, 0, 0;
  const rein::UnitNorm unit_norm{rein::per_row};
  const rein::Report report = unit_norm(w);
  CHECK(std::abs(w(0, 0) - 0.6) < 1e-15);
  CHECK(std::abs(w(0, 1) - 0.8) < 1e-15);
  CHECK(w.row(1) == Eigen::RowVector2d(0, -1));
  CHECK(w.row(2) == Eigen::RowVector2d(0, 0));
  CHECK(report.checked == 3);
  CHECK(report.changed == 2);
  CHECK(report.largest_norm == 5);
  CHECK(unit_norm(w).changed == 0);
}

// Half has few numbers below 6e-5 and none below 6e-8, where the entries of a long unit vector lie.
TEST_CASE("unit_norm: long vectors of half") {
  for (const Eigen::Index length : {1000, 100'000, int{3 * oracle::long_vector}}) {
    Eigen::Vector<Eigen::half, Eigen::Dynamic> w(length);
    laws::Random random(4);
    for (Eigen::half& entry : w) entry = static_cast<Eigen::half>(random.between(-8, 8));
    const rein::UnitNorm unit_norm{rein::whole};
    INFO("length " << length);
    laws::obey(w, {oracle::Grouping::whole}, {.low = 1, .high = 1}, [&] { return unit_norm(w); });
  }
}
