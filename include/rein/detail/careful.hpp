#pragma once

#include <algorithm>
#include <cmath>

#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>

// The second look at a vector whose plain sum of squares overflowed, underflowed or is not a
// number, and at norms and factors that a double cannot hold. Numbers are kept as
// mantissa * 2^exponent; entry by entry, slow, and rarely needed.

namespace rein::detail {

struct ScaledNumber {
  double mantissa;
  int exponent;
};

inline ScaledNumber scaled(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  return {mantissa, exponent};
}

inline const ScaledNumber& scaled(const ScaledNumber& number) { return number; }

inline double unscaled(const ScaledNumber& number) {
  return std::ldexp(number.mantissa, number.exponent);
}

// Calls visit(component) for each stored number of vector v.
template <class View, class Visit>
void for_each_component(const View& view, Index v, Visit visit) {
  using Traits = ScalarTraits<typename View::Scalar>;
  for (Index o = 0; o < view.outer; ++o) {
    for (Index i = 0; i < view.inner; ++i) {
      auto& entry = view.entry(o, v, i);
      if constexpr (Traits::components == 1) {
        visit(entry);
      } else {
        auto* parts = reinterpret_cast<
            std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(entry)>>,
                               const typename Traits::Component, typename Traits::Component>*>(
            &entry);
        visit(parts[0]);
        visit(parts[1]);
      }
    }
  }
}

struct CarefulNorm {
  bool finite;
  ScaledNumber norm;  // where not finite, the mantissa is a NaN or an Inf
};

// The L2 norm of vector v, whatever its entries are.
template <class View>
CarefulNorm careful_norm(const View& view, Index v) {
  std::uint64_t largest_bits = 0;  // the order of magnitudes is the order of their bits
  for_each_component(view, v, [&](const auto& x) {
    const std::uint64_t magnitude = bits_of(static_cast<double>(x)) & ~sign_bit;
    largest_bits = (std::max)(largest_bits, magnitude);
  });
  if (largest_bits >= infinity_bits) return {false, {std::bit_cast<double>(largest_bits), 0}};
  if (largest_bits == 0) return {true, {0, 0}};

  // A power of two brings the largest entry close to 1; the clamp keeps the power itself normal.
  const int exponent =
      std::clamp(scaled(std::bit_cast<double>(largest_bits)).exponent, -1000, 1000);
  const double scale = std::ldexp(1.0, -exponent);
  double sum = 0, lost = 0;
  for_each_component(view, v, [&](const auto& x) {
    const double small = static_cast<double>(x) * scale;
    add_keeping_error(sum, lost, small * small);
  });
  return {true, {std::sqrt(sum + lost), exponent}};
}

// x * factor for any factor >= 0: never an overflow, and rounded towards zero where the result is
// subnormal, so that a shortened vector cannot grow past its limit by rounding.
template <class Component>
Component careful_product(Component x, const ScaledNumber& factor) {
  using Traits = ScalarTraits<Component>;
  constexpr int max_exponent = 2 - Traits::min_exponent;
  const ScaledNumber value = scaled(static_cast<double>(x));
  if (value.mantissa == 0 || !is_finite(static_cast<double>(x))) return x;
  const ScaledNumber product = scaled(value.mantissa * factor.mantissa);
  const int exponent = product.exponent + value.exponent + factor.exponent;
  double result = 0;
  if (exponent <= Traits::min_exponent) {
    const double units = std::ldexp(product.mantissa, exponent - Traits::denorm_exponent);
    result = std::ldexp(std::trunc(units), Traits::denorm_exponent);
  } else {
    const double largest = largest_number<Component>;
    result = exponent > max_exponent
                 ? std::copysign(largest, product.mantissa)
                 : std::clamp(std::ldexp(product.mantissa, exponent), -largest, largest);
  }
  return static_cast<Component>(result);
}

// Multiplies the entries of vector v; says whether a bit changed.
template <class View>
bool careful_rescale(const View& view, Index v, const ScaledNumber& factor) {
  bool changed = false;
  for_each_component(view, v, [&](auto& x) {
    const auto product = careful_product(x, factor);
    if (product != x) {
      x = product;
      changed = true;
    }
  });
  return changed;
}

}  // namespace rein::detail
