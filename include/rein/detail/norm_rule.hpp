#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <rein/detail/careful.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

// What a norm constraint asks of every vector but the zero vectors: low <= norm <= high, or, with a
// rate below 1, a step of that part of the way there.
struct NormBand {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  double rate = 1;
};

// Decides on one vector, given the sum of its squares.
//
// The sum is right to 6 roundings of the scalar's eps / 2, so the norm is right to 2 eps with its
// square root. A vector counts as satisfied up to high * (1 + 5 eps): after a rescaling, whose
// factor and products round too, the norm is at most (1 + 2 eps + eps) * high, which a second look
// sees as at most (1 + 5 eps) * high. Nothing is decided by the square root itself.
template <class Scalar>
class NormRule {
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  NormRule(const NormBand& band, Index length)
      : low_(band.low), high_(band.high), rate_(band.rate) {
    highest_ = high_ * (1 + slack);
    if (low_ > 0) {
      const double rounding =
          std::sqrt(static_cast<double>(length)) * std::ldexp(1.0, Traits::denorm_exponent);
      lowest_ = (std::max)(low_ * (1 - slack) - rounding, 0.0);
    }
    least_square_ = lowest_ * lowest_;
    most_square_ = highest_ * highest_;
    if (rate_ == 0) least_square_ = lowest_ = 0, most_square_ = highest_ = infinity;
  }

  // Whether a sum of squares is a number that neither overflow nor underflow has touched. Compares
  // bits, so that a NaN is seen under -ffast-math too.
  static bool safe(double square_sum) {
    constexpr std::uint64_t least = std::bit_cast<std::uint64_t>(safe_norm * safe_norm);
    constexpr std::uint64_t most =
        std::bit_cast<std::uint64_t>(static_cast<double>((std::numeric_limits<Real>::max)()));
    return bits_of(square_sum) - least <= most - least;
  }

  bool satisfied(double square_sum) const {
    return square_sum >= least_square_ && square_sum <= most_square_;
  }

  bool satisfied(const ScaledNumber& norm) const {
    return norm.mantissa == 0 || (norm.mantissa >= std::ldexp(lowest_, -norm.exponent) &&
                                  norm.mantissa <= std::ldexp(highest_, -norm.exponent));
  }

  // The factor for a vector that is not satisfied. False if it needs the careful arithmetic.
  bool factor(double square_sum, Real& factor) const {
    const Real norm = std::sqrt(static_cast<Real>(square_sum));
    const double target = norm < low_ ? low_ : high_;
    const double wanted = moved(norm, target);
    factor = static_cast<Real>(wanted) / norm;
    return wanted == 0 || (wanted >= safe_norm && wanted <= large && factor <= Real(large));
  }

  ScaledNumber factor(const ScaledNumber& norm) const {
    const double root = norm.mantissa;
    const double target = root < std::ldexp(low_, -norm.exponent) ? low_ : high_;
    if (rate_ == 1) {
      const ScaledNumber wanted = scaled(target);
      const ScaledNumber quotient = scaled(wanted.mantissa / root);
      return {quotient.mantissa, quotient.exponent + wanted.exponent - norm.exponent};
    }
    const double beside_root =
        (std::min)(std::ldexp(target, -norm.exponent), (std::numeric_limits<double>::max)());
    return scaled(moved(root, beside_root) / root);
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr double slack = 5 * Traits::epsilon;
  // Squares of smaller norms may have lost bits to underflow: sqrt(smallest normal) / eps of Real.
  static constexpr double safe_norm = std::is_same_v<Real, float> ? 0x1p-40 : 0x1p-459;
  static constexpr double large = std::is_same_v<Real, float> ? 0x1p+100 : 0x1p+900;

  double moved(double norm, double target) const {
    return rate_ == 1 ? target : norm + rate_ * (target - norm);
  }

  double low_, high_, rate_;
  double lowest_ = 0, highest_;
  double least_square_, most_square_;
};

}  // namespace rein::detail
