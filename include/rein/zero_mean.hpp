#pragma once

#include <cmath>

#include <rein/constraint.hpp>
#include <rein/detail/project.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Mean zero: v <- v - mean(v) for every vector v of the grouping; of complex vectors, the mean of
/// the real parts and that of the imaginary parts each.
///
/// A vector counts as satisfied while |sum of v_i| <= 2 eps * sum of |v_i|, give or take half a
/// subnormal step for each entry; what is left after a call is within that. Each entry is right to
/// 2 eps of itself and 2e-16 of the mean magnitude. Where the scalar's largest number is less than
/// an entry ought to be, the entry becomes that number. Centering as in Qiao et al., "Weight
/// Standardization" (2019).
///
///     rein::ZeroMean zero_mean{rein::per_row};
///     zero_mean(W);   // rows (1, 2, 6) and (1, 0, -1) become (-2, -1, 3) and (1, 0, -1)
template <Grouping G>
class ZeroMean final {
 public:
  explicit ZeroMean(G grouping) : grouping_(grouping) {}

  const G& grouping() const { return grouping_; }

  template <class W>
  Report operator()(W&& weights) const {
    detail::explain_weights<W>();
    if constexpr (Weights<W>) {
      constexpr int components =
          detail::ScalarTraits<typename detail::Dense<W>::Scalar>::components;
      const auto view = detail::make_view(weights, grouping_);
      return detail::project_vectors(view, [&](Eigen::Index v, double largest) {
        const detail::Scaling scaling(detail::scaled(largest).exponent);
        bool changed = false;
        for (int c = 0; c < components; ++c) {
          const detail::ComponentView part{view, c};
          if (!is_satisfied(part, v, scaling)) changed |= center(part, v, scaling);
        }
        return changed;
      });
    } else {
      return {};
    }
  }

 private:
  template <class View>
  static bool is_satisfied(const View& view, Eigen::Index v, const detail::Scaling& scaling) {
    detail::CompensatedSum sum, magnitudes;
    detail::for_each_component(view, v, [&](const auto& x) {
      const double value = static_cast<double>(x) * scaling.down;
      sum.add(value);
      magnitudes.add(std::abs(value));
    });
    return std::abs(sum.total()) <=
           detail::sum_slack<typename View::Scalar>(magnitudes.total(),
                                                    static_cast<double>(view.length()), scaling);
  }

  // The mean is the nearest double and a rest, so that nearly equal entries keep their differences.
  template <class View>
  static bool center(const View& view, Eigen::Index v, const detail::Scaling& scaling) {
    const auto mean_of_differences = [&](double from) {
      detail::CompensatedSum sum;
      detail::for_each_component(
          view, v, [&](const auto& x) { sum.add(static_cast<double>(x) * scaling.down - from); });
      return sum.total() / static_cast<double>(view.length());
    };
    double mean = mean_of_differences(0);
    mean += mean_of_differences(mean);
    const double rest = mean_of_differences(mean);
    return detail::replace_entries(
        view, v, [&](double x) { return ((x * scaling.down - mean) - rest) * scaling.up; });
  }

  [[no_unique_address]] G grouping_;
};

}  // namespace rein
