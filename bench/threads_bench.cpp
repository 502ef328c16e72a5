// One thread beside two, in a program compiled with OpenMP.
//
//     <threads>/read/<scalar>/<shape>/colmajor       squaredNorm() of a part of W for each thread
//     <threads>/scale/<scalar>/<shape>/colmajor      *= s, the same way
//     <threads>/project/<scalar>/<shape>/<grouping>/colmajor/<violators>         rein::MaxNorm
//     <threads>/step/adam/<scalar>/<shape>/alone
//     <threads>/step/adam/<scalar>/<shape>/<grouping>/<violators>
//
// <threads> is one_thread or two_threads. The first two tell what the machine gives to a second
// thread. Time is real time. bench/ratios.py and bench/peers.py run these.

#include <omp.h>
#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/grouping.hpp>

#include "projection.hpp"
#include "step.hpp"
#include "violation.hpp"

namespace {

using bench::AdamCase, bench::Matrix, bench::scalar_name, bench::Violators;
using Eigen::Index;

// The one matrix of a scalar and size.
template <class Scalar>
Matrix<Scalar>& weights_of_size(Index size) {
  static Matrix<Scalar> kept;
  if (kept.rows() != size) kept.setZero(size, size);
  return kept;
}

// Calls pass(some columns of W) in each of the threads.
template <class Scalar, class Pass>
void in_parts(Matrix<Scalar>& weights, const Pass& pass) {
#pragma omp parallel num_threads(Eigen::nbThreads())
  {
    const Index team = omp_get_num_threads();
    const Index me = omp_get_thread_num();
    const Index begin = weights.cols() * me / team;
    pass(weights.middleCols(begin, weights.cols() * (me + 1) / team - begin));
  }
}

template <class Scalar>
void read(benchmark::State& state, Matrix<Scalar>& weights) {
  bench::fill_randomly(weights);
  const auto pass = [&] {
    in_parts(weights, [](const auto& part) { benchmark::DoNotOptimize(part.squaredNorm()); });
    benchmark::ClobberMemory();
  };
  pass();
  for (auto _ : state) pass();
  bench::count_bytes(state, weights);
}

template <class Scalar>
void scale(benchmark::State& state, Matrix<Scalar>& weights) {
  bench::fill_randomly(weights);
  auto factor = static_cast<Scalar>(2);
  const auto pass = [&] {
    in_parts(weights, [&](auto part) { part *= factor; });
    factor = 1 / factor;
    benchmark::ClobberMemory();
  };
  pass();
  for (auto _ : state) pass();
  bench::count_bytes(state, weights);
}

template <class Scalar>
void add(Index size, int threads) {
  const std::string key =
      std::string(scalar_name<Scalar>) + "/" + std::to_string(size) + "x" + std::to_string(size);
  const auto add_one = [&](const std::string& name, int streams, auto run) {
    const auto bytes = static_cast<double>(size * size * streams) * sizeof(Scalar);
    benchmark::RegisterBenchmark(((threads == 1 ? "one_thread/" : "two_threads/") + name).c_str(),
                                 [=](benchmark::State& state) {
                                   Eigen::setNbThreads(threads);
                                   run(state);
                                 })
        ->Iterations(bench::iterations_in(10, bytes))
        ->UseRealTime();
  };

  add_one("read/" + key + "/colmajor", 1,
          [=](auto& state) { read(state, weights_of_size<Scalar>(size)); });
  add_one("scale/" + key + "/colmajor", 1,
          [=](auto& state) { scale(state, weights_of_size<Scalar>(size)); });
  add_one("step/adam/" + key + "/alone", AdamCase::streams,
          [=](auto& state) { bench::step_alone<AdamCase, Scalar>(state, size); });
  const auto add_grouping = [&](const std::string& name, const auto& grouping) {
    for (const Violators violators : {Violators::none, Violators::all}) {
      add_one("project/" + key + "/" + name + "/colmajor/" + bench::name_of(violators), 1,
              [=](auto& state) {
                bench::project(state, weights_of_size<Scalar>(size), grouping, violators);
              });
      add_one("step/adam/" + key + "/" + name + "/" + bench::name_of(violators), AdamCase::streams,
              [=](auto& state) {
                bench::step_constrained<AdamCase, Scalar>(state, size, grouping, violators);
              });
    }
  };
  add_grouping("per_col", rein::per_col);
  add_grouping("per_row", rein::per_row);
}

template <class Scalar>
void add_all() {
  for (const int threads : {1, 2}) {
    for (const Index size : {512, 1024, 4096}) add<Scalar>(size, threads);
    const Index large = bench::size_beyond_caches(sizeof(Scalar));
    if (large > 4096) add<Scalar>(large, threads);
  }
}

[[maybe_unused]] const bool added = (add_all<float>(), add_all<double>(), true);

}  // namespace
