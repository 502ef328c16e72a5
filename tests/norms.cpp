#include <cmath>
#include <numeric>
#include <vector>

#include <rein/max_norm.hpp>
#include <rein/norms.hpp>

#include "laws.hpp"
#include "norm_deviation.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;

template <class Scalar>
void norms_of_random_weights(int plans) {
  laws::Random random(6);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const laws::Plan& plan : laws::plans_for({{.high = 1}}, plans, random)) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(
        plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
          laws::with_grouping(w, plan, [&](const auto& grouping) {
            INFO(oracle::format_of<Scalar>().name << " " << view);
            oracle::Weights weights = oracle::copy_of(w);
            laws::fill(weights, oracle::vectors_of(weights, plan.grouping), plan.rule, random);
            oracle::assign(w, weights);
            weights = oracle::copy_of(w);
            CHECK(laws::deviation(rein::norms(w, grouping), weights, plan.grouping) == "");
            CHECK(oracle::same_bits(oracle::copy_of(w), weights));
          });
        });
  }
}

// Entries that a sum of squares gets wrong if it adds them up one by one, or in long chains.
struct Adversary {
  const char* name;
  double (*entry)(Index k, Index length, double eps);
};

const Adversary adversaries[] = {
    {"equal", [](Index, Index, double) { return 0.1; }},
    {"equal, and their squares round up", [](Index, Index, double eps) { return 1 + 3 * eps; }},
    {"one large, then small ones that each are lost beside it",
     [](Index k, Index, double eps) { return k == 0 ? 1 : 0.7 * std::sqrt(eps); }},
    {"small ones, then one large",
     [](Index k, Index length, double eps) { return k == length - 1 ? 1 : 0.7 * std::sqrt(eps); }},
    {"large ones here and there",
     [](Index k, Index, double eps) { return k % 97 == 0 ? 1 : 0.9 * std::sqrt(eps); }},
    {"a falling geometric series",
     [](Index k, Index length, double) {
       return std::pow(1e-12, static_cast<double>(k) / static_cast<double>(length));
     }},
    {"a rising geometric series",
     [](Index k, Index length, double) {
       return std::pow(1e-12, 1 - static_cast<double>(k) / static_cast<double>(length));
     }},
    {"halves of each other",
     [](Index k, Index, double) { return std::exp2(-static_cast<double>(k % 50)) * 1.37; }},
    {"a ramp", [](Index k, Index, double) { return static_cast<double>(k) * 1e-3; }},
};

// Vectors along the memory (columns) and across it (rows).
template <class Scalar>
void norms_of_adversaries(const std::vector<Index>& lengths) {
  const double eps = oracle::format_of<Scalar>().epsilon();
  for (const Adversary& adversary : adversaries) {
    for (const Index length : lengths) {
      INFO(oracle::format_of<Scalar>().name << ", length " << length << ": " << adversary.name);
      Eigen::Matrix<Scalar, Eigen::Dynamic, 1> along(length);
      for (Index k = 0; k < length; ++k) {
        along[k] = static_cast<Scalar>(adversary.entry(k, length, eps));
      }
      CHECK(laws::deviation(rein::norms(along, rein::per_col), oracle::copy_of(along),
                            {oracle::Grouping::cols}) == "");
      Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> across(3, length);
      for (Index i = 0; i < 3; ++i) across.row(i) = along.transpose() * Scalar(float(i) - 1.5f);
      CHECK(laws::deviation(rein::norms(across, rein::per_row), oracle::copy_of(across),
                            {oracle::Grouping::rows}) == "");
    }
  }
}

}  // namespace

TEST_CASE("norms of random weights: float") { norms_of_random_weights<float>(60); }
TEST_CASE("norms of random weights: half") { norms_of_random_weights<Eigen::half>(40); }
TEST_CASE("norms of random weights: bfloat16") { norms_of_random_weights<Eigen::bfloat16>(40); }
TEST_CASE("norms of random weights: complex<double>") {
  norms_of_random_weights<std::complex<double>>(40);
}

#ifndef __FAST_MATH__  // which adds up in another order, and drops what keeps the error
TEST_CASE("norms are right to 2 eps at any length: float") {
  norms_of_adversaries<float>({3, 100, 1000, 4097, 65'537, oracle::long_vector});
}

TEST_CASE("norms are right to 2 eps at any length: double") {
  if (!oracle::format_of<double>().judged()) return;
  norms_of_adversaries<double>({3, 100, 1000, 4097, 65'537, oracle::long_vector});
}

TEST_CASE("norms are right to 2 eps at length 10^7") {
  const auto check = [](auto scalar) {
    using Scalar = decltype(scalar);
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1> w(oracle::longest_vector);
    laws::Random random(7);
    for (Scalar& entry : w) entry = static_cast<Scalar>(0.1 + 1e-3 * random.between(0, 1));
    oracle::SquareSum sum;
    for (const Scalar entry : w) sum.add(static_cast<long double>(entry));
    const long double error = static_cast<long double>(rein::norms(w, rein::whole)[0]) - sum.norm();
    const double eps = oracle::format_of<Scalar>().epsilon();
    CHECK(std::abs(error) <= 2 * eps * sum.norm());
    w.setConstant(static_cast<Scalar>(0.1));
    const long double exact =
        std::sqrt(static_cast<long double>(w.size())) * static_cast<long double>(w[0]);
    const long double off = static_cast<long double>(rein::norms(w, rein::per_col)[0]) - exact;
    CHECK(std::abs(off) <= 2 * eps * exact);
  };
  check(float());
  if (oracle::format_of<double>().judged()) check(double());
}
#endif

// Which packets sum so few numbers, and what is read twice, depends on the machine.
TEMPLATE_TEST_CASE("norms: a few packets of numbers, and fewer than one holds", "", float, double) {
  for (int n = 1; n <= 64; ++n) {
    std::vector<TestType> x(static_cast<std::size_t>(n));  // exactly, for the address sanitizer
    std::iota(x.begin(), x.end(), TestType(1));
    TestType sum = 0;
    rein::detail::square_sums(x.data(), 0, n, 1, &sum);
    CHECK(sum == static_cast<TestType>(n * (n + 1) * (2 * n + 1) / 6));
  }
}

#ifndef __FAST_MATH__
// The squares of each of a filter's entries are summed apart: `large`^2 + 1 rounds to `large`^2.
// What all of them lose shows in the norm. Of more than 16 rows, 16 at a time are summed plainly,
// and these sums with their errors kept.
template <class Scalar, int Length>
void losses_of_runs_are_kept(Scalar large) {
  INFO("runs of " << Length);
  constexpr int filters = 11;
  Eigen::Matrix<Scalar, 24, filters * Length, Eigen::RowMajor> w = decltype(w)::Zero();
  w.row(0).setConstant(large);
  w.row(16).setOnes();
  const auto per_filter = rein::per_filter("iohw", {24, filters, Length, 1});
  const auto norms = rein::norms(w, per_filter);
  const Scalar square = large * large;
  CHECK((norms == std::sqrt(std::fma(Scalar(Length), square, Scalar(Length)))).all());
  const double largest = rein::MaxNorm{1e10, per_filter}(w).largest_norm;
  CHECK(static_cast<Scalar>(largest) == norms[0]);
  CHECK(norms[0] != std::sqrt(Length * square));
}

TEST_CASE("norms: what the sums of a filter's short runs lose is kept") {
  losses_of_runs_are_kept<float, 5>(4120);
  losses_of_runs_are_kept<float, 12>(4120);
  losses_of_runs_are_kept<float, 13>(4120);
  losses_of_runs_are_kept<float, 20>(4120);
  losses_of_runs_are_kept<float, 24>(4120);
  losses_of_runs_are_kept<double, 5>(94'906'268);
  losses_of_runs_are_kept<double, 11>(94'906'268);
  losses_of_runs_are_kept<double, 18>(94'906'268);
}
#endif

TEST_CASE("norms: rows, columns, filters, all") {
  Eigen::Matrix<float, 2, 3> w;
  w << 3, 0, 4, 0.1f, 0, 0;
  const auto rows = rein::norms(w, rein::per_row);
  CHECK(rows.size() == 2);
  CHECK(rows[0] == 5);
  CHECK(rows[1] == 0.1f);
  CHECK(rein::norms(w, rein::per_col)[1] == 0);
  CHECK(rein::norms(w.leftCols(2), rein::whole)[0] > 3);
  CHECK(rein::norms(w, rein::per_filter("io", {3, 2}))[0] == rows[0]);
}

TEST_CASE("norms: of constants and of expressions") {
  const Eigen::MatrixXd w = Eigen::MatrixXd::Constant(3, 4, 0.5);
  CHECK(rein::norms(w, rein::per_row)[2] == 1);
  CHECK(rein::norms(2 * w, rein::per_row)[2] == 2);
  CHECK(rein::norms(w.transpose(), rein::per_row).size() == 4);
  CHECK(rein::norms(w * w.transpose(), rein::per_row)[0] == std::sqrt(3.0));
  CHECK(rein::norms(w.reverse(), rein::whole)[0] == std::sqrt(3.0));
  CHECK(rein::norms(Eigen::Map<const Eigen::MatrixXd>(w.data(), 4, 3), rein::per_col)[1] == 1);
}

TEST_CASE("norms: the result's scalar") {
  const auto scalar_of = [](auto scalar) {
    Eigen::Matrix<decltype(scalar), 2, 2> w = Eigen::Matrix<decltype(scalar), 2, 2>::Zero();
    return typename decltype(rein::norms(w, rein::per_row))::Scalar();
  };
  static_assert(std::is_same_v<decltype(scalar_of(float())), float>);
  static_assert(std::is_same_v<decltype(scalar_of(Eigen::half())), float>);
  static_assert(std::is_same_v<decltype(scalar_of(Eigen::bfloat16())), float>);
  static_assert(std::is_same_v<decltype(scalar_of(std::complex<float>())), float>);
  static_assert(std::is_same_v<decltype(scalar_of(double())), double>);
  static_assert(std::is_same_v<decltype(scalar_of(std::complex<double>())), double>);
  // Half's largest number is 65504; the norm of many is more.
  const Eigen::Matrix<Eigen::half, 1, 4> large =
      Eigen::Matrix<Eigen::half, 1, 4>::Constant(Eigen::half(60000.0f));
  CHECK(rein::norms(large, rein::per_row)[0] == 2 * static_cast<float>(large[0]));
}

namespace {

// W with each vector's numbers multiplied by a factor, in Real; those of factor 1 as they are.
template <class Real>
oracle::Weights rescaled(const oracle::Weights& w, const oracle::Grouping& grouping,
                         const std::vector<Real>& factors) {
  oracle::Weights result = w;
  for (Index i = 0; i < w.rows; ++i) {
    for (Index j = 0; j < w.cols; ++j) {
      const Real factor = factors[static_cast<std::size_t>(grouping.vector_of(w, i, j))];
      for (int c = 0; c < w.format.components; ++c) {
        double& number = result.numbers[w.place(i, j, c)];
        if (factor != 1) number = static_cast<double>(static_cast<Real>(number) * factor);
      }
    }
  }
  return result;
}

template <class Scalar>
void rescales_random_weights(int plans) {
  using Real = typename Eigen::NumTraits<Scalar>::Real;
  laws::Random random(8);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const laws::Plan& plan : laws::plans_for({{.high = 1}}, plans, random)) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(
        plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
          laws::with_grouping(w, plan, [&](const auto& grouping) {
            INFO(oracle::format_of<Scalar>().name << " " << view);
            oracle::Weights before = oracle::copy_of(w);
            for (double& number : before.numbers) number = random.between(-1, 1);
            oracle::assign(w, before);
            before = oracle::copy_of(w);
            std::vector<Real> factors;
            Index changed = 0;
            for (Index v = 0; v < plan.grouping.vectors(before); ++v) {
              const Real choices[] = {1, 0, -1, static_cast<Real>(random.between(-2, 2))};
              factors.push_back(random.one_of(choices));
              changed += factors.back() != 1;
            }
            const Eigen::Map<const Eigen::Array<Real, Eigen::Dynamic, 1>> array(
                factors.data(), std::ssize(factors));
            const rein::Report report = rein::rescale(w, grouping, array);
            CHECK(oracle::same_bits(oracle::copy_of(w), rescaled(before, plan.grouping, factors)));
            CHECK(report.checked == array.size());
            CHECK(report.changed == changed);
            CHECK(report.nonfinite == 0);
          });
        });
  }
}

}  // namespace

TEST_CASE("rescale multiplies each vector by its factor: float") {
  rescales_random_weights<float>(60);
}
TEST_CASE("rescale multiplies each vector by its factor: complex<double>") {
  rescales_random_weights<std::complex<double>>(40);
}

TEST_CASE("rescale: half and bfloat16 round the product") {
  const auto check = [](auto scalar) {
    using Scalar = decltype(scalar);
    Eigen::Matrix<Scalar, 2, 3> w;
    w << Scalar(1.0f), Scalar(-3.0f), Scalar(0.0f), Scalar(1.5f), Scalar(100.0f), Scalar(-0.375f);
    const Eigen::Matrix<float, 2, 3> before = w.template cast<float>();
    rein::rescale(w, rein::per_row, Eigen::Array2f(0.3f, 1.0f));
    for (Index j = 0; j < 3; ++j) {
      CHECK(w(0, j) == Scalar(before(0, j) * 0.3f));
      CHECK(static_cast<float>(w(1, j)) == before(1, j));
    }
  };
  check(Eigen::half());
  check(Eigen::bfloat16());
}

TEST_CASE("rescale: any dense vector may hold the factors") {
  Eigen::Matrix2f w = Eigen::Matrix2f::Ones();
  rein::rescale(w, rein::per_row, Eigen::Vector2f(2, 3));
  rein::rescale(w, rein::per_col, Eigen::RowVector2d(5, 7));
  CHECK(w == (Eigen::Matrix2f() << 10, 14, 15, 21).finished());
  rein::rescale(w, rein::per_row, 1 / rein::norms(w, rein::per_row));
  CHECK(std::abs(w.row(0).norm() - 1) < 1e-6f);
  rein::rescale(w.col(0), rein::whole, Eigen::Array<float, 1, 1>(0));
  CHECK(w(0, 0) == 0);
  CHECK(w(0, 1) != 0);
  Eigen::Matrix3d odd = Eigen::Matrix3d::Ones();
  rein::rescale(odd.reverse(), rein::per_row, Eigen::Array3d(1, 2, 3));
  CHECK(odd.col(1) == Eigen::Vector3d(3, 2, 1));
}

TEST_CASE("rescale: a NaN or an Inf in W stays in its vector") {
  Eigen::Matrix<double, 3, 2> w;
  w << 1, 2, std::numeric_limits<double>::quiet_NaN(), 3, 4,
      std::numeric_limits<double>::infinity();
  const rein::Report report = rein::rescale(w, rein::per_row, Eigen::Array3d(2, 2, 1));
  CHECK(w.row(0) == Eigen::RowVector2d(2, 4));
  CHECK(w(1, 1) == 6);
  CHECK(w(2, 0) == 4);
  CHECK_FALSE(oracle::finite(w(1, 0)));
  CHECK_FALSE(oracle::finite(w(2, 1)));
  CHECK(report.changed == 2);

  const auto inf = std::numeric_limits<Eigen::half>::infinity();
  Eigen::Array<Eigen::half, 3, 1> h(Eigen::half(60000), inf, -inf);
  rein::rescale(h, rein::whole, Eigen::Array<float, 1, 1>(2));
  CHECK(h(0) == Eigen::half(65504));
  CHECK(h(1) == inf);
  CHECK(h(2) == -inf);
}

TEST_CASE("rescale: factors that do not fit are refused, and nothing is written") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Ones(4, 3);
  const auto with = [&](const Eigen::ArrayXd& factors) {
    return refusal([&] { rein::rescale(w, rein::per_row, factors); });
  };
  CHECK(names(with(Eigen::ArrayXd::Zero(3)), "rein::rescale", "factors is 3", "vectors, 4"));
  CHECK(names(with(Eigen::ArrayXd::Zero(0)), "factors is 0"));
  Eigen::ArrayXd factors = Eigen::ArrayXd::Zero(4);
  factors[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK(names(with(factors), "factor", "nan", "finite"));
  factors[3] = -std::numeric_limits<double>::infinity();
  CHECK(names(with(factors), "factor", "-inf"));
  factors[3] = 1e300;  // more than a float holds
  CHECK(names(with(factors), "factor"));
  CHECK(w == Eigen::MatrixXf::Ones(4, 3));
}

// Few entries, but more lanes than are taken at once.
TEMPLATE_TEST_CASE("norms: many filters in few rows are brought to the limit", "", float, double) {
  Eigen::Matrix<TestType, Eigen::Dynamic, 1> w(4 * 100 * 3 * 3);
  for (Eigen::Index i = 0; i < w.size(); ++i) w[i] = static_cast<TestType>(i % 7 + 1);
  const auto filters = rein::per_filter("iohw", {4, 100, 3, 3});
  const rein::Report report = rein::MaxNorm{1, filters}(w);
  CHECK(report.changed == 100);
  const auto norms = rein::norms(w, filters);
  CHECK(norms.size() == 100);
  CHECK(((norms - 1).abs() < TestType(1e-5)).all());
}
