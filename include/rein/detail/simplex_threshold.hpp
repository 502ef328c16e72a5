#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

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
  // rounding leads past the root, the next pass leads back.
  template <class View, class Key>
  SimplexThreshold(const View& view, Index v, double total, Key key)
      : scaling_(scaled(total).exponent), distance_(total * scaling_.down) {
    for_each_component(view, v, [&](const auto& x) {
      largest_ = (std::max)(largest_, key(static_cast<double>(x)));
    });
    const double target = distance_;
    for (int pass = 0; pass < 64; ++pass) {  // GCOVR_EXCL_BR_LINE: the bound is for safety alone
      CompensatedSum sum;
      double count = 0;
      for_each_component(view, v, [&](const auto& x) {
        const double y = above(key(static_cast<double>(x)));
        if (y > 0) {
          sum.add(y);
          ++count;
        }
      });
      const double excess = sum.minus(target);
      // The y themselves may round by half of this.
      const double rounding = target * std::numeric_limits<double>::epsilon();
      if (std::abs(excess) <= rounding || count == 0) break;
      add_keeping_error(distance_, distance_rest_, -excess / count);
    }
  }

  // max(x - threshold, 0)
  double operator()(double x) const { return above(x) * scaling_.up; }

 private:
  double above(double x) const {
    return (std::max)((distance_ - (largest_ - x) * scaling_.down) + distance_rest_, 0.0);
  }

  Scaling scaling_;
  double distance_, distance_rest_ = 0;  // scaled, and what rounding took from it
  double largest_ = std::numeric_limits<double>::lowest();
};

}  // namespace rein::detail
