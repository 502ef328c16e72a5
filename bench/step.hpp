#pragma once

#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/adam.hpp>
#include <rein/box.hpp>
#include <rein/max_norm.hpp>
#include <rein/sgd.hpp>

#include "violation.hpp"

// What the programs time on a parameter with its gradient: rein's steps, alone, with MaxNorm and
// with Box.

namespace bench {

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

struct AdamCase {
  static constexpr const char* name = "adam";
  static constexpr int streams = 7;

  template <class W, class C>
  static auto make(const W& weights, const C& constraint) {
    return rein::Adam{weights, rein::AdamOptions{.learning_rate = 1e-6}, constraint};
  }
};

struct SgdCase {
  static constexpr const char* name = "sgd";
  static constexpr int streams = 5;

  template <class W, class C>
  static auto make(const W& weights, const C& constraint) {
    return rein::Sgd{weights, rein::SgdOptions{.learning_rate = 1e-6, .momentum = 0.9}, constraint};
  }
};

// One parameter with its gradient, the same for all benchmarks of a scalar and size.
template <class Scalar>
struct Parameter {
  Matrix<Scalar> weights, gradient;
};

template <class Scalar>
Parameter<Scalar>& parameter(Index size) {
  static Parameter<Scalar> kept;
  if (kept.weights.rows() != size) {
    kept.weights.resize(size, size);
    kept.gradient.resize(size, size);
    fill_randomly(kept.gradient, 2);
  }
  return kept;
}

// bytes_per_second counts the bytes of all streams: for Adam w, g, m, v in and w, m, v out.
template <class Optimizer, class Scalar>
void count_stream_bytes(benchmark::State& state, const Matrix<Scalar>& weights) {
  state.SetBytesProcessed(state.iterations() * weights.size() * Optimizer::streams *
                          static_cast<Index>(sizeof(Scalar)));
}

template <class Optimizer, class Scalar>
void step_alone(benchmark::State& state, Index size) {
  auto& [weights, gradient] = parameter<Scalar>(size);
  fill_randomly(weights);
  auto optimizer = Optimizer::make(weights, rein::Unconstrained{});
  optimizer.step(weights, gradient);  // the first step of Sgd only writes its momentum
  for (auto _ : state) {
    optimizer.step(weights, gradient);
    benchmark::ClobberMemory();
  }
  count_stream_bytes<Optimizer>(state, weights);
}

template <class Optimizer, class Scalar, class G>
void step_constrained(benchmark::State& state, Index size, const G& grouping, Violators violators) {
  auto& [weights, gradient] = parameter<Scalar>(size);
  ShrinkingLimit limits(weights, grouping, violators);
  auto optimizer = Optimizer::make(weights, rein::MaxNorm{limits.current(), grouping});
  optimizer.step(weights, gradient);
  Index changed = 0;
  for (auto _ : state) {
    optimizer.constraint() = rein::MaxNorm{limits.next(), grouping};
    changed += optimizer.step(weights, gradient).changed;
    benchmark::ClobberMemory();
  }
  if (changed != limits.expected() * state.iterations()) {
    state.SkipWithError("other vectors were changed than meant");
  }
  count_stream_bytes<Optimizer>(state, weights);
}

// With bounds that no entry is outside of.
template <class Optimizer, class Scalar>
void step_within_bounds(benchmark::State& state, Index size) {
  auto& [weights, gradient] = parameter<Scalar>(size);
  fill_randomly(weights);
  auto optimizer = Optimizer::make(weights, rein::Box{-2, 2});
  optimizer.step(weights, gradient);
  Index changed = 0;
  for (auto _ : state) {
    changed += optimizer.step(weights, gradient).changed;
    benchmark::ClobberMemory();
  }
  if (changed != 0) state.SkipWithError("entries were outside");
  count_stream_bytes<Optimizer>(state, weights);
}

}  // namespace bench
