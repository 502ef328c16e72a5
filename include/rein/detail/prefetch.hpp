#pragma once

#include <cstdint>

#include <Eigen/Core>

namespace rein::detail {

// Prefetches the line of the cache at an address. g++ removes calls of a function that does nothing
// else, such as Eigen's.
EIGEN_ALWAYS_INLINE void prefetch_line(std::intptr_t address) {
  const auto place = reinterpret_cast<const char*>(address);
#if defined(__GNUC__)
  __builtin_prefetch(place);
  asm volatile("");
#else
  Eigen::internal::prefetch(place);
#endif
}

// Prefetches the first lines from an address on. Compiled once.
EIGEN_DONT_INLINE inline void prefetch_from(std::intptr_t address) {
  constexpr std::intptr_t lines = 8, line_size = 64;
  for (std::intptr_t line = 0; line < lines; ++line) prefetch_line(address + line * line_size);
}

}  // namespace rein::detail
