#pragma once

#include <cmath>
#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/detail/error.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Max-norm regularisation: v <- v * min(1, limit / ||v||_2) for every vector v of the grouping.
///
/// A vector within the limit is not written to. `limit` is in the units of the weights, finite and
/// >= 0; anything else is refused with std::invalid_argument. Takes tied(bias) and only(indices)
/// after the weights. Srivastava et al., "Dropout", JMLR 15 (2014), section 5.1.
///
///     rein::MaxNorm max_norm{1.0, rein::per_row};
///     rein::Report r = max_norm(W);   // rows (3, 4) and (0.1, 0) become (0.6, 0.8) and (0.1, 0)
///                                     // r.changed == 1, r.largest_norm == 5
template <Grouping G>
class MaxNorm final {
 public:
  MaxNorm(double limit, G grouping) : limit_(std::abs(limit)), grouping_(grouping) {
    detail::require(detail::is_finite(limit) && limit >= 0, "MaxNorm", "limit", limit,
                    "a finite number >= 0");
  }

  double limit() const { return limit_; }
  const G& grouping() const { return grouping_; }

  detail::NormBand band() const { return {.high = limit_}; }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  double limit_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
