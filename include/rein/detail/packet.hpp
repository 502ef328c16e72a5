#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

// Packets of numbers, Eigen's: sums that keep their rounding errors (Knuth's TwoSum, error free),
// and loops over lanes that need not fill a packet.

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

template <class Real>
using Packet = typename Eigen::internal::packet_traits<Real>::type;

template <class Real>
inline constexpr Index packet_size = Eigen::internal::unpacket_traits<Packet<Real>>::size;

// Whether a packet can be read and written in part.
template <class Real>
inline constexpr bool has_masks_for =
    Eigen::internal::unpacket_traits<Packet<Real>>::masked_store_available;

// A packet of half as many numbers; of the smallest packet, a single number.
template <class Real, class P>
using Narrower =
    std::conditional_t<std::is_same_v<P, typename Eigen::internal::unpacket_traits<P>::half>, Real,
                       typename Eigen::internal::unpacket_traits<P>::half>;

// a * b + sum with the same rounding for a packet and for a single number, so that an entry's place
// in a packet does not matter; and a product that no compiler fuses with a sum here and not there.
#if defined(EIGEN_VECTORIZE_FMA) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
inline constexpr bool sums_are_fused = true;
inline float add_product(float a, float b, float sum) { return std::fma(a, b, sum); }
inline double add_product(double a, double b, double sum) { return std::fma(a, b, sum); }
#else
inline constexpr bool sums_are_fused = false;
#endif
template <class P>
P add_product(const P& a, const P& b, const P& sum) {
  return Eigen::internal::pmadd(a, b, sum);
}

template <class P>
P add_square(const P& a, const P& sum) {
  return add_product(a, a, sum);
}

template <class P>
P unfused_square(const P& a) {
  if constexpr (sums_are_fused) {
    using Real = typename Eigen::internal::unpacket_traits<P>::type;
    return add_square(a, Eigen::internal::pset1<P>(Real(0)));
  } else {
    return Eigen::internal::pmul(a, a);
  }
}

// Keeps -ffast-math from simplifying the error term of a sum to zero.
template <class P>
P opaque(P value) {
#if defined(__FAST_MATH__)
  EIGEN_OPTIMIZATION_BARRIER(value)
#endif
  return value;
}

// sum += term, and what the rounding took from it is added to lost.
template <class P>
void add_keeping_error(P& sum, P& lost, const P& term) {
  using Eigen::internal::padd, Eigen::internal::psub;
  const P total = opaque(padd(sum, term));
  const P added = opaque(psub(total, sum));
  const P sum_error = opaque(psub(sum, opaque(psub(total, added))));
  const P term_error = opaque(psub(term, added));
  lost = padd(lost, padd(sum_error, term_error));
  sum = total;
}

// Moves what lost has gathered into sum, so that lost stays small beside it.
template <class P>
void fold(P& sum, P& lost) {
  using Eigen::internal::padd, Eigen::internal::psub;
  const P total = opaque(padd(sum, lost));
  lost = psub(lost, opaque(psub(total, sum)));
  sum = total;
}

// The last n lanes of a packet are 1, the others 0.
template <class Real, class P = Packet<Real>>
P last_lanes(Index n) {
  constexpr Index lanes = Eigen::internal::unpacket_traits<P>::size;
  static constexpr auto ones = [] {
    std::array<Real, 2 * lanes> table{};
    for (Index i = lanes; i < 2 * lanes; ++i) table[static_cast<std::size_t>(i)] = 1;
    return table;
  }();
  return Eigen::internal::ploadu<P>(ones.data() + n);
}

// The last n numbers before `end`, fewer than a packet holds, in the last lanes of a packet of
// zeros. Reads a whole packet.
template <class Real, class P = Packet<Real>>
P tail_packet(const Real* end, Index n) {
  using namespace Eigen::internal;
  return pmul(ploadu<P>(end - unpacket_traits<P>::size), last_lanes<Real, P>(n));
}

// sum += term, with what either has lost.
template <class P>
EIGEN_ALWAYS_INLINE void add_keeping_errors(P& sum, P& lost, const P& term, const P& term_lost) {
  lost = Eigen::internal::padd(lost, term_lost);
  add_keeping_error(sum, lost, term);
}

// Calls use(lane, P{}) for packets P that make up the lanes: whole ones, halves and quarters where
// Eigen has them, and single numbers.
template <class Real, class P = Packet<Real>, class Use>
EIGEN_ALWAYS_INLINE void over_lanes(Index lanes, const Use& use, Index lane = 0) {
  constexpr Index step = Eigen::internal::unpacket_traits<P>::size;
  for (const Index end = lanes - (lanes - lane) % step; lane < end; lane += step) use(lane, P{});
  if constexpr (step > 1) {
    if (lane >= lanes) return;
    over_lanes<Real, Narrower<Real, P>>(lanes, use, lane);
  }
}

// over_lanes() for what may be done twice: with the widest packet that fits, of which the last may
// hold some lanes of the one before again. For one lane and more.
template <class Real, class P = Packet<Real>, class Use>
EIGEN_ALWAYS_INLINE void over_lanes_at_least_once(Index lanes, const Use& use) {
  constexpr Index step = Eigen::internal::unpacket_traits<P>::size;
  if (lanes >= step) {
    for (Index lane = 0; lane < lanes; lane += step) use((std::min)(lane, lanes - step), P{});
  } else if constexpr (step > 1) {
    over_lanes_at_least_once<Real, Narrower<Real, P>>(lanes, use);
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
