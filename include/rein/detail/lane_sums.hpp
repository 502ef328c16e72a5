#pragma once

#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>

// Sums over the lanes of packets: in halves, the upper one added to the lower one, of one packet or
// of as many at once as they have lanes, to the same bits.

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

// Whether the compiler can choose lanes of two packets: g++ 12 and Clang.
#if defined(__has_builtin) && !defined(EIGEN_VECTORIZE_SVE)
inline constexpr bool has_shuffles = __has_builtin(__builtin_shufflevector);
#else
inline constexpr bool has_shuffles = false;
#endif

// A sum in each lane, and what its roundings have lost.
template <class P>
struct KeptSums {
  P sum, lost = Eigen::internal::pset1<P>(0);

  P total() const { return Eigen::internal::padd(sum, lost); }
};

// g++ unrolls a short loop within another one before it would vectorise it. With scalars instead of
// packets, to sum 64 vectors of 64 floats took 1.3 (AVX2) to 1.9 times (AVX-512) as long.
#if defined(__GNUC__) && !defined(__clang__)
#define REIN_DO_NOT_UNROLL _Pragma("GCC unroll 1")
#else
#define REIN_DO_NOT_UNROLL
#endif

template <int Count>
EIGEN_ALWAYS_INLINE void add_upper_half(double* x) {
  constexpr int half = Count / 2;
  REIN_DO_NOT_UNROLL
  for (int i = 0; i < half; ++i) x[i] += x[half + i];
}

// Not of Eigen arrays: compiled with the header, those took a tenth of the time of <Eigen/Core>.
template <int Count>
EIGEN_ALWAYS_INLINE double sum_in_halves(double* x) {
  if constexpr (Count == 1) {
    return x[0];
  } else {
    add_upper_half<Count>(x);
    return sum_in_halves<Count / 2>(x);
  }
}

// The lanes of a packet of floats as doubles, which hardly round their sum, halved once.
EIGEN_ALWAYS_INLINE void halve_as_doubles(const Packet<float>& packet, double* wide) {
  constexpr int lanes = packet_size<float>;
  float terms[lanes];
  Eigen::internal::pstoreu(terms, packet);
  REIN_DO_NOT_UNROLL
  for (int i = 0; i < lanes; ++i) wide[i] = static_cast<double>(terms[i]);
  if constexpr (lanes > 1) add_upper_half<lanes>(wide);
}

EIGEN_ALWAYS_INLINE double sum_as_doubles(const Packet<float>& packet) {
  constexpr int lanes = packet_size<float>;
  double wide[lanes];
  halve_as_doubles(packet, wide);
  return sum_in_halves<(lanes > 1 ? lanes / 2 : 1)>(wide);
}

// In halves: lane by lane, 64 x 64 doubles that all violate took 1.3 times as long.
template <class P>
EIGEN_ALWAYS_INLINE double sum_keeping_errors(const P& packet, const P& lost) {
  using namespace Eigen::internal;
  constexpr Index lanes = unpacket_traits<P>::size, half = lanes / 2;
  if constexpr (lanes == 1) {
    return packet + lost;
  } else {
    using Half = Narrower<double, P>;
    double terms[lanes], losts[lanes];
    pstoreu(terms, packet);
    pstoreu(losts, lost);
    Half sum = ploadu<Half>(terms), sum_lost = ploadu<Half>(losts);
    add_keeping_errors(sum, sum_lost, ploadu<Half>(terms + half), ploadu<Half>(losts + half));
    return sum_keeping_errors(sum, sum_lost);
  }
}

// The sum of a packet's lanes and of what they have lost, rounded once (doubles: nearly so).
template <class Real>
EIGEN_ALWAYS_INLINE Real sum_of_lanes(const KeptSums<Packet<Real>>& of) {
  if constexpr (std::is_same_v<Real, float>) {
    const float rest = Eigen::internal::predux(of.lost);
    return static_cast<float>(sum_as_doubles(of.sum) + static_cast<double>(rest));
  } else {
    return sum_keeping_errors(of.sum, of.lost);
  }
}
template <class Real>
EIGEN_ALWAYS_INLINE Real sum_of_lanes(const Packet<Real>& packet) {
  if constexpr (std::is_same_v<Real, float>) {
    return static_cast<float>(sum_as_doubles(packet));
  } else {
    return sum_of_lanes<Real>(KeptSums<Packet<Real>>{packet});
  }
}

template <class P>
using LaneNumbers = std::make_integer_sequence<int, int(Eigen::internal::unpacket_traits<P>::size)>;

template <int Half, class P, int... Lane>
EIGEN_ALWAYS_INLINE P add_upper_halves(const P& x, std::integer_sequence<int, Lane...> lanes) {
  if constexpr (Half == 0) {
    return x;
  } else {
    const P upper = P(__builtin_shufflevector(x, x, (Lane | Half)...));
    return add_upper_halves<Half / 2>(P(Eigen::internal::padd(x, upper)), lanes);
  }
}

// The sum of a packet's lanes, rounded in each half.
template <class Real, class P>
EIGEN_ALWAYS_INLINE Real plain_sum_of_lanes(const P& packet) {
  using namespace Eigen::internal;
  using Half = Narrower<Real, P>;
  constexpr int lanes = unpacket_traits<P>::size, half = lanes / 2;
  if constexpr (lanes == 1 || !has_shuffles) {
    return predux(packet);
  } else if constexpr (unpacket_traits<Half>::size == half && half > 1) {
    Real terms[lanes];
    pstoreu(terms, packet);
    return plain_sum_of_lanes<Real>(Half(padd(ploadu<Half>(terms), ploadu<Half>(terms + half))));
  } else {
    return pfirst(add_upper_halves<half>(packet, LaneNumbers<P>{}));
  }
}

// Of a and b, which hold a block of so many lanes for each vector: the lower halves of all blocks
// (Part 0), or the upper ones (1); those of a, then those of b, but for blocks of up to 16 bytes in
// each 16 bytes so, which takes one instruction.
template <int Block, int Part, class P, int... Lane>
EIGEN_ALWAYS_INLINE P half_blocks(const P& a, const P& b, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane), small = 16 * lanes / int(sizeof(P)), half = Block / 2;
  constexpr int region = Block > small ? lanes : small, of_each = region / 2;
  constexpr auto place = [](int lane) {
    const int begin = lane / region * region, i = lane % of_each;
    const int in_a = begin + i / half * Block + Part * half + i % half;
    return lane % region < of_each ? in_a : in_a + lanes;
  };
  return P(__builtin_shufflevector(a, b, place(Lane)...));
}

template <int Block, class P, class Lanes>
EIGEN_ALWAYS_INLINE P add_half_blocks(const P& a, const P& b, Lanes lanes) {
  return Eigen::internal::padd(half_blocks<Block, 0>(a, b, lanes),
                               half_blocks<Block, 1>(a, b, lanes));
}
template <int Block, class P, class Lanes>
EIGEN_ALWAYS_INLINE KeptSums<P> add_half_blocks(const KeptSums<P>& a, const KeptSums<P>& b,
                                                Lanes lanes) {
  KeptSums<P> sums{half_blocks<Block, 0>(a.sum, b.sum, lanes),
                   half_blocks<Block, 0>(a.lost, b.lost, lanes)};
  add_keeping_errors(sums.sum, sums.lost, half_blocks<Block, 1>(a.sum, b.sum, lanes),
                     half_blocks<Block, 1>(a.lost, b.lost, lanes));
  return sums;
}

// The packets of(first) and further ones, of so many lanes, in blocks of half of Block for each.
template <int Lanes, int Block, class Of>
EIGEN_ALWAYS_INLINE auto sums_of_blocks(const Of& of, Index first) {
  if constexpr (Block > Lanes) {
    return of(first);
  } else {
    const auto a = sums_of_blocks<Lanes, 2 * Block>(of, first);
    const auto b = sums_of_blocks<Lanes, 2 * Block>(of, first + Lanes / Block);
    return add_half_blocks<Block>(a, b, std::make_integer_sequence<int, Lanes>{});
  }
}

// From the order that half_blocks() leaves to that of the vectors.
template <class P, int... Lane>
EIGEN_ALWAYS_INLINE P in_order(const P& x, std::integer_sequence<int, Lane...>) {
  constexpr int small = 16 * int(sizeof...(Lane)) / int(sizeof(P)), regions = int(sizeof(P)) / 16;
  return P(__builtin_shufflevector(x, x, (Lane % regions * small + Lane / regions)...));
}

// plain_sum_of_lanes() of packets of(0), of(1), ..., as many as they have lanes. One by one, 64
// vectors of 8 to 32 numbers took 1.5 to 3 times as long to sum (AVX-512), of floats 1.3 to 2 times
// with AVX2.
template <class P, class Of>
EIGEN_ALWAYS_INLINE P plain_sums_of_lanes(const Of& of) {
  constexpr int lanes = Eigen::internal::unpacket_traits<P>::size;
  return in_order(P(sums_of_blocks<lanes, 2>(of, 0)), LaneNumbers<P>{});
}

// sum_of_lanes() of as many packets as one has doubles; those of doubles may have lost something.
template <class Real, class... Losts>
EIGEN_DONT_INLINE void sums_of_lanes(Real* sums, const Packet<Real>* packets,
                                     const Losts*... losts) {
  using P = Packet<double>;
  constexpr int lanes = packet_size<double>;
  if constexpr (std::is_same_v<Real, float>) {
    static_assert(packet_size<float> == 2 * lanes);
    const auto halved = [=](Index k) {
      double wide[2 * lanes];
      halve_as_doubles(packets[k], wide);
      return Eigen::internal::ploadu<P>(wide);
    };
    double wide[lanes];
    Eigen::internal::pstoreu(wide, plain_sums_of_lanes<P>(halved));
    for (int k = 0; k < lanes; ++k) sums[k] = static_cast<float>(wide[k]);
  } else {
    const auto kept = [=](Index k) { return KeptSums<P>{packets[k], losts[k]...}; };
    const P totals = sums_of_blocks<lanes, 2>(kept, 0).total();
    Eigen::internal::pstoreu(sums, in_order(totals, LaneNumbers<P>{}));
  }
}

// For vectors x, x + stride, ... the sum of the lanes of packet_of(x), a Packet or KeptSums. Many
// at once, 64 x 64 and 128 x 128 floats took 0.9 of the time (AVX-512), 144 x 16 doubles 0.8 to
// 0.9; smaller packets of floats, or what floats have lost, gain nothing.
template <class Real, class PacketOf>
EIGEN_ALWAYS_INLINE void sum_lanes_of_each(const Real* x, Index stride, Index vectors, Real* sums,
                                           PacketOf packet_of) {
  constexpr bool plain = std::is_same_v<decltype(packet_of(x)), Packet<Real>>;
  constexpr Index some = packet_size<double>;
  constexpr bool pays = std::is_same_v<Real, double> ? some >= (plain ? 2 : 4) : plain && some >= 8;
  Index k = 0;
  if constexpr (has_shuffles && pays) {
    Packet<Real> packets[some], losts[some];
    for (; k + some <= vectors; k += some) {
      REIN_DO_NOT_UNROLL
      for (Index i = 0; i < some; ++i, x += stride) {
        if constexpr (plain) {
          packets[i] = packet_of(x);
        } else {
          const auto kept = packet_of(x);
          packets[i] = kept.sum;
          losts[i] = kept.lost;
        }
      }
      if constexpr (plain) {
        sums_of_lanes<Real>(sums + k, packets);
      } else {
        sums_of_lanes<Real>(sums + k, packets, losts);
      }
    }
  }
  for (; k < vectors; ++k, x += stride) sums[k] = sum_of_lanes<Real>(packet_of(x));
}

// The same of plain sums. Packets that take some code to find (not `Direct`) are stored first, so
// that it is there once.
template <class Real, class P, bool Direct, class PacketOf>
EIGEN_ALWAYS_INLINE void plainly_sum_lanes_of_each(const Real* x, Index stride, Index vectors,
                                                   Real* sums, const PacketOf& packet_of) {
  using Eigen::internal::pstoreu;
  constexpr Index lanes = Eigen::internal::unpacket_traits<P>::size;
  Index k = 0;
  if constexpr (has_shuffles && lanes >= (Direct ? 4 : 8)) {
    for (; k + lanes <= vectors; k += lanes, x += lanes * stride) {
      const auto packet = [&](Index i) { return packet_of(x + i * stride); };
      if constexpr (Direct) {
        pstoreu(sums + k, plain_sums_of_lanes<P>(packet));
      } else {
        P packets[lanes];
        REIN_DO_NOT_UNROLL
        for (Index i = 0; i < lanes; ++i) packets[i] = packet(i);
        pstoreu(sums + k, plain_sums_of_lanes<P>([&](Index i) { return packets[i]; }));
      }
    }
  }
  for (; k < vectors; ++k, x += stride) sums[k] = plain_sum_of_lanes<Real>(packet_of(x));
}
#undef REIN_DO_NOT_UNROLL

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
