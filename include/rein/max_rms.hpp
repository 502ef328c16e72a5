#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/detail/error.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Limits the root mean square of every vector's entries: v <- v * min(1, limit * sqrt(n) /
/// ||v||_2) with n the length of v, so that one limit fits layers of all sizes.
///
/// A vector within the limit is not written to. `limit` is in the units of the weights, finite and
/// >= 0; anything else is refused with std::invalid_argument. Takes tied(bias) and only(indices)
/// after the weights. limit * sqrt(n) counts as the largest double where it is more. The report's
/// largest_norm is the L2 norm, not divided by sqrt(n).
///
///     rein::MaxRms max_rms{1.0, rein::per_row};
///     max_rms(W);   // rows (3, 3, 3, 3) and (0, 2, 0, 0) become (1, 1, 1, 1) and (0, 2, 0, 0)
template <Grouping G>
class MaxRms final {
 public:
  MaxRms(double limit, G grouping) : limit_(std::abs(limit)), grouping_(grouping) {
    detail::require(detail::is_finite(limit) && limit >= 0, "MaxRms", "limit", limit,
                    "a finite number >= 0");
  }

  double limit() const { return limit_; }
  const G& grouping() const { return grouping_; }

  detail::NormBand band(Eigen::Index length) const {
    constexpr double largest = (std::numeric_limits<double>::max)();
    const double root = std::sqrt(static_cast<double>((std::max)(length, Eigen::Index(1))));
    return {.high = limit_ < largest / root ? limit_ * root : largest};
  }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  double limit_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
