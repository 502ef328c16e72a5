#pragma once

#include <rein/constraint.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Unit norm: v <- v / ||v||_2 for every vector v of the grouping. Zero vectors stay zero.
///
/// Takes tied(bias) and only(indices) after the weights.
///
///     rein::UnitNorm unit_norm{rein::per_row};
///     unit_norm(W);   // a row (3, 4) becomes (0.6, 0.8)
template <Grouping G>
class UnitNorm final {
 public:
  explicit UnitNorm(G grouping) : grouping_(grouping) {}

  const G& grouping() const { return grouping_; }

  detail::NormBand band() const { return {.low = 1, .high = 1}; }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
