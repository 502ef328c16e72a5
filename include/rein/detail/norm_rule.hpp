#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

#include <rein/detail/careful.hpp>
#include <rein/detail/exact_sqrt.hpp>
#include <rein/detail/extremes.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

// What a norm constraint asks of every vector but the zero vectors: low <= norm <= high, or, with a
// rate below 1, a step of that part of the way there.
struct NormBand {
  double low = 0;
  double high = (std::numeric_limits<double>::max)();
  double rate = 1;
};

template <class C>
concept HasBand = requires(const C& constraint) {
  { constraint.band() } -> std::same_as<NormBand>;
};
template <class C>
concept HasBandForLength = requires(const C& constraint, Index length) {
  { constraint.band(length) } -> std::same_as<NormBand>;
};

// What a norm constraint asks of vectors of this length.
template <class C>
NormBand band_for(const C& constraint, [[maybe_unused]] Index length) {
  if constexpr (HasBandForLength<C>) {
    return constraint.band(length);
  } else {
    return constraint.band();
  }
}

// The nearest Real at or below (at or above) a number > 0.
template <class Real>
Real rounded_down(double x) {
  const Real nearest = static_cast<Real>(x);
  const bool above = static_cast<double>(nearest) > x;
  return std::bit_cast<Real>(std::bit_cast<Bits<Real>>(nearest) - above);
}
template <class Real>
Real rounded_up(double x) {
  const Real nearest = static_cast<Real>(x);
  const bool below = static_cast<double>(nearest) < x;
  return std::bit_cast<Real>(std::bit_cast<Bits<Real>>(nearest) + below);
}

// Decides on one vector, given the sum of its squares.
//
// Let u = eps / 2. The sum is right to 6 u, so with its square root the norm is right to 4 u. After
// a rescaling, whose factor and products round once more each, the norm is at most (1 + 6 u) *
// high, and the next call's sum at most (1 + 18 u) * high^2. A vector therefore counts as satisfied
// up to the square of (1 + 5 eps) * high, which is (1 + 20 u) * high^2: the next call finds it so.
// Such a vector's norm is at most (1 + 7 eps) * high.
inline constexpr double norm_slack = 5;

// The square of a joint bias is added with one more rounding: the next call's sum is at most (1 +
// 20 u) * high^2, and a vector counts as satisfied up to (1 + 22 u) * high^2, whose norm is at most
// (1 + 7.25 eps) * high.
inline constexpr double joint_norm_slack = 5.5;

template <class Scalar>
class NormRule {
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  NormRule(const NormBand& band, Index length, double slack = norm_slack * Traits::epsilon)
      : band_(band), slack_(slack), high_(rounded_down<Real>(band.high)) {
    double lowest = 0;
    double highest = band.high * (1 + slack);
    if (band.low > 0) {
      rounding_ = std::sqrt(static_cast<double>(length * Traits::components));
      lowest = (std::max)(band.low * (1 - slack) - rounding_ * smallest_subnormal, 0.0);
      low_ = rounded_up<Real>(band.low);
    }
    if (band.rate == 0) lowest = 0, highest = (std::numeric_limits<double>::max)();
    const Bits<Real> least = std::bit_cast<Bits<Real>>(static_cast<Real>(lowest * lowest));
    const Bits<Real> most = std::bit_cast<Bits<Real>>(static_cast<Real>(highest * highest));
    least_bits_ = (std::max)(least, least_safe);
    span_ = (std::min)(most, most_safe) - least_bits_;
    if (most < least_bits_ || least > most_safe) {
      least_bits_ = std::bit_cast<Bits<Real>>(Real(-1));  // which no sum of squares is
      span_ = 0;
    }
  }

  // Whether a sum of squares is a number that neither overflow nor underflow has touched. Compares
  // bits, in which numbers >= 0 have their order, so that a NaN is seen under -ffast-math too.
  static bool safe(Real square_sum) {
    return bits_of(square_sum) - least_safe <= most_safe - least_safe;
  }

  static bool safe(const Extremes<Real>& of) {
    return safe(of.least) && safe(of.largest) && of.finite();
  }

  // Whether the vector is satisfied; false also where the sum is not safe.
  bool satisfied(Real square_sum) const { return bits_of(square_sum) - least_bits_ <= span_; }

  bool satisfied(const Extremes<Real>& of) const {
    return satisfied(of.largest) && satisfied(of.least) && of.finite();
  }

  // Between these, and they, are the sums of squares that are satisfied; where there are none, both
  // are negative.
  Real least_satisfied() const { return std::bit_cast<Real>(least_bits_); }
  Real most_satisfied() const { return std::bit_cast<Real>(least_bits_ + span_); }

  bool satisfied(const ScaledNumber& norm) const {
    if (norm.mantissa == 0 || band_.rate == 0) return true;
    const double rounding = std::ldexp(rounding_, Traits::denorm_exponent - norm.exponent);
    return norm.mantissa + rounding >= std::ldexp(band_.low, -norm.exponent) * (1 - slack_) &&
           norm.mantissa <= std::ldexp(band_.high, -norm.exponent) * (1 + slack_);
  }

  // The factor for a vector that is not satisfied. False if it needs the careful arithmetic.
  bool factor(Real square_sum, Real& factor) const {
    if (!safe(square_sum)) return false;
    const Real norm = exact_root_of(square_sum);
    const Real target = norm < low_ ? low_ : high_;
    factor = band_.rate == 1 ? target / norm
                             : static_cast<Real>(gradual_factor(static_cast<double>(target) /
                                                                static_cast<double>(norm)));
    const Real wanted = factor * norm;
    return factor == 0 ? target == 0 : wanted >= safe_norm && wanted <= large && factor <= large;
  }

  // Whether every safe vector that is not satisfied is rescaled by high / norm, in plain
  // arithmetic.
  bool is_plain() const {
    return low_ == 0 && band_.rate == 1 && high_ >= safe_norm && high_ <= large;
  }

  // The factor for each of the vectors, 1 for the satisfied ones; returns how many are not. For
  // safe sums and a plain rule. In minima and maxima, without packets of bits, which Clang takes
  // for NaN under -ffast-math: chosen in a loop afterwards, a tenth of 32 x 32 took 1.3 times as
  // long.
  Index plain_factors(const Real* square_sums, Index vectors, Real* factors) const {
    using namespace Eigen::internal;
    const Real most = most_satisfied();
    Index changed = 0;
    for (Index v = 0; v < vectors; ++v) changed += square_sums[v] > most;
    // A sum beyond `most` is so by at least its last bit, which is two of these parts and more.
    const Real parts = 4 / (Eigen::NumTraits<Real>::epsilon() * most);
    over_lanes_at_least_once<Real>(vectors, [&]<class P>(Index v, P) {
      const P one = pset1<P>(Real(1)), sum = ploadu<P>(square_sums + v);
      const P beyond = psub(sum, P(pmin(sum, pset1<P>(most))));
      const P satisfied = psub(one, P(pmin(one, P(pmul(beyond, pset1<P>(parts))))));  // 1 or 0
      const P factor = pdiv(pset1<P>(high_), exact_root(sum));
      pstoreu(factors + v, pmax(P(pmin(one, factor)), satisfied));
    });
    return changed;
  }

  // The same for any sums and rule; false if a vector needs the careful arithmetic.
  EIGEN_DONT_INLINE bool factors(const Real* square_sums, Index vectors,
                                 const Extremes<Real>& extremes, Real* factors,
                                 Index& changed) const {
    if (is_plain() && safe(extremes)) {
      changed = plain_factors(square_sums, vectors, factors);
      return true;
    }
    changed = 0;
    for (Index v = 0; v < vectors; ++v) {
      factors[v] = 1;
      if (satisfied(square_sums[v])) continue;
      if (!factor(square_sums[v], factors[v])) return false;
      changed += factors[v] != 1;
    }
    return true;
  }

  // Whether a factor may change no bit: one close to 1, or one above it, of entries that are as
  // large as the scalar has them.
  bool may_change_nothing() const { return band_.rate != 1 || band_.low > 0; }

  ScaledNumber factor(const ScaledNumber& norm) const {
    const double root = norm.mantissa;
    const ScaledNumber target =
        scaled(root < std::ldexp(band_.low, -norm.exponent) ? band_.low : band_.high);
    ScaledNumber full = scaled(target.mantissa / root);
    full.exponent += target.exponent - norm.exponent;
    if (band_.rate == 1) return full;
    const ScaledNumber rate = scaled(band_.rate);
    ScaledNumber part = scaled(rate.mantissa * full.mantissa);
    part.exponent += rate.exponent + full.exponent;
    if (part.mantissa != 0 && part.exponent > 100) return part;  // 1 is nothing beside it
    return scaled((1 - band_.rate) + unscaled(part));
  }

 private:
  static constexpr double smallest_subnormal = power_of_two(Traits::denorm_exponent);
  // Squares of smaller norms may have lost bits to underflow: sqrt(smallest normal) / eps of Real.
  static constexpr bool narrow = std::is_same_v<Real, float>;
  static constexpr Real safe_norm = static_cast<Real>(power_of_two(narrow ? -40 : -459));
  static constexpr Real large = static_cast<Real>(power_of_two(narrow ? 100 : 900));

  static constexpr Bits<Real> least_safe = std::bit_cast<Bits<Real>>(safe_norm * safe_norm);
  static constexpr Bits<Real> most_safe =
      std::bit_cast<Bits<Real>>((std::numeric_limits<Real>::max)());

  // The part `rate` of the way from 1 to the factor that leads to the target; a sum of positive
  // numbers, so that nothing cancels.
  double gradual_factor(double full) const { return (1 - band_.rate) + band_.rate * full; }

  NormBand band_;
  double slack_;
  double rounding_ = 0;  // what rounding subnormal entries may take from a norm, in their steps
  Real low_ = 0, high_;
  Bits<Real> least_bits_, span_;  // satisfied: bits in [least_bits_, least_bits_ + span_]
};

}  // namespace rein::detail
