// An optimizer step, alone and with a constraint, beside a pass over the same streams of memory
// with almost no arithmetic and beside hand-written Eigen.
//
//     stream/<optimizer>/<scalar>/<shape>                      the same reads and writes
//     hand/<optimizer>/<scalar>/<shape>                        whole-matrix statements
//     step/<optimizer>/<scalar>/<shape>/alone
//     step/<optimizer>/<scalar>/<shape>/<grouping>/<violators>       the matrices are column-major
//     step/<optimizer>/<scalar>/<shape>/entries/none                 Box
//
// bench/ratios.py runs and pairs them.

#include <algorithm>
#include <cmath>
#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/grouping.hpp>

#include "projection.hpp"
#include "step.hpp"
#include "violation.hpp"

namespace {

using bench::AdamCase, bench::SgdCase, bench::Matrix, bench::scalar_name, bench::Violators;
using Eigen::Index;

// x += little * g, the least that reads g and x and writes x.
template <class Scalar>
void add_little(Scalar* __restrict x, const Scalar* __restrict g, Index n) {
  for (Index i = 0; i < n; ++i) x[i] += static_cast<Scalar>(0x1p-30) * g[i];
}

// A chunk of g stays in the cache while the others are updated with it.
template <class Optimizer, class Scalar>
void streams(benchmark::State& state, Index size) {
  auto& [weights, gradient] = bench::parameter<Scalar>(size);
  bench::fill_randomly(weights);
  Matrix<Scalar> m = Matrix<Scalar>::Zero(size, size), v = m;
  const auto pass = [&, w = weights.data(), g = gradient.data()] {
    constexpr Index chunk = 1024;
    for (Index begin = 0; begin < m.size(); begin += chunk) {
      const Index n = (std::min)(chunk, m.size() - begin);
      add_little(m.data() + begin, g + begin, n);
      if constexpr (Optimizer::streams == 7) add_little(v.data() + begin, g + begin, n);
      add_little(w + begin, g + begin, n);
    }
  };
  pass();  // zeros may not be in memory until they are written to
  for (auto _ : state) {
    pass();
    benchmark::ClobberMemory();
  }
  bench::count_stream_bytes<Optimizer>(state, weights);
}

template <class Optimizer, class Scalar>
void by_hand(benchmark::State& state, Index size) {
  auto& [weights, gradient] = bench::parameter<Scalar>(size);
  bench::fill_randomly(weights);
  Matrix<Scalar> m = Matrix<Scalar>::Zero(size, size), v = m;
  auto w = weights.array();
  const auto g = gradient.array();
  double power1 = 1, power2 = 1;
  const auto step = [&] {
    if constexpr (Optimizer::streams == 7) {
      power1 *= 0.9;
      power2 *= 0.999;
      const auto rate = static_cast<Scalar>(1e-6 / (1 - power1));
      const auto correction = static_cast<Scalar>(1 / std::sqrt(1 - power2));
      m.array() = Scalar(0.9) * m.array() + Scalar(0.1) * g;
      v.array() = Scalar(0.999) * v.array() + Scalar(0.001) * g.square();
      w -= rate * m.array() / (v.array().sqrt() * correction + Scalar(1e-8));
    } else {
      m.array() = Scalar(0.9) * m.array() + g;
      w -= Scalar(1e-6) * m.array();
    }
  };
  step();
  for (auto _ : state) {
    step();
    benchmark::ClobberMemory();
  }
  bench::count_stream_bytes<Optimizer>(state, weights);
}

template <class Optimizer, class Scalar>
void add(Index size) {
  const std::string key = std::string(Optimizer::name) + "/" + scalar_name<Scalar> + "/" +
                          std::to_string(size) + "x" + std::to_string(size);
  const double bytes = static_cast<double>(size * size) * sizeof(Scalar) * Optimizer::streams;
  const auto iterations = bench::iterations_in(20, bytes);
  const auto add_one = [&](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(iterations);
  };

  add_one("stream/" + key, [=](auto& state) { streams<Optimizer, Scalar>(state, size); });
  add_one("hand/" + key, [=](auto& state) { by_hand<Optimizer, Scalar>(state, size); });
  add_one("step/" + key + "/alone",
          [=](auto& state) { bench::step_alone<Optimizer, Scalar>(state, size); });
  add_one("step/" + key + "/entries/none",
          [=](auto& state) { bench::step_within_bounds<Optimizer, Scalar>(state, size); });
  for (const Violators violators : {Violators::none, Violators::a_tenth, Violators::all}) {
    add_one("step/" + key + "/per_col/" + bench::name_of(violators), [=](auto& state) {
      bench::step_constrained<Optimizer, Scalar>(state, size, rein::per_col, violators);
    });
    add_one("step/" + key + "/per_row/" + bench::name_of(violators), [=](auto& state) {
      bench::step_constrained<Optimizer, Scalar>(state, size, rein::per_row, violators);
    });
  }
}

template <class Scalar>
void add_all() {
  const Index large = bench::size_beyond_caches(3 * sizeof(Scalar));  // of Sgd w, g and m
  for (const Index size : {Index(16), Index(64), Index(256), Index(1024), large}) {
    add<AdamCase, Scalar>(size);
    add<SgdCase, Scalar>(size);
  }
}

[[maybe_unused]] const bool added = [] {
  add_all<float>();
  add_all<double>();
  for (const Index size : {512, 2048}) add<AdamCase, float>(size);  // for docs/plots/step.gp
  if (bench::size_beyond_caches(3 * sizeof(float)) > 4096) add<AdamCase, float>(4096);
  return true;
}();

}  // namespace
