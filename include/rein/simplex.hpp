#pragma once

#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/project.hpp>
#include <rein/detail/simplex_threshold.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// The simplex: every vector v becomes the nearest one (in L2) whose entries are >= 0 and add to
/// `sum`,
///
///     v_i <- max(v_i - threshold, 0)
///
/// for example mixing weights or a portfolio, with sum 1.
///
/// `sum` is in the units of the weights, finite and >= 0; anything else is refused with
/// std::invalid_argument. A vector of entries >= 0 counts as satisfied where they add to
/// sum * (1 +- 2 eps), give or take half a subnormal step for each entry. A few passes over the
/// vector, without memory of their own, give each entry to eps of itself and 4e-16 of the largest
/// one. Where the scalar's largest number is less than an entry ought to be, the entry becomes that
/// number. Condat, "Fast projection onto the simplex and the l1 ball", Math. Program. 158 (2016);
/// Michelot, J. Optim. Theory Appl. 50 (1986).
///
///     rein::Simplex simplex{1.0, rein::per_row};
///     simplex(W);   // rows (0.75, 0.5, -1) and (0.25, 0.25, 0.5): the first becomes
///                   // (0.625, 0.375, 0)
template <Grouping G>
class Simplex final {
 public:
  Simplex(double sum, G grouping) : sum_(std::abs(sum)), grouping_(grouping) {
    detail::require(detail::is_finite(sum) && sum >= 0, "Simplex", "sum", sum,
                    "a finite number >= 0");
  }

  double sum() const { return sum_; }
  const G& grouping() const { return grouping_; }

  template <class W>
  Report operator()(W&& weights) const {
    detail::explain_weights<W>();
    if constexpr (Weights<W>) {
      static_assert(detail::ScalarTraits<typename detail::Dense<W>::Scalar>::components == 1,
                    "rein: a simplex is for real weights, not for complex ones");
      const auto view = detail::make_view(weights, grouping_);
      return detail::project_vectors(view, [&](Eigen::Index v, double magnitude, auto& numbers) {
        if (is_satisfied(v, magnitude, numbers)) return false;
        const detail::SimplexThreshold shifted(numbers, v, sum_, [](const auto& x) { return x; });
        return numbers.replace(v, 0, [&](const auto& x, Eigen::Index) { return shifted(x); });
      });
    } else {
      return {};
    }
  }

 private:
  template <class Numbers>
  bool is_satisfied(Eigen::Index v, double magnitude, Numbers& numbers) const {
    using namespace Eigen::internal;
    using detail::Doubles;
    const detail::Scaling scaling = detail::scaling_for(sum_);
    const double target = sum_ * scaling.down;
    const double slack = numbers.sum_slack(target, static_cast<double>(numbers.length()), scaling);
    if (std::abs(magnitude * scaling.down - target) > slack + detail::doubt(target)) return false;
    Doubles least = pset1<Doubles>(0.0);
    numbers.for_each_packet(
        v, 0, [&](const Doubles& x, const Doubles&, Eigen::Index) { least = pmin(least, x); });
    if (predux_min(least) < 0) return false;
    const auto sum = numbers.sum_of(v, 0, [&](const Doubles& x, Eigen::Index) {
      return pmul(x, pset1<Doubles>(scaling.down));
    });
    return std::abs(sum.minus(target)) <= slack;
  }

  double sum_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
