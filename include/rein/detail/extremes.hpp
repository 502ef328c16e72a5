#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include <Eigen/Core>

#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

// The least and the largest of some numbers, where these are finite: their sum tells of a NaN or an
// Inf, which the other two may have missed.
template <class Real>
struct Extremes {
  Real least = (std::numeric_limits<Real>::max)(), largest = -least, sum = 0;

  void add(const Extremes& other) {
    least = (std::min)(least, other.least);
    largest = (std::max)(largest, other.largest);
    sum += other.sum;
  }

  bool finite() const {
    constexpr Bits<Real> most = std::bit_cast<Bits<Real>>((std::numeric_limits<Real>::max)());
    return (bits_of(sum) << 1) <= (most << 1);  // without the sign
  }
};

// The same lane by lane. Inlined, as is extremes(): a whole fixed 4 x 4 took 1.5 times as long with
// calls of these.
template <class Real, class P>
class PacketExtremes {
 public:
  EIGEN_ALWAYS_INLINE explicit PacketExtremes(const P& x) : least_(x), largest_(x), sum_(x) {}
  EIGEN_ALWAYS_INLINE explicit PacketExtremes(const Real* x)
      : PacketExtremes(Eigen::internal::ploadu<P>(x)) {}

  EIGEN_ALWAYS_INLINE void add(const PacketExtremes& other) {
    least_ = Eigen::internal::pmin(least_, other.least_);
    largest_ = Eigen::internal::pmax(largest_, other.largest_);
    sum_ = Eigen::internal::padd(sum_, other.sum_);
  }

  EIGEN_ALWAYS_INLINE Extremes<Real> of_all_lanes() const {
    using namespace Eigen::internal;
    return {predux_min(least_), predux_max(largest_), predux(sum_)};
  }

 private:
  P least_, largest_, sum_;
};

template <class Real, class P = Packet<Real>>
EIGEN_ALWAYS_INLINE Extremes<Real> extremes(const Real* x, Index n) {
  constexpr Index step = Eigen::internal::unpacket_traits<P>::size;
  if constexpr (step > 1) {
    if (n < step) return extremes<Real, Narrower<Real, P>>(x, n);
  }
  PacketExtremes<Real, P> all(x);
  for (Index i = step; i < n; i += step) {
    // The last packet may hold some numbers of the one before again.
    all.add(PacketExtremes<Real, P>(x + (std::min)(i, n - step)));
  }
  return all.of_all_lanes();
}

// The same of so many numbers, in four chains that hide each other's latency: 1024 numbers took 1.8
// times as long in one.
template <Index Count, class Real>
Extremes<Real> extremes_in_chains(const Real* x) {
  using Chain = PacketExtremes<Real, Packet<Real>>;
  constexpr Index step = packet_size<Real>;
  static_assert(Count % (4 * step) == 0);
  Chain a(x), b(x + step), c(x + 2 * step), d(x + 3 * step);
  for (Index i = 4 * step; i < Count; i += 4 * step) {
    a.add(Chain(x + i));
    b.add(Chain(x + i + step));
    c.add(Chain(x + i + 2 * step));
    d.add(Chain(x + i + 3 * step));
  }
  a.add(b);
  c.add(d);
  a.add(c);
  return a.of_all_lanes();
}

// The extremes of all numbers of so many vectors, n each; update() as for their sums of squares.
template <class Real, class Update>
EIGEN_ALWAYS_INLINE void update_and_note(Index vectors, Index n, Extremes<Real>* extremes,
                                         const Update& update) {
  using P = Packet<Real>;
  *extremes = {};
  Index i = 0;
  const Index size = vectors * n;
  if (size >= packet_size<Real>) {
    PacketExtremes<Real, P> all(update(i, P{}));
    for (i = packet_size<Real>; i + packet_size<Real> <= size; i += packet_size<Real>) {
      all.add(PacketExtremes<Real, P>(update(i, P{})));
    }
    *extremes = all.of_all_lanes();
  }
  for (; i < size; ++i) {
    const Real x = update(i, Real{});
    extremes->add({x, x, x});
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
