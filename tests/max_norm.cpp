#include <vector>

#include <rein/max_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

const auto make = [](const auto& grouping, const oracle::Rule& rule) {
  return rein::MaxNorm{rule.high, grouping};
};

template <class Scalar>
void obeys_the_laws() {
  const oracle::Format format = oracle::format_of<Scalar>();
  std::vector<oracle::Rule> rules{{.high = 1}, {.high = 3}, {.high = 0.37}, {.high = 0}};
  if (laws::strict && format.judged()) {
    for (const double high :
         {5 * format.smallest(), 3.3 * format.smallest_normal(),
          std::sqrt(format.smallest_normal()), std::sqrt(format.largest()), format.largest() / 3,
          format.largest(), std::numeric_limits<double>::max()}) {
      rules.push_back({.high = high});
    }
  }
  laws::obey_everywhere<Scalar>(rules, 8, make);
}

}  // namespace

TEST_CASE("max_norm obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("max_norm obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("max_norm obeys the laws: half") { obeys_the_laws<Eigen::half>(); }
TEST_CASE("max_norm obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }
TEST_CASE("max_norm obeys the laws: complex<float>") { obeys_the_laws<std::complex<float>>(); }
TEST_CASE("max_norm obeys the laws: complex<double>") { obeys_the_laws<std::complex<double>>(); }

TEST_CASE("max_norm: a single long vector obeys the laws") {
  laws::Random random(15);
  const auto check = [&](auto scalar, double high) {
    laws::obey_plans<decltype(scalar)>(laws::long_plans({.high = high}), make, random);
  };
  check(float(), 1);
  if (!oracle::optimized) return;
  check(float(), 1e-40);
  check(double(), 2);
  check(Eigen::half(), 3);
  check(std::complex<float>(), 0.25);
}

TEST_CASE("max_norm: the rows that are too long are brought onto the limit") {
  Eigen::Matrix<double, 2, 2> w;
  w << 3, 4, 0.1, 0;
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w);
  CHECK(std::abs(w(0, 0) - 0.6) < 1e-15);
  CHECK(std::abs(w(0, 1) - 0.8) < 1e-15);
  CHECK(w(1, 0) == 0.1);
  CHECK(report.checked == 2);
  CHECK(report.changed == 1);
  CHECK(report.nonfinite == 0);
  CHECK(report.largest_norm == 5);
}

// More than 4 MiB of them: a vector is not scaled while the next one is summed.
TEST_CASE("max_norm: long rows that no cache holds") {
  using Rows = Eigen::Matrix<float, 3, Eigen::Dynamic, Eigen::RowMajor>;
  Rows w = Rows::Ones(3, 750'000);
  w.row(1).setConstant(1e-4f);
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w);
  CHECK(report.changed == 2);
  for (const Eigen::Index row : {0, 2}) {
    CHECK((w.row(row).array() == w(row, 0)).all());
    CHECK(std::abs(w(row, 0) * std::sqrt(750'000.0) - 1) <= 1e-6);
  }
  CHECK((w.row(1).array() == 1e-4f).all());
}

TEST_CASE("max_norm: a limit of 0 leaves zeros with their signs") {
  Eigen::RowVector3f w(2.0f, -3.0f, 0.0f);
  CHECK(rein::MaxNorm{0, rein::per_row}(w).changed == 1);
  CHECK((w.array() == 0).all());
#ifndef __FAST_MATH__
  CHECK(std::signbit(w[1]));
#endif
  CHECK(rein::MaxNorm{0, rein::per_row}(w).changed == 0);
}

TEST_CASE("max_norm: a million applications lose nothing") {
  Eigen::Matrix4f w = Eigen::Matrix4f::Constant(1.0f / 3);
  w.row(2) *= 100;
  const rein::MaxNorm max_norm{0.9, rein::per_row};
  max_norm(w);
  const Eigen::Matrix4f once = w;
  Eigen::Index changed = 0;
  for (int k = oracle::tries(1'000'000); k > 0; --k) changed += max_norm(w).changed;
  CHECK(changed == 0);
  CHECK(oracle::same_bits(oracle::copy_of(w), oracle::copy_of(once)));
}

// The bits must not depend on where in a packet an entry falls.
TEST_CASE("max_norm: the same weights give the same bits at any alignment") {
  laws::Random random(3);
  for (const auto& shape :
       {std::pair<Eigen::Index, Eigen::Index>{7, 1030}, {1030, 7}, {37, 41}, {5, 67}, {2500, 3}}) {
    const Eigen::Index rows = shape.first;
    const Eigen::Index cols = shape.second;
    std::vector<float> memory(static_cast<std::size_t>(rows * cols) + 16);
    const oracle::Weights reference = [&] {
      oracle::Weights w{oracle::format_of<float>(), rows, cols, false, {}};
      w.numbers.resize(static_cast<std::size_t>(rows * cols));
      for (double& number : w.numbers) number = static_cast<float>(random.between(-1, 1));
      return w;
    }();
    oracle::Weights first = reference;
    for (int start = 0; start < 16; ++start) {
      Eigen::Map<Eigen::MatrixXf> w(memory.data() + start, rows, cols);
      oracle::assign(w, reference);
      rein::MaxNorm{0.5, rein::per_row}(w);
      rein::MaxNorm{0.25, rein::per_col}(w);
      rein::MaxNorm{0.125, rein::whole}(w);
      rein::MaxNorm{0.01, rein::per_filter("ho", {cols, rows})}(w);
      if (start == 0) first = oracle::copy_of(w);
      INFO(rows << " x " << cols << ", " << start << " floats after a boundary");
      CHECK(oracle::same_bits(oracle::copy_of(w), first));
    }
  }
}

#ifndef __FAST_MATH__
// Sums of squares around the largest one that is satisfied, in each lane of packets of all widths.
TEMPLATE_TEST_CASE("max_norm: factors of vectors close to their limit", "", float, double) {
  for (const double limit : {0x1p-39, 0.37, 1.0, 1.999, 7e10}) {
    const rein::detail::NormRule<TestType> rule({.high = limit}, 10);
    REQUIRE(rule.is_plain());
    const TestType most = rule.most_satisfied();
    const TestType below = std::nextafter(most, TestType(0)),
                   above = std::nextafter(most, 2 * most);
    const TestType around[] = {most, above, below, 4 * most, above, most, most / 3};
    for (std::size_t n = 1; n <= 40; ++n) {
      std::vector<TestType> sums(n), factors(n);
      for (std::size_t v = 0; v < n; ++v) sums[v] = around[(v + n) % 7];
      std::ptrdiff_t beyond = 0;
      const auto changed =
          rule.plain_factors(sums.data(), static_cast<Eigen::Index>(n), factors.data());
      for (std::size_t v = 0; v < n; ++v) {
        TestType factor = 1;
        if (sums[v] > most) {
          ++beyond;
          CHECK(rule.factor(sums[v], factor));
        }
        CHECK(factors[v] == factor);
        CHECK((factor < 1) == (sums[v] > most));
      }
      CHECK(changed == beyond);
    }
  }
}
#endif

TEST_CASE("max_norm: invalid limits are refused") {
  const auto with = [](double limit) {
    return refusal([&] { rein::MaxNorm(limit, rein::per_row); });
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  CHECK(names(with(-1), "rein::MaxNorm", "limit", "-1", ">= 0", "finite"));
  CHECK(names(with(-1e-300), "limit", "-1e-300"));
  CHECK(names(with(inf), "limit", "inf", "finite"));
  CHECK(names(with(-inf), "limit", "-inf"));
  CHECK(names(with(std::numeric_limits<double>::quiet_NaN()), "limit", "nan"));
  CHECK(with(0) == "");
}

TEST_CASE("max_norm: a plain value") {
  rein::MaxNorm max_norm{2.0, rein::per_filter("oi", {2, 3})};
  CHECK(max_norm.limit() == 2);
  CHECK(max_norm.grouping() == rein::per_filter("oi", {2, 3}));
  const rein::MaxNorm copy = max_norm;
  max_norm = rein::MaxNorm{0.5, rein::per_filter("oi", {3, 2})};
  CHECK(max_norm.limit() == 0.5);
  Eigen::Matrix<float, 6, 1> w = Eigen::Matrix<float, 6, 1>::Ones();
  CHECK(copy(w).checked == 2);
  CHECK(max_norm(w).checked == 3);
}
