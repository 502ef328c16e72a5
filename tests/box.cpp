#include <rein/box.hpp>

#include "entry_laws.hpp"
#include "refusal.hpp"

namespace {

template <class Scalar>
void obeys_the_laws() {
  laws::bounds_hold_everywhere<Scalar>(rein::Box{-0.5, 0.25}, -0.5, 0.25);
  laws::bounds_hold_everywhere<Scalar>(rein::Box{0, 0}, 0, 0);
  laws::bounds_hold_everywhere<Scalar>(rein::Box{1, 3}, 1, 3);
  const double top = oracle::format_of<Scalar>().largest();
  laws::bounds_hold_everywhere<Scalar>(rein::Box{-top, 1}, -top, 1);
}

}  // namespace

TEST_CASE("box obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("box obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("box obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("box obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("box: entries outside are brought onto the bounds") {
  Eigen::RowVector3d w(-2, 0.1, 1);
  const rein::Report report = rein::Box{-0.5, 0.5}(w);
  CHECK(w == Eigen::RowVector3d(-0.5, 0.1, 0.5));
  CHECK(report.checked == 3);
  CHECK(report.changed == 2);
}

TEST_CASE("box: the bounds are rounded to the weights' scalar") {
  Eigen::RowVector2f w(-1, 1);
  const rein::Box box{-0.1, 0.1};
  box(w);
  CHECK(w == Eigen::RowVector2f(-0.1f, 0.1f));
  CHECK(box(w).changed == 0);
}

// Rounded to the scalar, such a bound would be Inf, and a low one would make Infs of all entries.
TEST_CASE("box: bounds beyond the scalar's largest number make no Inf") {
  const auto check = [](auto scalar, double low, double high) {
    using Scalar = decltype(scalar);
    Eigen::Vector<Scalar, 3> w(Scalar(1.0f), Scalar(-2.0f), Scalar(0.0f));
    rein::Box{low, high}(w);
    INFO(oracle::format_of<Scalar>().name << ", low " << low << ", high " << high);
    for (const double entry : oracle::copy_of(w).numbers) CHECK(oracle::finite(entry));
  };
  check(float(), -1e300, 1e300);
  check(float(), 1e300, 1e301);
  check(float(), -1e301, -1e300);
  check(Eigen::half(), -1e6, 1e6);
  check(Eigen::half(), 1e6, 1e7);
  check(Eigen::bfloat16(), -1e40, -1e39);
}

TEST_CASE("box: invalid bounds are refused") {
  const auto with = [](double low, double high) { return refusal([&] { rein::Box(low, high); }); };
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(names(with(nan, 1), "rein::Box", "low", "nan", "finite"));
  CHECK(names(with(-inf, 1), "low", "-inf"));
  CHECK(names(with(0, nan), "high", "nan"));
  CHECK(names(with(0, inf), "high", "inf", "finite"));
  CHECK(names(with(0.5, 0.25), "high", "0.25", ">= low"));
  CHECK(with(-1, -1) == "");
}

TEST_CASE("box: a plain value") {
  rein::Box box{-0.5, 2.0};
  CHECK(box.low() == -0.5);
  CHECK(box.high() == 2);
  box = rein::Box{0, 1};
  CHECK(box.high() == 1);
}
