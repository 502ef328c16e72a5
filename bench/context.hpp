#pragma once

#include <algorithm>
#include <string>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

// What a program was compiled with, for the context of its results, and what is too large for the
// machine's caches.

namespace bench {

[[maybe_unused]] inline const bool context_added = [] {
#if defined(__clang__)
  benchmark::AddCustomContext("compiler", __VERSION__);
#else
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
  benchmark::AddCustomContext("flags", BENCH_FLAGS);
  benchmark::AddCustomContext("eigen", std::to_string(EIGEN_WORLD_VERSION) + "." +
                                           std::to_string(EIGEN_MAJOR_VERSION) + "." +
                                           std::to_string(EIGEN_MINOR_VERSION));
  benchmark::AddCustomContext("simd", Eigen::SimdInstructionSetsInUse());
  return true;
}();

// The size of square matrices of so many bytes to an entry that are twice as large as the largest
// cache. Machines that are part of a larger one report all of its cache.
inline Eigen::Index size_beyond_caches(Eigen::Index bytes) {
  Eigen::Index largest = 0, size = 4096;
  for (const auto& cache : benchmark::CPUInfo::Get().caches) {
    largest = (std::max)(largest, static_cast<Eigen::Index>(cache.size));
  }
  while (size * size * bytes < 2 * largest) size += 2048;
  return size;
}

}  // namespace bench
