// How time and memory grow with the weights: square float matrices of 1 MiB to 4 GiB.
//
//     read/float/<shape>/colmajor                             W.squaredNorm()
//     scale/float/<shape>/colmajor                            W *= s
//     project/float/<shape>/<grouping>/colmajor/<violators>   rein::MaxNorm
//
// The counter beyond_weights of a projection is the peak of the process' memory during one call,
// less the weights': program, libraries, stack and heap (Linux only). Needs 5 GB.
// bench/ratios.py --programs growth runs these.

#include <fstream>
#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/grouping.hpp>

#include "projection.hpp"
#include "violation.hpp"

namespace {

using bench::Violators;
using Eigen::Index;
using W = Eigen::MatrixXf;

// The one matrix there is: larger ones come after smaller ones.
W& weights_of_size(Index size) {
  static W kept;
  if (kept.rows() != size) {
    kept.resize(0, 0);
    kept.setZero(size, size);
  }
  return kept;
}

// The kernel's account of this process.
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return 1024 * kibibytes;
  }
  return 0;
}

template <class G>
void project(benchmark::State& state, Index size, const G& grouping, Violators violators) {
  W& weights = weights_of_size(size);
  bench::fill_randomly(weights);
  const rein::MaxNorm max_norm{violators == Violators::all ? 0.1 : 1e30, grouping};
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak is counted from here
  max_norm(weights);
  state.counters["beyond_weights"] = peak_bytes() - static_cast<double>(weights.size()) * 4;
  bench::project(state, weights, grouping, violators);
}

void add(Index size) {
  const std::string key = "float/" + std::to_string(size) + "x" + std::to_string(size);
  const auto bytes = static_cast<double>(size * size) * sizeof(float);
  const auto add_one = [&](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(bench::iterations_in(10, bytes));
  };

  add_one("read/" + key + "/colmajor",
          [=](auto& state) { bench::read(state, weights_of_size(size)); });
  add_one("scale/" + key + "/colmajor",
          [=](auto& state) { bench::scale(state, weights_of_size(size)); });
  for (const Violators violators : {Violators::none, Violators::all}) {
    const std::string end = std::string("/colmajor/") + bench::name_of(violators);
    add_one("project/" + key + "/per_col" + end,
            [=](auto& state) { project(state, size, rein::per_col, violators); });
    add_one("project/" + key + "/per_row" + end,
            [=](auto& state) { project(state, size, rein::per_row, violators); });
  }
}

[[maybe_unused]] const bool added = [] {
  for (Index size = 512; size <= 32768; size *= 2) add(size);
  return true;
}();

}  // namespace
