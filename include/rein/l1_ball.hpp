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

/// The L1 ball: every vector v with ||v||_1 > radius becomes the nearest one (in L2) within it,
///
///     v_i <- sign(v_i) * max(|v_i| - threshold, 0)
///
/// with the threshold that makes ||v||_1 = radius. Small entries become zero.
///
/// `radius` is in the units of the weights, finite and >= 0; anything else is refused with
/// std::invalid_argument. A vector counts as inside up to radius * (1 + 2 eps) and half a subnormal
/// step for each entry. A few passes over the vector, without memory of their own, give each entry
/// to eps of itself and 4e-16 of the largest one. Duchi et al., "Efficient projections onto the
/// l1-ball", ICML 2008; Michelot, J. Optim. Theory Appl. 50 (1986).
///
///     rein::L1Ball l1_ball{2.0, rein::per_row};
///     l1_ball(W);   // rows (3, -2, 0.5) and (1, -0.5, 0) become (1.5, -0.5, 0) and (1, -0.5, 0)
template <Grouping G>
class L1Ball final {
 public:
  L1Ball(double radius, G grouping) : radius_(std::abs(radius)), grouping_(grouping) {
    detail::require(detail::is_finite(radius) && radius >= 0, "L1Ball", "radius", radius,
                    "a finite number >= 0");
  }

  double radius() const { return radius_; }
  const G& grouping() const { return grouping_; }

  template <class W>
  Report operator()(W&& weights) const {
    detail::explain_weights<W>();
    if constexpr (Weights<W>) {
      static_assert(detail::ScalarTraits<typename detail::Dense<W>::Scalar>::components == 1,
                    "rein: an L1 ball is for real weights, not for complex ones");
      const auto view = detail::make_view(weights, grouping_);
      return detail::project_vectors(view, [&](Eigen::Index v, double magnitude, auto& numbers) {
        return !is_inside(v, magnitude, numbers) && project(v, numbers);
      });
    } else {
      return {};
    }
  }

 private:
  template <class Numbers>
  bool is_inside(Eigen::Index v, double magnitude, Numbers& numbers) const {
    using namespace Eigen::internal;
    using detail::Doubles;
    const detail::Scaling scaling = detail::scaling_for(radius_);
    const double radius = radius_ * scaling.down;
    const double slack = numbers.sum_slack(radius, static_cast<double>(numbers.length()), scaling);
    const double excess = magnitude * scaling.down - radius;
    if (std::abs(excess) > slack + detail::doubt(radius)) return excess < 0;
    const auto sum = numbers.sum_of(v, 0, [&](const Doubles& x, Eigen::Index) {
      return pmul(pabs(x), pset1<Doubles>(scaling.down));
    });
    return sum.minus(radius) <= slack;
  }

  template <class Numbers>
  bool project(Eigen::Index v, Numbers& numbers) const {
    using namespace Eigen::internal;
    const auto magnitude = [](const auto& x) { return pabs(x); };
    const detail::SimplexThreshold shrunk(numbers, v, radius_, magnitude);
    return numbers.replace(
        v, 0, [&](const auto& x, Eigen::Index) { return psub(shrunk(x), shrunk(pnegate(x))); });
  }

  double radius_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
