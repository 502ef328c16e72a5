#pragma once

#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
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
      return detail::project_vectors(view, [&](Eigen::Index v, double largest, auto& numbers) {
        const detail::Scaling scaling(detail::scaled(largest).exponent);
        bool changed = false;
        for (int c = 0; c < components; ++c) changed |= center(v, c, scaling, numbers);
        return changed;
      });
    } else {
      return {};
    }
  }

 private:
  // Takes the mean from component c of the entries of vector v, where it is not 0 already. The mean
  // is the nearest double and a rest, so that nearly equal entries keep their differences.
  template <class Numbers>
  static bool center(Eigen::Index v, int c, const detail::Scaling& scaling, Numbers& numbers) {
    using namespace Eigen::internal;
    using detail::Doubles;
    const double n = static_cast<double>(numbers.length());
    const auto down = pset1<Doubles>(scaling.down);
    detail::CompensatedSum sum, magnitudes;
    numbers.for_each_packet(v, c, [&](const auto& x, const auto& ones, Eigen::Index) {
      const auto value = pmul(pmul(x, down), ones);
      sum.add(value);
      magnitudes.add(pabs(value));
    });
    const double total = sum.total();
    if (std::abs(total) <= numbers.sum_slack(magnitudes.total(), n, scaling)) return false;

    const auto mean_of_differences = [&](double from) {
      detail::CompensatedSum differences;
      numbers.for_each_packet(v, c, [&](const auto& x, const auto& ones, Eigen::Index) {
        differences.add(pmul(psub(pmul(x, down), pset1<Doubles>(from)), ones));
      });
      return differences.total() / n;
    };
    double mean = total / n;
    mean += mean_of_differences(mean);
    const double rest = mean_of_differences(mean);
    return numbers.replace(
        v, c, [&](double x) { return ((x * scaling.down - mean) - rest) * scaling.up; });
  }

  [[no_unique_address]] G grouping_;
};

}  // namespace rein
