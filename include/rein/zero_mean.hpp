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
/// 2 eps of itself and 3e-15 (of doubles, 2e-16) of the mean magnitude. Where the scalar's largest
/// number is less than an entry ought to be, the entry becomes that number. Centering as in Qiao et
/// al., "Weight Standardization" (2019).
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
      return detail::project_vectors(view, [&](Eigen::Index v, double magnitude, auto& numbers) {
        const detail::Scaling scaling = detail::scaling_for(magnitude);
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
  // is a double and a rest, of nearly equal entries the nearest double, so that they keep their
  // differences.
  template <class Numbers>
  static bool center(Eigen::Index v, int c, const detail::Scaling& scaling, Numbers& numbers) {
    using namespace Eigen::internal;
    using detail::Doubles;
    const double n = static_cast<double>(numbers.length());
    const auto value = [&](const Doubles& x, Eigen::Index) {
      return pmul(x, pset1<Doubles>(scaling.down));
    };
    const auto sums = numbers.template sums_of<2, detail::Rounding::a_few_times>(
        v, c, [&](const Doubles& x, Eigen::Index i) {
          return detail::Terms<2>{{value(x, i), pabs(value(x, i))}};
        });
    const double total = sums[0].total(), magnitudes = sums[1].total();
    const double slack = numbers.sum_slack(magnitudes, n, scaling);
    if (std::abs(total) <= slack + detail::doubt(magnitudes) &&
        std::abs(numbers.difference(sums[0], 0, v, c, value)) <= slack) {
      return false;
    }

    const auto mean_of_differences = [&](double from) {
      const auto difference = [&](const Doubles& x, Eigen::Index i) {
        return psub(value(x, i), pset1<Doubles>(from));
      };
      return numbers.sum_of(v, c, difference).total() / n;
    };
    double mean = total / n;
    double rest = mean_of_differences(mean);
    const bool may_be_nearly_equal = magnitudes < 1.001 * n * std::abs(mean);
    if (may_be_nearly_equal && mean + rest != mean) {
      mean += rest;
      rest = mean_of_differences(mean);
    }
    return numbers.replace(v, c, [&]<class P>(const P& x, Eigen::Index) {
      const P difference = psub(pmul(x, pset1<P>(scaling.down)), pset1<P>(mean));
      return pmul(psub(detail::opaque(difference), pset1<P>(rest)), pset1<P>(scaling.up));
    });
  }

  [[no_unique_address]] G grouping_;
};

}  // namespace rein
