#pragma once

#include <cmath>
#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/detail/error.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Keeps norms between two limits: v <- v * n' / n, where n = ||v||_2 and
/// n' = n + rate * (clamp(n, low, high) - n). Zero vectors stay zero.
///
/// At rate 1 the norm lands on the limit; below, it moves that part of the way at each call.
/// Refused with std::invalid_argument: low or high that is not finite and >= 0, low > high, and a
/// rate outside [0, 1]. Takes tied(bias) and only(indices) after the weights.
///
///     rein::MinMaxNorm min_max_norm{0.5, 1.0, rein::per_col};
///     min_max_norm(W);   // columns of norm 0.1, 0.7 and 5 get norm 0.5, 0.7 and 1
template <Grouping G>
class MinMaxNorm final {
 public:
  MinMaxNorm(double low, double high, G grouping, double rate = 1)
      : low_(std::abs(low)), high_(std::abs(high)), rate_(rate), grouping_(grouping) {
    detail::require(detail::is_finite(low) && low >= 0, "MinMaxNorm", "low", low,
                    "a finite number >= 0");
    detail::require(detail::is_finite(high) && high >= low, "MinMaxNorm", "high", high,
                    "a finite number >= low");
    detail::require(detail::is_finite(rate) && rate >= 0 && rate <= 1, "MinMaxNorm", "rate", rate,
                    "in [0, 1]");
  }

  double low() const { return low_; }
  double high() const { return high_; }
  double rate() const { return rate_; }
  const G& grouping() const { return grouping_; }

  detail::NormBand band() const { return {.low = low_, .high = high_, .rate = rate_}; }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  double low_, high_, rate_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
