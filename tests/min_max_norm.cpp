#include <rein/min_max_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

const auto make = [](const auto& grouping, const oracle::Rule& rule) {
  return rein::MinMaxNorm{rule.low, rule.high, grouping, rule.rate};
};

template <class Scalar>
void obeys_the_laws() {
  const oracle::Format format = oracle::format_of<Scalar>();
  std::vector<oracle::Rule> rules{{0.5, 2},      {1, 1},           {0, 1},      {3, 1e3},
                                  {0.5, 2, 0.5}, {0.5, 2, 0.0625}, {0.5, 2, 0}, {0, 0, 0.75},
                                  {1, 1, 0.999}, {1e-3, 1e-2},     {0, 0}};
  if (laws::strict && format.judged()) {
    const double top = format.largest(), bottom = format.smallest();
    for (const double rate : {1.0, 0.5}) {
      rules.push_back({7 * bottom, 13 * bottom, rate});
      rules.push_back({std::sqrt(bottom), 2 * std::sqrt(bottom), rate});
      rules.push_back({std::sqrt(top), 2 * std::sqrt(top), rate});
      rules.push_back({top / 8, top / 4, rate});
      rules.push_back({1, top, rate});
    }
    // Steps so small that they show only where the norm is smaller still.
    rules.push_back({1, 2, 1e-290});
    rules.push_back({1, 2, 1e-310});
    // More than the scalar holds: the entries stop at its largest number.
    rules.push_back({4 * std::min(top, 1e307), 5 * std::min(top, 1e307)});
  }
  laws::obey_everywhere<Scalar>(rules, 5, make);
}

}  // namespace

TEST_CASE("min_max_norm obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("min_max_norm obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("min_max_norm obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("min_max_norm obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("min_max_norm: short, fitting and long columns") {
  Eigen::Matrix<double, 2, 4> w;
  w << 0.06, 0.42, 3, 0, 0.08, 0.56, 4, 0;
  const rein::MinMaxNorm min_max_norm{0.5, 1.0, rein::per_col};
  const rein::Report report = min_max_norm(w);
  CHECK(std::abs(w.col(0).norm() - 0.5) < 1e-15);
  CHECK(w.col(1) == Eigen::Vector2d(0.42, 0.56));
  CHECK(std::abs(w.col(2).norm() - 1) < 1e-15);
  CHECK(w.col(3) == Eigen::Vector2d(0, 0));
  CHECK(report.checked == 4);
  CHECK(report.changed == 2);
  CHECK(report.largest_norm == 5);
}

TEST_CASE("min_max_norm: below rate 1 the norm comes closer at each call") {
  Eigen::RowVector2d w(6, 8);
  const rein::MinMaxNorm min_max_norm{0.5, 2.0, rein::per_row, 0.25};
  double excess = 8;
  for (int k = 0; k < 60; ++k) {
    CHECK(min_max_norm(w).changed == 1);
    excess *= 0.75;
    CHECK(std::abs(w.norm() - (2 + excess)) < 1e-13);
  }
  CHECK(std::abs(w[1] / w[0] - 4.0 / 3) < 1e-13);

  // It gets there, and then stays.
  for (int k = 0; k < 200; ++k) min_max_norm(w);
  CHECK(min_max_norm(w).changed == 0);
  CHECK(std::abs(w.norm() - 2) < 1e-14);
}

TEST_CASE("min_max_norm: a vector becomes longer by 36 orders of magnitude") {
  Eigen::RowVector2f w(0.6e-11f, 0.8e-11f);
  CHECK(rein::MinMaxNorm{1e25, 1e30, rein::per_row}(w).changed == 1);
  CHECK(std::abs(w[0] / 0.6e25f - 1) < 1e-6f);
  CHECK(std::abs(w[1] / 0.8e25f - 1) < 1e-6f);
}

TEST_CASE("min_max_norm: at rate 0 nothing is asked") {
  Eigen::RowVector2f w(6, 8);
  CHECK(rein::MinMaxNorm{0.5, 2.0, rein::per_row, 0.0}(w).changed == 0);
  CHECK(w == Eigen::RowVector2f(6, 8));
}

// A step of much less than an ulp leaves every entry where it is, and then nothing has changed.
TEST_CASE("min_max_norm: a step that all entries round away is not reported") {
  const auto check = [](auto scalar, double rate) {
    using Scalar = decltype(scalar);
    Eigen::Matrix<Scalar, 3, 5> w = Eigen::Matrix<Scalar, 3, 5>::Constant(Scalar(1.25f));
    const oracle::Weights before = oracle::copy_of(w);
    const rein::Report report = rein::MinMaxNorm{0.5, 2.0, rein::per_row, rate}(w);
    INFO(before.format.name << ", rate " << rate);
    const bool changed = !oracle::same_bits(before, oracle::copy_of(w));
    CHECK(report.changed == (changed ? 3 : 0));
  };
  for (const double rate : {1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 3e-8, 1e-8, 1e-16}) {
    check(float(), rate);
    check(double(), rate);
    check(Eigen::half(), rate);
    check(Eigen::bfloat16(), rate);
  }
}

TEST_CASE("min_max_norm: invalid arguments are refused") {
  const auto with = [](double low, double high, double rate = 1) {
    return refusal([&] { rein::MinMaxNorm(low, high, rein::per_col, rate); });
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(names(with(-1, 2), "rein::MinMaxNorm", "low", "-1", ">= 0"));
  CHECK(names(with(nan, 2), "low", "nan", "finite"));
  CHECK(names(with(inf, inf), "low", "inf"));
  CHECK(names(with(1, inf), "high", "inf", "finite"));
  CHECK(names(with(1, nan), "high", "nan"));
  CHECK(names(with(2, 1.5), "high", "1.5", ">= low"));
  CHECK(names(with(0, -1), "high", "-1"));
  CHECK(names(with(1, 2, -0.25), "rate", "-0.25", "[0, 1]"));
  CHECK(names(with(1, 2, 1.125), "rate", "1.125"));
  CHECK(names(with(1, 2, nan), "rate", "nan"));
  CHECK(with(1, 1, 0) == "");
  CHECK(with(0, 0, 1) == "");
}

TEST_CASE("min_max_norm: a plain value") {
  rein::MinMaxNorm min_max_norm{0.5, 2.0, rein::whole, 0.25};
  CHECK(min_max_norm.low() == 0.5);
  CHECK(min_max_norm.high() == 2);
  CHECK(min_max_norm.rate() == 0.25);
  min_max_norm = rein::MinMaxNorm{0.25, 3.0, rein::whole};
  CHECK(min_max_norm.low() == 0.25);
  CHECK(min_max_norm.rate() == 1);
}

namespace {

template <class Scalar>
void lengthens(int from, int to) {
  INFO("from 2^" << from << " to 2^" << to);
  const rein::MinMaxNorm constraint{std::ldexp(1.0, to), std::ldexp(1.0, to), rein::per_col};
  for (const Eigen::Index length : {1, 3, 40, 300, 1500}) {
    using W = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
    W w = W::Zero(length, 9), wanted = w;
    w.row(length - 1).setConstant(static_cast<Scalar>(std::ldexp(1.0, from)));
    wanted.row(length - 1).setConstant(static_cast<Scalar>(std::ldexp(1.0, to)));
    CHECK(constraint(w).changed == 9);
    CHECK(w == wanted);
  }
}

}  // namespace

TEST_CASE("min_max_norm: vectors become much longer") {
  lengthens<float>(-30, 60);
  lengthens<float>(-30, 90);
  lengthens<float>(-30, 110);
  lengthens<double>(-150, 700);
  lengthens<double>(-150, 800);
  lengthens<double>(-300, 950);
}
