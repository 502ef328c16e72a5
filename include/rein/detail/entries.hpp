#pragma once

#include <algorithm>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// The scalar nearest to x; beyond its largest number, that number.
template <class Scalar>
Scalar saturated(double x) {
  const double largest = largest_number<Scalar>;
  return static_cast<Scalar>(std::clamp(x, -largest, largest));
}

// Clamps every finite entry to [low, high], both rounded to the weights' scalar; an entry inside is
// not written to.
template <class W>
Report clamp_entries(W&& weights, double low, double high) {
  explain_weights<W>();
  if constexpr (Weights<W>) {
    using Scalar = typename Dense<W>::Scalar;
    using Traits = ScalarTraits<Scalar>;
    static_assert(Traits::components == 1, "rein: complex weights have no order to clamp them by");
    const Scalar lowest = saturated<Scalar>(low);
    const Scalar highest = saturated<Scalar>(high);
    const auto view = make_view(weights, Whole{});
    Report report;
    report.checked = view.length();
    for (Index o = 0; o < view.outer; ++o) {
      for (Index i = 0; i < view.inner; ++i) {
        Scalar& entry = view.entry(o, 0, i);
        if (!is_finite(static_cast<double>(entry))) {
          ++report.nonfinite;
        } else if (entry < lowest) {
          entry = lowest;
          ++report.changed;
        } else if (entry > highest) {
          entry = highest;
          ++report.changed;
        }
      }
    }
    return report;
  } else {
    return {};
  }
}

}  // namespace rein::detail
