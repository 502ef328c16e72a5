#pragma once
// What a norm constraint should do, computed the plain way: the indices spelled out, long double,
// one number at a time. Nothing here is rein's.

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <Eigen/Core>

namespace oracle {

using Eigen::Index;

/// Whether the compiler optimizes. It does not for the sanitizers and for the coverage, where what
/// goes to great lengths would take minutes, and so does less.
#if defined(__OPTIMIZE__) || defined(NDEBUG)
inline constexpr bool optimized = true;
#else
inline constexpr bool optimized = false;
#endif

/// How often a test does something at random.
constexpr int tries(int where_optimized) {
  return optimized ? where_optimized : (where_optimized + 3) / 4;
}

inline constexpr Index long_vector = optimized ? 1'000'000 : 100'000;

/// The length up to which norms are promised to be right, where the compiler optimizes.
inline constexpr Index longest_vector = 10 * long_vector;

/// The numbers a scalar holds.
struct Format {
  const char* name;
  int digits;        // of the significand
  int min_exponent;  // 2^min_exponent is the smallest normal number
  int components;    // 2 for complex

  double epsilon() const { return std::ldexp(1.0, 1 - digits); }
  double smallest() const { return std::ldexp(1.0, min_exponent + 1 - digits); }
  double smallest_normal() const { return std::ldexp(1.0, min_exponent); }
  double largest() const { return std::ldexp(2 - epsilon(), 1 - min_exponent); }

  // Whether long double can judge it: on some systems it is no more than a double.
  bool judged() const { return LDBL_MANT_DIG > digits && LDBL_MIN_EXP < 4 * min_exponent; }
};

template <class Scalar>
Format format_of();
template <>
inline Format format_of<float>() {
  return {"float", 24, -126, 1};
}
template <>
inline Format format_of<double>() {
  return {"double", 53, -1022, 1};
}
template <>
inline Format format_of<Eigen::half>() {
  return {"half", 11, -14, 1};
}
template <>
inline Format format_of<Eigen::bfloat16>() {
  return {"bfloat16", 8, -126, 1};
}
template <>
inline Format format_of<std::complex<float>>() {
  return {"complex<float>", 24, -126, 2};
}
template <>
inline Format format_of<std::complex<double>>() {
  return {"complex<double>", 53, -1022, 2};
}

// By their bits, so that -ffast-math cannot take the answers for granted.
inline std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }
inline bool finite(double x) { return (bits(x) & 0x7FF0000000000000u) != 0x7FF0000000000000u; }

/// A copy of weights of any type, as doubles, which hold every scalar's numbers: number
/// (i * cols + j) * components + c is component c of entry (i, j).
struct Weights {
  Format format;
  Index rows, cols;
  bool row_major;  // the order of the memory, for filters
  std::vector<double> numbers;

  std::size_t place(Index i, Index j, int component = 0) const {
    return static_cast<std::size_t>((i * cols + j) * format.components + component);
  }
};

template <class W>
Weights copy_of(const W& w) {
  using Scalar = typename W::Scalar;
  Weights copy{format_of<Scalar>(), w.rows(), w.cols(), W::IsRowMajor, {}};
  copy.numbers.reserve(static_cast<std::size_t>(w.size() * copy.format.components));
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j) {
      const Scalar entry = w(i, j);
      if constexpr (Eigen::NumTraits<Scalar>::IsComplex) {
        copy.numbers.push_back(static_cast<double>(entry.real()));
        copy.numbers.push_back(static_cast<double>(entry.imag()));
      } else {
        copy.numbers.push_back(static_cast<double>(entry));
      }
    }
  }
  return copy;
}

template <class W>
void assign(W& w, const Weights& copy) {
  using Scalar = typename W::Scalar;
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j) {
      if constexpr (Eigen::NumTraits<Scalar>::IsComplex) {
        using Real = typename Scalar::value_type;
        w(i, j) = Scalar(static_cast<Real>(copy.numbers[copy.place(i, j, 0)]),
                         static_cast<Real>(copy.numbers[copy.place(i, j, 1)]));
      } else {
        w(i, j) = static_cast<Scalar>(copy.numbers[copy.place(i, j)]);
      }
    }
  }
}

inline bool same_bits(const Weights& a, const Weights& b) {
  return a.rows == b.rows && a.cols == b.cols &&
         std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(),
                    [](double x, double y) { return bits(x) == bits(y); });
}

/// Which entries form one vector.
struct Grouping {
  enum Kind { rows, cols, whole, filters } kind;
  std::string_view layout = {};  // of filters: the axes, slowest first
  std::vector<Index> dims = {};

  Index vectors(const Weights& w) const {
    if (kind == rows) return w.rows;
    if (kind == cols) return w.cols;
    if (kind == whole) return 1;
    Index product = 1;
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      if (layout[axis] == 'o') product *= dims[axis];
    }
    return product;
  }

  // The vector that entry (i, j) belongs to.
  Index vector_of(const Weights& w, Index i, Index j) const {
    if (kind == rows) return i;
    if (kind == cols) return j;
    if (kind == whole) return 0;
    Index place = w.row_major ? i * w.cols + j : j * w.rows + i;
    Index vector = 0, weight = 1;
    for (std::size_t axis = dims.size(); axis-- > 0; place /= dims[axis]) {
      if (layout[axis] != 'o') continue;
      vector += weight * (place % dims[axis]);
      weight *= dims[axis];
    }
    return vector;
  }
};

/// The places of each vector's numbers.
using Places = std::vector<std::size_t>;

inline std::vector<Places> vectors_of(const Weights& w, const Grouping& grouping) {
  std::vector<Places> vectors(static_cast<std::size_t>(grouping.vectors(w)));
  for (Index i = 0; i < w.rows; ++i) {
    for (Index j = 0; j < w.cols; ++j) {
      for (int c = 0; c < w.format.components; ++c) {
        vectors[static_cast<std::size_t>(grouping.vector_of(w, i, j))].push_back(w.place(i, j, c));
      }
    }
  }
  return vectors;
}

/// A sum of squares with the rounding errors kept.
class SquareSum {
 public:
  void add(long double x) {
    const long double square = x * x;
    // Where long double holds no more than a double, squares round too.
    if (LDBL_MANT_DIG < 64) lost_ += std::fma(x, x, -square);
    const long double total = sum_ + square;
    lost_ += sum_ >= square ? (sum_ - total) + square : (square - total) + sum_;
    sum_ = total;
  }

  long double norm() const { return std::sqrt(sum_ + lost_); }

 private:
  long double sum_ = 0, lost_ = 0;
};

inline long double norm(const Weights& w, const Places& vector) {
  SquareSum sum;
  for (const std::size_t place : vector) sum.add(w.numbers[place]);
  return sum.norm();
}

inline bool finite(const Weights& w, const Places& vector) {
  return std::all_of(vector.begin(), vector.end(),
                     [&](std::size_t place) { return finite(w.numbers[place]); });
}

inline bool same_bits(const Weights& a, const Weights& b, const Places& vector) {
  return std::all_of(vector.begin(), vector.end(), [&](std::size_t place) {
    return bits(a.numbers[place]) == bits(b.numbers[place]);
  });
}

/// What a norm constraint asks for.
struct Rule {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  double rate = 1;

  bool satisfied(long double norm) const {
    return norm == 0 || rate == 0 || (norm >= low && norm <= high);
  }

  // The norm after one application.
  long double wanted(long double norm) const {
    if (satisfied(norm)) return norm;
    const long double target = norm < low ? low : high;
    // A sum of positive numbers: nothing cancels at rates next to 1.
    return rate == 1 ? target : (1 - static_cast<long double>(rate)) * norm + rate * target;
  }
};

}  // namespace oracle
