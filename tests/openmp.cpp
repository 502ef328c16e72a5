// Built with OpenMP, where large calls use as many threads as Eigen does.

#include <complex>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>

#include "catch.hpp"
#include "oracle.hpp"

#if !defined(_OPENMP)
#error "this test is about OpenMP"
#endif

namespace {

using Eigen::Index;

// Calls run() with 1 to 4 threads, and checks that what it returns has the same bits each time.
template <class Run>
void same_for_any_number_of_threads(const Run& run) {
  Eigen::setNbThreads(1);
  const auto [weights, report] = run();
  for (int threads = 2; threads <= 4; ++threads) {
    INFO(threads << " threads");
    Eigen::setNbThreads(threads);
    const auto [again, other_report] = run();
    const std::size_t bytes = sizeof(weights(0)) * static_cast<std::size_t>(weights.size());
    REQUIRE(again.size() == weights.size());
    CHECK(std::memcmp(again.data(), weights.data(), bytes) == 0);
    CHECK(report == other_report);
  }
  Eigen::setNbThreads(0);
}

// Rows, columns and filters inside and outside the limit.
template <class W>
W uneven(Index rows, Index cols) {
  using Scalar = typename W::Scalar;
  std::srand(3);
  W w = W::Random(rows, cols);
  for (Index j = 0; j < cols; j += 3) w.col(j) *= Scalar(3);
  for (Index i = 0; i < rows; i += 5) w.row(i) *= Scalar(2);
  w(rows / 2, cols / 2) = std::numeric_limits<Scalar>::quiet_NaN();
  return w;
}

template <class Scalar, class G>
void constrains_alike(Index rows, Index cols, const G& grouping) {
  using W = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const W start = uneven<W>(rows, cols);
  const double mean = static_cast<double>(rein::norms(W::Random(rows, cols), grouping).mean());
  for (const double limit : {mean, 100 * mean}) {
    INFO(rows << " x " << cols << ", limit " << limit);
    same_for_any_number_of_threads([&] {
      W w = start;
      const rein::Report report = rein::MaxNorm{limit, grouping}(w);
      CHECK((report.changed != 0) == (limit == mean && report.nonfinite < report.checked));
      return std::pair(w, report);
    });
  }
}

}  // namespace

TEST_CASE("openmp: there is more than one thread to test") {
  int threads = 0;
#pragma omp parallel num_threads(3)
#pragma omp single
  threads = omp_get_num_threads();
  CHECK(threads == 3);
}

TEST_CASE("openmp: small calls, and calls in a parallel region, stay in their thread") {
  constexpr Eigen::Index large = 1 << 24;
  Eigen::setNbThreads(3);
  CHECK(rein::detail::threads_for(1000, 1 << 18) == 1);
  CHECK(rein::detail::threads_for(1000, large) == 3);
  CHECK(rein::detail::threads_for(2, large) == 2);
  Eigen::Index inside = 0;
  bool in_parallel = false;
#pragma omp parallel num_threads(2)
#pragma omp single
  inside = rein::detail::threads_for(1000, large), in_parallel = omp_in_parallel();
  CHECK(in_parallel);
  CHECK(inside == 1);
}

TEMPLATE_TEST_CASE("openmp: a constraint gives the same bits for any number of threads", "", float,
                   double) {
  // More than 1 MiB, which is worth 4 threads, in shapes that do not divide evenly.
  constrains_alike<TestType>(601, 503, rein::per_row);
  constrains_alike<TestType>(601, 503, rein::per_col);
  constrains_alike<TestType>(2003, 601, rein::per_row);  // beyond a core's own cache
  constrains_alike<TestType>(17, 20'001, rein::per_row);
  constrains_alike<TestType>(17, 20'001, rein::per_col);
  constrains_alike<TestType>(601, 503, rein::whole);
  constrains_alike<TestType>(540, 600, rein::per_filter("iohw", {180, 200, 3, 3}));
  constrains_alike<TestType>(540, 600, rein::per_filter("hwio", {3, 3, 180, 200}));
  // Not worth a second thread.
  constrains_alike<TestType>(9, 7, rein::per_row);
}

TEST_CASE("openmp: entries that are not adjacent floats or doubles") {
  constrains_alike<Eigen::half>(1203, 903, rein::per_row);
  constrains_alike<std::complex<float>>(503, 601, rein::per_row);

  const Eigen::MatrixXf start = uneven<Eigen::MatrixXf>(703, 907);
  same_for_any_number_of_threads([&] {
    Eigen::MatrixXf w = start;
    auto block = w.block(2, 1, 700, 901);
    const rein::Report report = rein::MaxNorm{20.0, rein::per_row}(block);
    return std::pair(w, report);
  });
}

TEST_CASE("openmp: a listed row becomes what a full call makes of it") {
  Eigen::setNbThreads(3);
  const Eigen::MatrixXf start = uneven<Eigen::MatrixXf>(703, 907);
  const rein::MaxNorm max_norm{13.0, rein::per_row};
  Eigen::MatrixXf all = start, some = start;
  max_norm(all);
  const std::vector<int> rows{0, 4, 5, 8, 702};
  CHECK(max_norm(some, rein::only(rows)).changed > 0);
  for (const int row : rows) CHECK(some.row(row) == all.row(row));
  Eigen::setNbThreads(0);
}

TEST_CASE("openmp: the other constraints give the same bits for any number of threads") {
  const Eigen::MatrixXd start = uneven<Eigen::MatrixXd>(403, 507);
  const Eigen::VectorXd normal = Eigen::VectorXd::LinSpaced(507, -1, 2);
  const auto check = [&](const auto& constraint) {
    same_for_any_number_of_threads([&] {
      Eigen::MatrixXd w = start;
      const rein::Report report = constraint(w);
      CHECK(report.changed > 0);
      CHECK(report.nonfinite == 1);
      return std::pair(w, report);
    });
  };
  check(rein::Box{-0.5, 0.25});
  check(rein::NonNegative{});
  check(rein::ZeroMean{rein::per_row});
  check(rein::L1Ball{100.0, rein::per_col});
  check(rein::Simplex{1.0, rein::per_row});
  check(rein::Halfspace{normal, 0.0, rein::per_row});
}

TEST_CASE("openmp: norms and rescale give the same bits for any number of threads") {
  const auto check = [](Index rows, Index cols, const auto& grouping) {
    INFO(rows << " x " << cols);
    const Eigen::MatrixXf start = uneven<Eigen::MatrixXf>(rows, cols);
    same_for_any_number_of_threads([&] {
      Eigen::ArrayXf norms = rein::norms(start, grouping);
      CHECK(norms.isNaN().count() == 1);
      return std::pair(norms, 0);
    });
    Eigen::ArrayXf factors = 1 + rein::norms(Eigen::MatrixXf::Random(rows, cols), grouping);
    for (Index v = 0; v < factors.size(); v += 3) factors[v] = 1;
    same_for_any_number_of_threads([&] {
      Eigen::MatrixXf w = start;
      const rein::Report report = rein::rescale(w, grouping, factors);
      CHECK(report.changed == factors.size() - (factors.size() + 2) / 3);
      return std::pair(w, report);
    });
  };
  check(700, 500, rein::per_row);
  check(100, 5000, rein::per_row);
  check(9000, 40, rein::per_row);
  check(700, 500, rein::per_col);
  check(5000, 100, rein::per_col);
  check(20, 9000, rein::per_col);
}

TEST_CASE("openmp: a step gives the same bits for any number of threads") {
  const auto check = [](const auto& constraint) {
    using W = Eigen::MatrixXf;
    const W start = uneven<W>(601, 503);
    const W gradient = W::Random(601, 503);
    same_for_any_number_of_threads([&] {
      W w = start;
      rein::Adam adam{w, {.learning_rate = 0.1, .amsgrad = true}, constraint};
      rein::Report report;
      for (int k = 0; k < 3; ++k) report += adam.step(w, gradient);
      return std::pair(w, report);
    });
  };
  check(rein::MaxNorm{20.0, rein::per_row});
  check(rein::MaxNorm{20.0, rein::per_col});
  check(rein::MaxNorm{300.0, rein::whole});
  check(rein::NonNegative{});
}

TEST_CASE("openmp: what becomes of the momentum has the same bits for any number of threads") {
  const auto check = [](const auto& constraint) {
    using W = Eigen::MatrixXf;
    const W start = uneven<W>(601, 503), gradient = W::Random(601, 503);
    for (const rein::Momentum what : {rein::Momentum::reset, rein::Momentum::tangent}) {
      same_for_any_number_of_threads([&] {
        W w = start;
        const rein::SgdOptions options{.momentum = 0.9, .after_projection = what};
        rein::Sgd sgd{w, options, constraint};
        rein::Report report;
        for (int k = 0; k < 3; ++k) report += sgd.step(w, gradient);
        W both(601, 1006);
        both << w, sgd.momentum();
        return std::pair(both, report);
      });
    }
  };
  check(rein::MaxNorm{13.0, rein::per_row});
  check(rein::UnitNorm{rein::per_col});
  check(rein::MaxNorm{20.0, rein::per_filter("iohw", {601, 503, 1, 1})});
}

TEST_CASE("openmp: a tied bias goes along, whichever thread rescales its row") {
  using W = Eigen::MatrixXd;
  const W start = uneven<W>(601, 503);
  same_for_any_number_of_threads([&] {
    W w = start;
    Eigen::VectorXd bias = Eigen::VectorXd::LinSpaced(601, 1, 2);
    const rein::Report report = rein::MaxNorm{20.0, rein::per_row}(w, rein::tied(bias));
    W both(601, 504);
    both << w, bias;
    return std::pair(both, report);
  });
}

TEST_CASE("openmp: a program's own threads may constrain different weights at once") {
  using W = Eigen::MatrixXf;
  const W start = uneven<W>(701, 803);
  W expected = start;
  const rein::MaxNorm max_norm{10.0, rein::per_row};
  max_norm(expected);
  std::vector<W> weights(8, start);
#pragma omp parallel for num_threads(4)
  for (int k = 0; k < 8; ++k) max_norm(weights[static_cast<std::size_t>(k)]);
  for (const W& w : weights)
    CHECK(oracle::same_bits(oracle::copy_of(w), oracle::copy_of(expected)));
}
