#pragma once
// The laws of the constraints that bound each entry by itself.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <Eigen/Core>

#include <rein/constraint.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "oracle.hpp"

namespace laws {

/// Entries about the bounds, at the ends of the scalar's range, zeros of both signs, NaN and Inf.
/// Where just a few are to be outside, the others are within the bounds and nearly all finite.
inline void fill_about(oracle::Weights& w, double low, double high, bool few_outside,
                       Random& random) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double top = w.format.largest(), bottom = w.format.smallest();
  const double odd[] = {
      0.0, -0.0, std::numeric_limits<double>::quiet_NaN(), inf, -inf, top, -top, bottom, -bottom,
      low, high};
  for (double& number : w.numbers) {
    if (few_outside && !random.chance(0.002)) {
      number = random.chance(0.1) && low <= 0 && high >= 0 ? -0.0 : random.between(low, high);
      continue;
    }
    number = random.chance(few_outside ? 0.1 : 0.2) ? random.one_of(odd)
                                                    : random.between(2 * low - 1, 2 * high + 1);
  }
}

/// Checks W, filled as above, against plain comparisons; low and high are numbers that W's scalar
/// holds, or infinite.
template <class W, class Constrain>
void obey_bounds(W& w, double low, double high, const Constrain& constrain) {
  const oracle::Weights before = oracle::copy_of(w);
  const rein::Report first = constrain();
  const oracle::Weights after = oracle::copy_of(w);
  const rein::Report second = constrain();
  const oracle::Weights again = oracle::copy_of(w);

  rein::Report expected;
  std::string wrong;
  for (std::size_t place = 0; place < before.numbers.size(); ++place) {
    const double x = before.numbers[place], y = after.numbers[place];
    ++expected.checked;
    double clamped = x;
    if (!oracle::finite(x)) {
      ++expected.nonfinite;
    } else if (x < low) {
      clamped = low;
    } else if (x > high) {
      clamped = high;
    }
    if (oracle::bits(x) != oracle::bits(clamped)) ++expected.changed;
    // A zero bound may come with either sign.
    const bool right = oracle::bits(y) == oracle::bits(clamped) ||
                       (clamped == 0 && y == 0 && oracle::bits(x) != oracle::bits(clamped));
    if (!right) wrong = text(x) + " became " + text(y) + ", not " + text(clamped);
  }
  CHECK(wrong == "");
  CHECK(first.checked == expected.checked);
  CHECK(first.changed == expected.changed);
  CHECK(first.nonfinite == expected.nonfinite);
  CHECK(oracle::same_bits(after, again));
  CHECK(second.checked == expected.checked);
  CHECK(second.changed == 0);
  CHECK(second.nonfinite == expected.nonfinite);
}

/// The laws on W of one scalar: of every type for float, a Map for the others.
template <class Scalar, class Constraint>
void bounds_hold_everywhere(const Constraint& constraint, double low, double high) {
  Random random(5);
  INFO("REIN_TEST_SEED=" << seed());
  const double finite_low = std::max(low, -10.0), finite_high = std::min(high, 10.0);
  for (const auto& [rows, cols] : {std::pair<Index, Index>{0, 4},
                                   {4, 0},
                                   {1, 1},
                                   {5, 7},
                                   {1, 70},
                                   {70, 1},
                                   {33, 65},
                                   {65, 130}}) {
    const auto obey_one = [&](const char* view, auto&& w) {
      INFO(oracle::format_of<Scalar>().name << " " << view << ", " << w.rows() << " x "
                                            << w.cols());
      for (const bool few_outside : {false, true}) {
        oracle::Weights weights = oracle::copy_of(w);
        fill_about(weights, finite_low, finite_high, few_outside, random);
        oracle::assign(w, weights);
        obey_bounds(w, low, high, [&] { return constraint(std::forward<decltype(w)>(w)); });
      }
    };
    if constexpr (std::is_same_v<Scalar, float>) {
      for_each_view<Scalar>(rows, cols, obey_one);
    } else {
      for_each_order<Scalar>(rows, cols, random.index(4), obey_one);
    }
  }
}

}  // namespace laws
