#pragma once

#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <Eigen/Core>

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "rein needs Eigen 3.4 or newer"
#endif

namespace rein::detail {

using Eigen::Index;

constexpr double power_of_two(int exponent) {
  double power = 1;
  for (; exponent > 0; --exponent) power *= 2;
  for (; exponent < 0; ++exponent) power /= 2;
  return power;
}

// What the kernels know of a weight's scalar.
//   Component   one stored number: the scalar itself, or the real type of a complex one
//   components  how many of them a scalar holds
//   Real        the type that sums and factors are computed in
template <class Scalar>
struct ScalarTraits {
  static constexpr bool supported = false;
  // Named all the same, so that the one error is the sentence that refuses the scalar.
  using Component = Scalar;
  using Real = double;
};

template <class Scalar, class Accumulator, int Digits, int MinExponent>
struct RealScalarTraits {
  static constexpr bool supported = true;
  using Component = Scalar;
  using Real = Accumulator;
  static constexpr int components = 1;
  // Machine epsilon, spelled out because Eigen 3.4 gives another one for half.
  static constexpr double epsilon = 1.0 / static_cast<double>(std::int64_t{1} << (Digits - 1));
  // The smallest normal number is 2^min_exponent, the smallest subnormal 2^denorm_exponent.
  static constexpr int min_exponent = MinExponent;
  static constexpr int denorm_exponent = MinExponent - (Digits - 1);
};

template <>
struct ScalarTraits<float> : RealScalarTraits<float, float, 24, -126> {};
template <>
struct ScalarTraits<double> : RealScalarTraits<double, double, 53, -1022> {};
template <>
struct ScalarTraits<Eigen::half> : RealScalarTraits<Eigen::half, float, 11, -14> {};
template <>
struct ScalarTraits<Eigen::bfloat16> : RealScalarTraits<Eigen::bfloat16, float, 8, -126> {};
template <class T>
requires(std::is_same_v<T, float> || std::is_same_v<T, double>) struct ScalarTraits<std::complex<T>>
    : ScalarTraits<T> {
  static constexpr int components = 2;
};

// The largest finite number: (1 - eps / 2) * 2^(2 - min_exponent).
template <class Scalar>
inline constexpr double largest_number = (1 - ScalarTraits<Scalar>::epsilon / 2) *
                                         power_of_two(1 - ScalarTraits<Scalar>::min_exponent) * 2;

// Entries that lie in memory as Reals need no conversion.
template <class Scalar>
inline constexpr bool is_native =
    std::is_same_v<typename ScalarTraits<Scalar>::Component, typename ScalarTraits<Scalar>::Real>;

// The memory of native entries.
template <class Scalar>
auto* as_reals(Scalar* x) {
  using Real = typename ScalarTraits<std::remove_const_t<Scalar>>::Real;
  return reinterpret_cast<std::conditional_t<std::is_const_v<Scalar>, const Real*, Real*>>(x);
}

// Writes n entries as Reals.
template <class Scalar>
void load(const Scalar* x, Index stride, Index n, typename ScalarTraits<Scalar>::Real* reals) {
  using Traits = ScalarTraits<Scalar>;
  for (Index i = 0; i < n; ++i) {
    if constexpr (Traits::components == 2) {
      reals[2 * i] = x[i * stride].real();
      reals[2 * i + 1] = x[i * stride].imag();
    } else {
      reals[i] = static_cast<typename Traits::Real>(x[i * stride]);
    }
  }
}

template <class Real>
using Bits = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;

// The bits of a number that was computed. Under -ffast-math a compiler may assume that a computed
// value is finite and fold the test away; a trip through volatile memory hides where it came from.
template <class Real>
Bits<Real> bits_of(Real value) {
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
  volatile Real hidden = value;
  value = hidden;
#endif
  return std::bit_cast<Bits<Real>>(value);
}

inline constexpr std::uint64_t sign_bit = 0x8000000000000000u;
inline constexpr std::uint64_t infinity_bits = 0x7FF0000000000000u;

inline bool is_finite(double value) { return (bits_of(value) & infinity_bits) != infinity_bits; }

}  // namespace rein::detail
