// Constraints that are not on norms, beside the read pass.
//
//     read/<scalar>/<shape>/colmajor
//     constraint/<scalar>/<shape>/<name>/<grouping>/<where>
//
// <where> is inside, where the weights are as the constraint left them, or outside: no vector is
// satisfied (of Box, three entries in four are not) before each call. Only the call is timed.
//
// bench/ratios.py runs and pairs them.

#include <chrono>
#include <cmath>
#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/box.hpp>
#include <rein/halfspace.hpp>
#include <rein/l1_ball.hpp>
#include <rein/simplex.hpp>
#include <rein/zero_mean.hpp>

#include "projection.hpp"
#include "violation.hpp"

namespace {

using Eigen::Index;

template <class W, class C>
void constrain(benchmark::State& state, Index size, const C& constraint, bool outside) {
  W start(size, size);
  bench::fill_randomly(start);
  if (!outside) constraint(start);
  W weights = start;
  for (auto _ : state) {
    if (outside) weights = start;
    const auto begin = std::chrono::steady_clock::now();
    rein::Report report = constraint(weights);
    benchmark::DoNotOptimize(report);
    benchmark::ClobberMemory();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(time.count());
    if ((report.changed == 0) == outside) {
      state.SkipWithError("not what was meant was changed");
      break;
    }
  }
  bench::count_bytes(state, weights);
}

template <class Scalar>
void add(Index size) {
  using W = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const std::string key = std::string(bench::scalar_name<Scalar>) + "/" + std::to_string(size) +
                          "x" + std::to_string(size) + "/";
  const auto bytes = static_cast<double>(size * size) * sizeof(Scalar);
  benchmark::RegisterBenchmark(("read/" + key + "colmajor").c_str(), [=](benchmark::State& state) {
    W weights(size, size);
    bench::read(state, weights);
  })->Iterations(bench::iterations_in(10, bytes));
  const auto add_one = [&](const std::string& name, const auto& constraint) {
    for (const bool outside : {false, true}) {
      benchmark::RegisterBenchmark(
          ("constraint/" + key + name + (outside ? "/outside" : "/inside")).c_str(),
          [=](benchmark::State& state) { constrain<W>(state, size, constraint, outside); })
          ->Iterations(bench::iterations_in(10, 20 * bytes))
          ->UseManualTime();
    }
  };
  const double length = static_cast<double>(size);
  const auto add_grouping = [&](const std::string& name, const auto& grouping) {
    add_one("ZeroMean/" + name, rein::ZeroMean{grouping});
    add_one("Halfspace/" + name,
            rein::Halfspace{Eigen::VectorXd::Ones(size), -10 * std::sqrt(length), grouping});
    add_one("L1Ball/" + name, rein::L1Ball{0.1 * length, grouping});
    add_one("Simplex/" + name, rein::Simplex{1.0, grouping});
  };
  add_one("Box/entries", rein::Box{-0.75, 0.75});
  add_grouping("per_col", rein::per_col);
  add_grouping("per_row", rein::per_row);
}

[[maybe_unused]] const bool added = [] {
  add<float>(64);
  add<float>(1024);
  add<double>(1024);
  return true;
}();

}  // namespace
