#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include <Eigen/Core>

namespace rein::detail {

// Throws std::invalid_argument with "rein::", the owner, ": " and the parts; without exceptions,
// prints that and aborts.
[[noreturn]] inline void invalid_argument(std::string_view owner,
                                          std::initializer_list<std::string_view> parts) {
  std::string message = "rein::";
  message.append(owner).append(": ");
  for (const std::string_view part : parts) message.append(part);
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
  throw std::invalid_argument(message);
#else
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
#endif
}

inline std::string text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.17g", value);
  char shorter[32];
  std::snprintf(shorter, sizeof shorter, "%.6g", value);
  return std::strtod(shorter, nullptr) == value ? shorter : digits;
}

inline std::string text(Eigen::Index value) { return std::to_string(value); }

inline std::string shape(Eigen::Index rows, Eigen::Index cols) {
  char sizes[48];
  std::snprintf(sizes, sizeof sizes, "%lld x %lld", static_cast<long long>(rows),
                static_cast<long long>(cols));
  return sizes;
}

template <class Value>
[[noreturn]] EIGEN_DONT_INLINE void refuse(const char* owner, const char* argument, Value value,
                                           const char* rule) {
  invalid_argument(owner, {argument, " is ", text(value), "; it must be ", rule});
}

// Refuses `value` unless `ok`: "rein::MaxNorm: limit is -1; it must be a finite number >= 0".
template <class Value>
EIGEN_STRONG_INLINE void require(bool ok, const char* owner, const char* argument, Value value,
                                 const char* rule) {
  if (!ok) refuse(owner, argument, value, rule);
}

}  // namespace rein::detail
