#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

// Sums of squares that are right to 6 roundings (3 eps) at any length: a few squares are added
// plainly, and these short sums are added with their rounding errors kept (Knuth's TwoSum, error
// free). Over- and underflow show in the result; careful.hpp takes a second look then.

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

// Loads that come later in the program stay behind this point.
inline void no_load_earlier() {
#if defined(__GNUC__)
  asm volatile("" ::: "memory");
#endif
}

// The squares of Count packets, added in pairs: at most 5 roundings deep. Read in the order of
// memory; nested calls, which g++ evaluates from the right, took 2.7 times as long from memory.
template <int Count, class Real>
EIGEN_STRONG_INLINE Packet<Real> sum_of_packets(const Real* x) {
  using namespace Eigen::internal;
  if constexpr (Count == 1) {
    return unfused_square(ploadu<Packet<Real>>(x));
  } else if constexpr (Count == 2) {
    const Packet<Real> first = ploadu<Packet<Real>>(x);
    const Packet<Real> second = ploadu<Packet<Real>>(x + packet_size<Real>);
    no_load_earlier();
    return add_square(second, unfused_square(first));
  } else {
    const Packet<Real> first = sum_of_packets<Count / 2>(x);
    const Packet<Real> second = sum_of_packets<Count / 2>(x + Count / 2 * packet_size<Real>);
    return padd(first, second);
  }
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

// g++ unrolls a short loop within another one before it would vectorise it. With scalars instead of
// packets, to sum 64 vectors of 64 floats took 1.3 (AVX2) to 1.9 times (AVX-512) as long.
#if defined(__GNUC__) && !defined(__clang__)
#define REIN_DO_NOT_UNROLL _Pragma("GCC unroll 1")
#else
#define REIN_DO_NOT_UNROLL
#endif

// In halves, as Eigen's sum() of four doubles takes 7 operations instead of 4. Not of Eigen arrays:
// compiled with the header, those took a tenth of the time of <Eigen/Core>.
template <int Count>
EIGEN_ALWAYS_INLINE double sum_in_halves(double* x) {
  if constexpr (Count == 1) {
    return x[0];
  } else {
    constexpr int half = Count / 2;
    REIN_DO_NOT_UNROLL
    for (int i = 0; i < half; ++i) x[i] += x[half + i];
    return sum_in_halves<half>(x);
  }
}

// The sum of the lanes of a packet of floats, which doubles hardly round.
EIGEN_ALWAYS_INLINE double sum_as_doubles(const Packet<float>& packet) {
  constexpr int lanes = packet_size<float>;
  float terms[lanes];
  double wide[lanes];
  Eigen::internal::pstoreu(terms, packet);
  REIN_DO_NOT_UNROLL
  for (int i = 0; i < lanes; ++i) wide[i] = static_cast<double>(terms[i]);
  return sum_in_halves<lanes>(wide);
}
#undef REIN_DO_NOT_UNROLL

// sum += term, with what either has lost.
template <class P>
EIGEN_ALWAYS_INLINE void add_keeping_errors(P& sum, P& lost, const P& term, const P& term_lost) {
  lost = Eigen::internal::padd(lost, term_lost);
  add_keeping_error(sum, lost, term);
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
EIGEN_ALWAYS_INLINE Real sum_of_lanes(const Packet<Real>& packet, const Packet<Real>& lost) {
  if constexpr (std::is_same_v<Real, float>) {
    const float rest = Eigen::internal::predux(lost);
    return static_cast<float>(sum_as_doubles(packet) + static_cast<double>(rest));
  } else {
    return sum_keeping_errors(packet, lost);
  }
}
template <class Real>
EIGEN_ALWAYS_INLINE Real sum_of_lanes(const Packet<Real>& packet) {
  if constexpr (std::is_same_v<Real, float>) {
    return static_cast<float>(sum_as_doubles(packet));
  } else {
    return sum_keeping_errors(packet, Eigen::internal::pset1<Packet<Real>>(Real(0)));
  }
}

template <class Real>
inline constexpr Index longest_tree = 16 * packet_size<Real>;

// The squares of at least one packet and at most Most of them, added in pairs into one packet: for
// 16, 5 roundings deep. No product is left for the compiler to fuse with a sum, here so, there not.
template <class Real, int Most = 16>
EIGEN_ALWAYS_INLINE Packet<Real> tree_square_sum(const Real* x, Index n) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Real>;
  if (n == Most * lanes) return sum_of_packets<Most>(x);
  Packet<Real> sum = pset1<Packet<Real>>(Real(0));
  if (const Index rest = n % lanes; rest != 0) {
    sum = add_square(tail_packet(x + n, rest), sum);
  }
  if (n & lanes) sum = add_square(ploadu<Packet<Real>>(x), sum), x += lanes;
  if (n & (2 * lanes)) sum = padd(sum, sum_of_packets<2>(x)), x += 2 * lanes;
  if constexpr (Most > 4) {
    if (n & (4 * lanes)) sum = padd(sum, sum_of_packets<4>(x)), x += 4 * lanes;
    if (n & (8 * lanes)) sum = padd(sum, sum_of_packets<8>(x));
  }
  return sum;
}

// Adds the squares of the numbers [begin, end) of x, which has a packet of them and more, a tree at
// a time; beside(i, m) is called as [i, i + m) has been read. 16 packets to an error-free addition
// cost 1.2 times a plain sum, 8 cost 1.4 times. (g++ unrolls a loop whose length it knows, and then
// reads out of order.)
template <class Real, class Beside>
EIGEN_ALWAYS_INLINE void add_trees(const Real* x, Index begin, Index end, Packet<Real>& sum,
                                   Packet<Real>& lost, const Beside& beside) {
  constexpr Index lanes = packet_size<Real>, tree = longest_tree<Real>;
  Index i = begin;
  for (; i + tree <= end; i += tree) {
    add_keeping_error(sum, lost, sum_of_packets<16>(x + i));
    beside(i, tree);
  }
  const Index rest = end - i;
  if (rest == 0) return;
  if (rest >= lanes) {
    add_keeping_error(sum, lost, tree_square_sum(x + i, rest));
  } else {
    add_keeping_error(sum, lost, unfused_square(tail_packet(x + end, rest)));
  }
  beside(i, rest);
}

// The sum of squares of one vector, fed in runs.
template <class Real>
class SquareSum {
 public:
  // Adds the squares of n numbers, a packet and more. `ahead(i, m)` is called before the part [i, i
  // + m) of [0, n) is read, `beside(i, m)` as it has been read: work on other memory that goes well
  // with this.
  template <class Ahead, class Beside>
  EIGEN_STRONG_INLINE void add(const Real* x, Index n, const Ahead& ahead, const Beside& beside) {
    // Folding after each part keeps the second-order error of a float sum below 1e-8 at any length.
    constexpr Index part = (std::max)(Index(1024), longest_tree<Real>);
    Packet<Real> sum = sum_, lost = lost_;  // in registers
    for (Index begin = 0; begin < n; begin += part) {
      const Index end = (std::min)(begin + part, n);
      ahead(begin, end - begin);
      add_trees(x, begin, end, sum, lost, beside);
      fold(sum, lost);
    }
    sum_ = sum;
    lost_ = lost;
  }

  // The same without other work.
  EIGEN_DONT_INLINE void add(const Real* x, Index n) {
    const auto nothing = [](Index, Index) {};
    add(x, n, nothing, nothing);
  }

  Real total() const { return total(this, 1); }

  // The sum over parts of a vector.
  static Real total(const SquareSum* parts, Index count) {
    Packet<Real> packet_sum = parts[0].sum_;
    Packet<Real> packet_lost = parts[0].lost_;
    for (Index p = 1; p < count; ++p) {
      add_keeping_error(packet_sum, packet_lost, parts[p].sum_);
      packet_lost = Eigen::internal::padd(packet_lost, parts[p].lost_);
    }
    return sum_of_lanes<Real>(packet_sum, packet_lost);
  }

 private:
  Packet<Real> sum_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
  Packet<Real> lost_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
};

// Vectors of up to 8 KiB are short: so few trees need no folding (their second-order error is below
// 1e-10). SquareSum takes 1.7 times as many instructions for 144 floats.
template <class Real>
inline constexpr Index longest_short_vector = 8192 / static_cast<Index>(sizeof(Real));

// The sum of squares of a short vector of more than one tree, with beside() as in add_trees().
template <class Real, class Beside>
EIGEN_ALWAYS_INLINE Real square_sum_of_trees(const Real* x, Index n, const Beside& beside) {
  constexpr Index tree = longest_tree<Real>;
  Packet<Real> sum = sum_of_packets<16>(x);
  Packet<Real> lost = Eigen::internal::pset1<Packet<Real>>(Real(0));
  beside(0, tree);
  add_trees(x, tree, n, sum, lost, beside);
  return sum_of_lanes<Real>(sum, lost);
}

template <class Real>
EIGEN_ALWAYS_INLINE Real short_square_sum(const Real* x, Index n) {
  if (n <= longest_tree<Real>) return sum_of_lanes<Real>(tree_square_sum(x, n));
  return square_sum_of_trees(x, n, [](Index, Index) {});
}

// Rough sums do not pay for fewer vectors.
inline constexpr Index fewest_rough = 4;

// The sum of squares of a vector of at least one packet in four plain chains, wrong by up to
// rough_error of itself: with good sums 544 x 544 floats that all are satisfied took 1.6 times as
// long.
template <class Real>
EIGEN_ALWAYS_INLINE Real rough_square_sum(const Real* x, Index n) {
  using namespace Eigen::internal;
  using P = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  P a = pset1<P>(Real(0)), b = a, c = a, d = a;
  const auto packet = [&](Index i) { return ploadu<P>(x + i); };
  Index i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = add_square(packet(i), a);
    b = add_square(packet(i + lanes), b);
    c = add_square(packet(i + 2 * lanes), c);
    d = add_square(packet(i + 3 * lanes), d);
  }
  if (i + 2 * lanes <= n) {
    a = add_square(packet(i), a);
    b = add_square(packet(i + lanes), b);
    i += 2 * lanes;
  }
  if (i + lanes <= n) c = add_square(packet(i), c), i += lanes;
  if (i != n) d = add_square(tail_packet(x + n, n - i), d);
  return predux(padd(padd(a, b), padd(c, d)));
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

// The sums of squares of so many vectors of n numbers each, in one chain for each. update(i, P{})
// gives the packet P of number i, counted through all vectors, and may write it.
template <class Real, class Update>
EIGEN_ALWAYS_INLINE void update_and_note(Index vectors, Index n, Real* square_sums,
                                         const Update& update) {
  using namespace Eigen::internal;
  for (Index k = 0; k < vectors; ++k) {
    Packet<Real> packets = pset1<Packet<Real>>(Real(0));
    Real rest = 0;
    const auto add = [&]<class P>(Index i, P) {
      const P x = update(i, P{});
      if constexpr (std::is_same_v<P, Packet<Real>>) {
        packets = add_square(x, packets);
      } else {
        rest += predux(pmul(x, x));
      }
    };
    over_lanes<Real>((k + 1) * n, add, k * n);
    square_sums[k] = predux(packets) + rest;
  }
}

// Twice its roundings, at most: one for each packet of a chain, and 8.
template <class Real>
Real rough_error(Index n) {
  const Index roundings = n / (4 * packet_size<Real>)+8;
  return static_cast<Real>(roundings) * Eigen::NumTraits<Real>::epsilon();
}

// Up to this length a plain sum over the lanes of a short vector's packet, too, is 6 roundings
// deep.
template <class Real>
inline constexpr Index longest_tiny_vector = packet_size<Real> <= 4   ? 8 * packet_size<Real>
                                             : packet_size<Real> == 8 ? 4 * packet_size<Real>
                                                                      : 2 * packet_size<Real>;

// The squares of one packet from each of Count columns, added in pairs: 1 + log2(Count) roundings
// deep.
template <int Count, class P, class Real>
EIGEN_STRONG_INLINE P sum_of_columns(const Real* x, Index stride) {
  using namespace Eigen::internal;
  if constexpr (Count == 1) {
    return unfused_square(ploadu<P>(x));
  } else if constexpr (Count == 2) {
    return add_square(ploadu<P>(x + stride), unfused_square(ploadu<P>(x)));
  } else {
    const P first = sum_of_columns<Count / 2, P>(x, stride);
    const P second = sum_of_columns<Count / 2, P>(x + Count / 2 * stride, stride);
    return padd(first, second);
  }
}

// short_square_sum() of as many vectors of one tree as a packet has lanes, to the same bits,
// without a sum over the lanes of each: 64 x 64 doubles that all violate took 1.2 times as long one
// by one (AVX-512). Floats gain nothing.
template <class Real>
EIGEN_ALWAYS_INLINE Packet<Real> packet_of_square_sums(const Real* x, Index stride, Index n) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Real>;
  PacketBlock<Packet<Real>, lanes> sums, losts;
  for (Index k = 0; k < lanes; ++k) {
    sums.packet[k] = tree_square_sum(x + k * stride, n);
    losts.packet[k] = pset1<Packet<Real>>(Real(0));
  }
  ptranspose(sums);
  for (Index half = lanes / 2; half > 0; half /= 2) {
    for (Index i = 0; i < half; ++i) {
      add_keeping_errors(sums.packet[i], losts.packet[i], sums.packet[i + half],
                         losts.packet[i + half]);
    }
  }
  return padd(sums.packet[0], losts.packet[0]);
}

// square_sums() of vectors that are not tiny. One function for all who call it: within theirs, 33 x
// 100 doubles took 1.4 times as long.
template <class Real>
EIGEN_DONT_INLINE void longer_square_sums(const Real* x, Index stride, Index n, Index vectors,
                                          Real* sums) {
  constexpr Index lanes = packet_size<Real>;
  if (n > longest_short_vector<Real>) {
    for (Index k = 0; k < vectors; ++k, x += stride) {
      SquareSum<Real> sum;
      sum.add(x, n);
      sums[k] = sum.total();
    }
    return;
  }
  if constexpr (std::is_same_v<Real, double>) {
    for (; n <= longest_tree<Real> && vectors >= lanes; vectors -= lanes, sums += lanes) {
      Eigen::internal::pstoreu(sums, packet_of_square_sums(x, stride, n));
      x += lanes * stride;
    }
  }
  for (Index k = 0; k < vectors; ++k, x += stride) sums[k] = short_square_sum(x, n);
}

// square_sums() of vectors of no more numbers than the packet P holds, or of two, by way of each(),
// with the widest packet that they fill. One number at a time, 4 x 4 floats took 1.6 times as long,
// 9 x 256 twice as long. (Two, a complex number, come out as where they lie across the memory.)
template <class Real, class P, class Each>
EIGEN_ALWAYS_INLINE void tiny_square_sums(Index n, const Each& each) {
  using namespace Eigen::internal;
  constexpr Index lanes = unpacket_traits<P>::size;
  if constexpr (lanes == 1) {
    each([=](const Real* run) {
      Real sum = 0;
      for (Index i = 0; i < n; ++i) sum += unfused_square(run[i]);
      return sum;
    });
  } else if (n < lanes) {
    tiny_square_sums<Real, Narrower<Real, P>>(n, each);
  } else if (n == lanes) {
    each([=](const Real* run) { return predux(unfused_square(ploadu<P>(run))); });
  } else {
    each([=](const Real* run) {
      const P first = unfused_square(ploadu<P>(run));
      return predux(add_square(tail_packet<Real, P>(run + n, n - lanes), first));
    });
  }
}

// The sums of squares of so many vectors, `stride` apart.
template <class Real>
EIGEN_ALWAYS_INLINE void square_sums(const Real* x, Index stride, Index n, Index vectors,
                                     Real* sums) {
  using Eigen::internal::predux;
  constexpr Index lanes = packet_size<Real>;
  if (n > longest_tiny_vector<Real>) return longer_square_sums(x, stride, n, vectors, sums);
  // Whole packets are told apart once for all vectors: their branches took a quarter of the time.
  const auto each = [&](const auto& square_sum) {
    const Real* run = x;
    for (Index k = 0; k < vectors; ++k, run += stride) sums[k] = square_sum(run);
  };
  if (n <= (std::max)(lanes, Index(2))) {
    tiny_square_sums<Real, Packet<Real>>(n, each);
  } else if (n == 2 * lanes) {
    each([](const Real* run) { return predux(sum_of_packets<2>(run)); });
  } else {
    constexpr int most = longest_tiny_vector<Real> / lanes;
    each([n](const Real* run) { return predux(tree_square_sum<Real, most>(run, n)); });
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

// More columns are summed with their errors kept.
inline constexpr Index most_plain_columns = 32;

// The sums of the squares of so many columns, up to Most, `stride` apart, in lanes that are
// independent of each other: 6 roundings deep at most, without errors to keep.
template <Index Most, class Real>
EIGEN_DONT_INLINE void sum_columns(const Real* x, Index stride, Index columns, Index lanes,
                                   Real* sums) {
  using namespace Eigen::internal;
  over_lanes_at_least_once<Real>(lanes, [=]<class P>(Index lane, P) {
    const Real* column = x + lane;
    P sum = pset1<P>(Real(0));
    const auto add = [&]<int Count>(std::integral_constant<int, Count>) {
      if (columns & Count) {
        sum = padd(sum, sum_of_columns<Count, P>(column, stride));
        column += Count * stride;
      }
    };
    add(std::integral_constant<int, 1>{});
    add(std::integral_constant<int, 2>{});
    add(std::integral_constant<int, 4>{});
    if constexpr (Most == 32) {
      add(std::integral_constant<int, 8>{});
      add(std::integral_constant<int, 16>{});
      if (columns == 32) sum = sum_of_columns<32, P>(column, stride);
    }
    pstoreu(sums + lane, sum);
  });
}

// Up to 7 columns have a function of their own, which does not prepare the places of 32: without
// it, 64 x 6 floats took 1.15 times as long, 4 x 4 1.2 times.
template <class Real>
EIGEN_ALWAYS_INLINE void sum_few_columns(const Real* x, Index stride, Index columns, Index lanes,
                                         Real* sums) {
  if (columns < 8) return sum_columns<7>(x, stride, columns, lanes, sums);
  sum_columns<most_plain_columns>(x, stride, columns, lanes, sums);
}

// Adds the squares of columns, `stride` apart, to the sums of lanes that are independent of each
// other; `fresh` ones start here. With 8 columns to an error-free addition instead of 16, 64 x 64
// floats took 1.13 times as long, 256 x 256 1.05 times, with SSE2 1.35 times.
template <Index Columns, class Real>
EIGEN_DONT_INLINE void add_columns(const Real* x, Index stride, Index columns, Index lanes,
                                   Real* sums, Real* losts, bool fresh, bool with_fold) {
  using namespace Eigen::internal;
  over_lanes<Real>(lanes, [=]<class P>(Index lane, P) {
    P sum = pset1<P>(Real(0)), lost = sum;
    if (!fresh) sum = ploadu<P>(sums + lane), lost = ploadu<P>(losts + lane);
    const auto add = [&](const P& term) { add_keeping_error(sum, lost, term); };
    const Real* column = x + lane;
    if constexpr (Columns == 16) {
      add(sum_of_columns<16, P>(column, stride));
    } else {
      for (Index c = columns / 16; c > 0; --c, column += 16 * stride) {
        add(sum_of_columns<16, P>(column, stride));
      }
      if (columns & 8) add(sum_of_columns<8, P>(column, stride)), column += 8 * stride;
      if (columns & 4) add(sum_of_columns<4, P>(column, stride)), column += 4 * stride;
      if (columns & 2) add(sum_of_columns<2, P>(column, stride)), column += 2 * stride;
      if (columns & 1) add(sum_of_columns<1, P>(column, stride));
    }
    if (with_fold) fold(sum, lost);
    pstoreu(sums + lane, sum);
    pstoreu(losts + lane, lost);
  });
}

// Adds n lanes' other sums to theirs.
template <class Real>
EIGEN_DONT_INLINE void add_lanes(Real* sums, Real* losts, const Real* other_sums,
                                 const Real* other_losts, Index n) {
  using namespace Eigen::internal;
  over_lanes<Real>(n, [=]<class P>(Index lane, P) {
    P sum = ploadu<P>(sums + lane), lost = ploadu<P>(losts + lane);
    add_keeping_errors(sum, lost, ploadu<P>(other_sums + lane), ploadu<P>(other_losts + lane));
    fold(sum, lost);
    pstoreu(sums + lane, sum);
    pstoreu(losts + lane, lost);
  });
}

// The sum of n lanes' sums and of what they have lost, if that is not null: by packets, where there
// is a whole one, as 34 doubles took 50 ns one by one; else floats as doubles, which hardly round
// them.
template <class Real>
EIGEN_ALWAYS_INLINE Real sum_of_stored_lanes(const Real* sums, const Real* losts, Index n) {
  using namespace Eigen::internal;
  using P = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  if (n >= lanes && lanes > 1) {
    P sum = ploadu<P>(sums), lost = pset1<P>(Real(0));
    if (losts != nullptr) lost = ploadu<P>(losts);
    for (Index i = lanes; i < n; i += lanes) {
      const Index rest = n - i, place = (std::min)(i, n - lanes);
      const P ones = last_lanes<Real>((std::min)(rest, lanes));
      add_keeping_error(sum, lost, P(pmul(ploadu<P>(sums + place), ones)));
      if (losts != nullptr) lost = padd(lost, P(pmul(ploadu<P>(losts + place), ones)));
    }
    return sum_of_lanes<Real>(sum, lost);
  }
  if constexpr (std::is_same_v<Real, float>) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
      sum += static_cast<double>(sums[i]);
      if (losts != nullptr) sum += static_cast<double>(losts[i]);
    }
    return static_cast<float>(sum);
  } else {
    Real sum = sums[0], lost = losts != nullptr ? losts[0] : Real(0);
    for (Index i = 1; i < n; ++i) {
      add_keeping_error(sum, lost, sums[i]);
      if (losts != nullptr) lost += losts[i];
    }
    return sum + lost;
  }
}

// 256 x 256 took 1.5 times as long without a loop for 16 columns.
template <class Real>
void add_columns(const Real* x, Index stride, Index columns, Index lanes, Real* sums, Real* losts,
                 bool fresh, bool with_fold) {
  if (columns == 16) {
    add_columns<16>(x, stride, columns, lanes, sums, losts, fresh, with_fold);
  } else {
    add_columns<Eigen::Dynamic>(x, stride, columns, lanes, sums, losts, fresh, with_fold);
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
