#pragma once

#include <limits>
#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/entries.hpp>

namespace rein {

/// Every entry >= 0: w <- max(w, 0). The report counts entries. A NaN or an Inf is left alone.
struct NonNegative {
  template <class W>
  Report operator()(W&& weights) const {
    return detail::clamp_entries(std::forward<W>(weights), bounds());
  }

  detail::EntryBounds bounds() const { return {0, (std::numeric_limits<double>::max)()}; }
};

}  // namespace rein
