#pragma once

#include <rein/rein.hpp>

namespace rein {

/// Keeps norms within a factor of 1: 1 / ratio <= ||v||_2 <= ratio, for a finite ratio >= 1.
template <Grouping G>
class NearUnitNorm {
 public:
  NearUnitNorm(double ratio, G grouping) : ratio_(ratio), grouping_(grouping) {
    detail::require(detail::is_finite(ratio) && ratio >= 1, "NearUnitNorm", "ratio", ratio,
                    "a finite number >= 1");
  }

  const G& grouping() const { return grouping_; }
  detail::NormBand band() const { return {.low = 1 / ratio_, .high = ratio_}; }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  double ratio_;
  G grouping_;
};

}  // namespace rein
