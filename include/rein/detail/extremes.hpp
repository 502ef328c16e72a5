#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>
#include <rein/detail/square_sum.hpp>

namespace rein::detail {

// The least and the largest of some numbers. Their sum tells of a NaN or an Inf, which the other
// two may have missed.
template <class Real>
struct Extremes {
  Real least, largest, sum;

  bool finite() const {
    constexpr Bits<Real> most = std::bit_cast<Bits<Real>>((std::numeric_limits<Real>::max)());
    return (bits_of(sum) << 1) <= (most << 1);  // without the sign
  }
};

template <class Real, class P = Packet<Real>>
Extremes<Real> extremes(const Real* x, Index n) {
  using namespace Eigen::internal;
  constexpr Index step = unpacket_traits<P>::size;
  if constexpr (step > 1) {
    if (n < step) return extremes<Real, Narrower<Real, P>>(x, n);
  }
  P least = ploadu<P>(x), largest = least, sum = least;
  for (Index i = step; i < n; i += step) {
    // The last packet may hold some numbers of the one before again.
    const P numbers = ploadu<P>(x + (std::min)(i, n - step));
    least = pmin(least, numbers);
    largest = pmax(largest, numbers);
    sum = padd(sum, numbers);
  }
  return {predux_min(least), predux_max(largest), predux(sum)};
}

}  // namespace rein::detail
