#pragma once

#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/entries.hpp>
#include <rein/detail/error.hpp>

namespace rein {

/// Every entry within two bounds: w <- min(max(w, low), high), as torch.clamp does.
///
/// The bounds are rounded to the weights' scalar. The report counts entries. A NaN or an Inf is
/// left alone. Refused with std::invalid_argument: a bound that is not finite, and low > high.
///
///     rein::Box box{-0.5, 0.5};
///     box(W);   // entries -2, 0.1 and 1 become -0.5, 0.1 and 0.5
class Box {
 public:
  Box(double low, double high) : low_(low), high_(high) {
    detail::require(detail::is_finite(low), "Box", "low", low, "a finite number");
    detail::require(detail::is_finite(high) && high >= low, "Box", "high", high,
                    "a finite number >= low");
  }

  double low() const { return low_; }
  double high() const { return high_; }

  template <class W>
  Report operator()(W&& weights) const {
    return detail::clamp_entries(std::forward<W>(weights), bounds());
  }

  detail::EntryBounds bounds() const { return {low_, high_}; }

 private:
  double low_, high_;
};

}  // namespace rein
