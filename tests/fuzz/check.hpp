#pragma once
// CHECK for a fuzz target: the laws are the tests' own, but the first one that is broken says so
// and ends the program, so that the fuzzer keeps the input.

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#pragma clang diagnostic ignored \
    "-Woverloaded-shift-op-parentheses"  // CHECK(a == b) is (x << a) == b

namespace fuzz {

struct Outcome {
  bool passed;
  std::string values;
};

template <class T>
std::string told(const T& value) {
  if constexpr (requires(std::ostream & out) { out << value; }) {
    std::ostringstream out;
    out.precision(17);
    out << value;
    return out.str();
  } else {
    return "...";
  }
}

/// The left side of a comparison.
template <class T>
struct Left {
  const T& value;

  template <class U>
  Outcome compare(bool passed, const U& right) const {
    return {passed, passed ? "" : told(value) + " | " + told(right)};
  }
  template <class U>
  Outcome operator==(const U& right) const {
    return compare(value == right, right);
  }
  template <class U>
  Outcome operator!=(const U& right) const {
    return compare(value != right, right);
  }
  template <class U>
  Outcome operator<(const U& right) const {
    return compare(value < right, right);
  }
  template <class U>
  Outcome operator<=(const U& right) const {
    return compare(value <= right, right);
  }
  template <class U>
  Outcome operator>(const U& right) const {
    return compare(value > right, right);
  }
  operator Outcome() const { return {bool(value), told(value)}; }
};

struct Decomposer {
  template <class T>
  Left<T> operator<<(const T& value) const {
    return {value};
  }
};

inline void check(const Outcome& outcome, const char* expression, const char* file, int line) {
  if (outcome.passed) return;
  std::fprintf(stderr, "%s:%d: %s: %s\n", file, line, expression, outcome.values.c_str());
  std::abort();
}

}  // namespace fuzz

#define CHECK(...) \
  ::fuzz::check(::fuzz::Decomposer() << __VA_ARGS__, #__VA_ARGS__, __FILE__, __LINE__)
#define INFO(...) \
  if (false) static_cast<void>(std::ostringstream() << __VA_ARGS__)
