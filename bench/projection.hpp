#pragma once

#include <algorithm>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/max_norm.hpp>

#include "context.hpp"
#include "violation.hpp"

// What the programs time on one matrix of weights: the passes of plain Eigen that limit a
// projection, and rein's. Each is done once before it is timed, so that all of them find in the
// caches what they themselves left there.

namespace bench {

// How often a repetition runs what goes over so many bytes, to take about this long.
inline benchmark::IterationCount iterations_in(double milliseconds, double bytes) {
  return static_cast<benchmark::IterationCount>(
      (std::max)(3.0, 1e6 * milliseconds / (20 + 0.1 * bytes)));
}

// bytes_per_second counts the weights' bytes once, whatever the pass.
template <class W>
void count_bytes(benchmark::State& state, const W& weights) {
  state.SetBytesProcessed(state.iterations() * weights.size() *
                          static_cast<Index>(sizeof(typename W::Scalar)));
}

template <class W>
void read(benchmark::State& state, W& weights) {
  fill_randomly(weights);
  benchmark::DoNotOptimize(weights.squaredNorm());
  for (auto _ : state) {
    benchmark::DoNotOptimize(weights.squaredNorm());
    benchmark::ClobberMemory();
  }
  count_bytes(state, weights);
}

template <class W>
void scale(benchmark::State& state, W& weights) {
  fill_randomly(weights);
  auto factor = static_cast<typename W::Scalar>(2);
  const auto pass = [&] {
    weights *= factor;
    factor = 1 / factor;
    benchmark::DoNotOptimize(weights.data());
    benchmark::ClobberMemory();
  };
  pass();
  for (auto _ : state) pass();
  count_bytes(state, weights);
}

template <class W, class G>
void project(benchmark::State& state, W& weights, const G& grouping, Violators violators) {
  ShrinkingLimit limits(weights, grouping, violators);
  rein::MaxNorm{limits.next(), grouping}(weights);
  Index changed = 0;
  for (auto _ : state) {
    const rein::MaxNorm max_norm{limits.next(), grouping};
    rein::Report report = max_norm(weights);
    changed += report.changed;
    benchmark::DoNotOptimize(report);
    benchmark::ClobberMemory();
  }
  if (changed != limits.expected() * state.iterations()) {
    state.SkipWithError("other vectors were changed than meant");
  }
  count_bytes(state, weights);
}

}  // namespace bench
