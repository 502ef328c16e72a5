#pragma once

#include <algorithm>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/lane_sums.hpp>
#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>

// Sums of squares of vectors that lie along the memory, right to 6 roundings (3 eps) at any length:
// a few squares are added plainly, and these short sums are added with their rounding errors kept.
// Over- and underflow show in the result; careful.hpp takes a second look then.

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

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

template <class Real>
inline constexpr Index longest_tree = 16 * packet_size<Real>;

// The squares of at least one packet and fewer than Most of them, added in pairs into one packet:
// for 16, 5 roundings deep. No product is left for the compiler to fuse with a sum, here so, there
// not.
template <class Real, int Most = 16>
EIGEN_ALWAYS_INLINE Packet<Real> sum_of_part_of_tree(const Real* x, Index n) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Real>;
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

// The same of a whole tree, too.
template <class Real>
EIGEN_ALWAYS_INLINE Packet<Real> tree_square_sum(const Real* x, Index n) {
  if (n == longest_tree<Real>) return sum_of_packets<16>(x);
  return sum_of_part_of_tree(x, n);
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
    add_keeping_error(sum, lost, sum_of_part_of_tree(x + i, rest));
  } else {
    add_keeping_error(sum, lost, unfused_square(tail_packet(x + end, rest)));
  }
  beside(i, rest);
}

// The sum of squares of one vector, fed in runs.
template <class Real>
class SquareSum {
 public:
  // Numbers between two folds, which keep the second-order error of a float sum below 1e-8 at any
  // length.
  static constexpr Index part = (std::max)(Index(1024), longest_tree<Real>);

  // Adds the squares of n numbers, a packet and more; `others` are multiplied by a factor beside
  // it, if that is not 1.
  EIGEN_DONT_INLINE void add(const Real* x, Index n, Real* others = nullptr, Real factor = 1) {
    const auto beside = [=](Index i, Index m) {
      if (factor != 1) scale_numbers(others + i, m, factor);
    };
    Packet<Real> sum = sum_, lost = lost_;  // in registers
    for (Index begin = 0; begin < n; begin += part) {
      const Index end = (std::min)(begin + part, n);
      add_trees(x, begin, end, sum, lost, beside);
      fold(sum, lost);
    }
    sum_ = sum;
    lost_ = lost;
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
    return sum_of_lanes<Real>(KeptSums<Packet<Real>>{packet_sum, packet_lost});
  }

 private:
  Packet<Real> sum_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
  Packet<Real> lost_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
};

// Vectors of up to 8 KiB are short: so few trees need no folding (their second-order error is below
// 1e-10). SquareSum takes 1.7 times as many instructions for 144 floats.
template <class Real>
inline constexpr Index longest_short_vector = 8192 / static_cast<Index>(sizeof(Real));

// The squares of a short vector of more than one tree, with beside() as in add_trees().
template <class Real, class Beside>
EIGEN_ALWAYS_INLINE KeptSums<Packet<Real>> sum_of_trees(const Real* x, Index n,
                                                        const Beside& beside) {
  constexpr Index tree = longest_tree<Real>;
  Packet<Real> sum = sum_of_packets<16>(x);
  Packet<Real> lost = Eigen::internal::pset1<Packet<Real>>(Real(0));
  beside(0, tree);
  add_trees(x, tree, n, sum, lost, beside);
  return {sum, lost};
}

// Rough sums do not pay for fewer vectors.
inline constexpr Index fewest_rough = 4;

// The sum of squares of a vector of at least one packet in four plain chains, wrong by up to
// rough_error of itself: with good sums 544 x 544 floats that all are satisfied took 1.6 times as
// long. Packets are read from where they do not straddle lines of the cache, since a sum so rough
// may begin where the memory wants it: none violating, 300 x 300 floats and 257 x 300 doubles took
// 1.6 times as long without (AVX-512), with AVX2 1.3 times.
template <class Real>
EIGEN_ALWAYS_INLINE Real rough_square_sum(const Real* x, Index n) {
  using namespace Eigen::internal;
  using P = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  P a = pset1<P>(Real(0)), b = a, c = a, d = a;
  const auto packet = [&](Index i) { return ploadu<P>(x + i); };
  Index i = sizeof(P) > 16 ? first_aligned<sizeof(P)>(x, lanes) : 0;
  if (i > 0) {
    const P first = psub(pset1<P>(Real(1)), last_lanes<Real>(lanes - i));  // 1 or 0
    d = unfused_square(P(pmul(packet(0), first)));
  }
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

// square_sums() of vectors that are not tiny. One function for all who call it: within theirs, 33 x
// 100 doubles took 1.4 times as long.
template <class Real>
EIGEN_DONT_INLINE void longer_square_sums(const Real* x, Index stride, Index n, Index vectors,
                                          Real* sums) {
  if (n <= longest_tree<Real>) {
    sum_lanes_of_each(x, stride, vectors, sums,
                      [n](const Real* run) { return tree_square_sum(run, n); });
  } else if (n <= longest_short_vector<Real>) {
    sum_lanes_of_each(x, stride, vectors, sums,
                      [n](const Real* run) { return sum_of_trees(run, n, [](Index, Index) {}); });
  } else {
    for (Index k = 0; k < vectors; ++k, x += stride) {
      SquareSum<Real> sum;
      sum.add(x, n);
      sums[k] = sum.total();
    }
  }
}

// square_sums() of vectors of no more numbers than the packet P holds, or of two, with the widest
// packet that they fill. One number at a time, 4 x 4 floats took 1.6 times as long, 9 x 256 twice
// as long. (Two, a complex number, come out as where they lie across the memory.)
template <class Real, class P>
EIGEN_ALWAYS_INLINE void tiny_square_sums(const Real* x, Index stride, Index n, Index vectors,
                                          Real* sums) {
  using namespace Eigen::internal;
  constexpr Index lanes = unpacket_traits<P>::size;
  if constexpr (lanes == 1) {
    for (Index k = 0; k < vectors; ++k, x += stride) {
      Real sum = 0;
      for (Index i = 0; i < n; ++i) sum += unfused_square(x[i]);
      sums[k] = sum;
    }
  } else if (n < lanes) {
    tiny_square_sums<Real, Narrower<Real, P>>(x, stride, n, vectors, sums);
  } else if (n == lanes) {
    plainly_sum_lanes_of_each<Real, P, true>(
        x, stride, vectors, sums, [=](const Real* run) { return unfused_square(ploadu<P>(run)); });
  } else {
    plainly_sum_lanes_of_each<Real, P, true>(x, stride, vectors, sums, [=](const Real* run) {
      const P first = unfused_square(ploadu<P>(run));
      return add_square(tail_packet<Real, P>(run + n, n - lanes), first);
    });
  }
}

// The sums of squares of so many vectors, `stride` apart, within the caller.
template <class Real>
EIGEN_ALWAYS_INLINE void square_sums_inlined(const Real* x, Index stride, Index n, Index vectors,
                                             Real* sums) {
  using P = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  constexpr int most = longest_tiny_vector<Real> / lanes;
  if (n > longest_tiny_vector<Real>) return longer_square_sums(x, stride, n, vectors, sums);
  if (n <= (std::max)(lanes, Index(2))) {
    tiny_square_sums<Real, P>(x, stride, n, vectors, sums);
  } else if (n == 2 * lanes) {
    plainly_sum_lanes_of_each<Real, P, true>(
        x, stride, vectors, sums, [=](const Real* run) { return sum_of_packets<2>(run); });
  } else if (n == longest_tiny_vector<Real>) {
    plainly_sum_lanes_of_each<Real, P, true>(
        x, stride, vectors, sums, [=](const Real* run) { return sum_of_packets<most>(run); });
  } else {
    plainly_sum_lanes_of_each<Real, P, false>(x, stride, vectors, sums, [=](const Real* run) {
      return sum_of_part_of_tree<Real, most>(run, n);
    });
  }
}

// The same in a function of its own: inlined where the sizes are not known, 30 x 20 floats took 1.3
// times as long.
template <class Real>
EIGEN_DONT_INLINE void square_sums(const Real* x, Index stride, Index n, Index vectors,
                                   Real* sums) {
  square_sums_inlined(x, stride, n, vectors, sums);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
