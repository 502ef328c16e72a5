#pragma once

#include <cmath>
#include <limits>

#include <Eigen/Core>

#include <rein/detail/careful.hpp>
#include <rein/detail/project.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

// The threshold that projects the numbers x_i = key(entry i) of a vector onto the simplex
// {y_i >= 0, sum of y = total}: y_i = max(x_i - threshold, 0).
//
// It is kept as its distance from the largest x: y_i = max(distance - (largest - x_i), 0) with
// distance <= total, where nothing cancels even if the x are far beyond total.
class SimplexThreshold {
 public:
  // Newton's method on f(distance) = sum of y - total, which is convex, with the count of y > 0 as
  // its slope f' (Michelot 1986). It starts on the right, so that f and f' fall, and f f' by a
  // factor of 4 or more at each pass: log2(n) + 27 passes suffice, 4 to 13 are usual. Where
  // rounding leads past the root, the next pass leads back. The sum is right to one rounding where
  // it has to be: close to the root.
  template <class Numbers, class Key>
  SimplexThreshold(Numbers& numbers, Index v, double total, Key key)
      : scaling_(scaling_for(total)), distance_(total * scaling_.down) {
    using namespace Eigen::internal;
    Doubles largest = pset1<Doubles>(std::numeric_limits<double>::lowest());
    numbers.for_each_packet(
        v, 0, [&](const Doubles& x, const Doubles&, Index) { largest = pmax(largest, key(x)); });
    largest_ = predux_max(largest);
    const double target = distance_;
    for (int pass = 0; pass < 64; ++pass) {  // GCOVR_EXCL_BR_LINE: the bound is for safety alone
      const auto sums =
          numbers.template sums_of<2, Rounding::a_few_times>(v, 0, [&](const Doubles& x, Index) {
            const Doubles y = above(key(x));
            return Terms<2>{{y, one_if_positive(y)}};
          });
      const double excess = sums[0].minus(target), count = sums[1].total();
      if (std::abs(excess) > 1e-10 * target) {
        distance_ -= excess / count;
        continue;
      }
      const auto exact_sum = numbers.template sum_of<Rounding::once>(
          v, 0, [&](const Doubles& x, Index) { return above(key(x)); });
      const double exact_excess = exact_sum.minus(target);
      // The y themselves may round by half of this.
      if (std::abs(exact_excess) <= target * std::numeric_limits<double>::epsilon()) break;
      add_keeping_error(distance_, distance_rest_, -exact_excess / count);
    }
  }

  // max(x - threshold, 0)
  template <class P>
  P operator()(const P& x) const {
    return Eigen::internal::pmul(above(x), Eigen::internal::pset1<P>(scaling_.up));
  }

 private:
  template <class P>
  EIGEN_ALWAYS_INLINE P above(const P& x) const {
    using namespace Eigen::internal;
    const P below_largest = pmul(psub(pset1<P>(largest_), x), pset1<P>(scaling_.down));
    const P y = padd(psub(pset1<P>(distance_), below_largest), pset1<P>(distance_rest_));
    return pmax(y, pset1<P>(0.0));
  }

  Scaling scaling_;
  double distance_, distance_rest_ = 0;  // scaled, and what rounding took from it
  double largest_ = 0;
};

}  // namespace rein::detail
