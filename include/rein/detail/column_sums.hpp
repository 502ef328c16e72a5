#pragma once

#include <algorithm>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/lane_sums.hpp>
#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>

// Sums of squares of lanes, numbers at the same place of many columns: right to 6 roundings as
// those of square_sum.hpp, and made alike, but that no lane is added to its neighbours.

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

template <class Real>
Real sum_of_eight_numbers(const Real* x, Index stride);

// The squares of one packet from each of Count columns, added in pairs: 1 + log2(Count) roundings
// deep.
template <int Count, class P, class Real>
EIGEN_STRONG_INLINE P sum_of_columns(const Real* x, Index stride) {
  using namespace Eigen::internal;
  if constexpr (Count == 1) {
    return unfused_square(ploadu<P>(x));
  } else if constexpr (Count == 2) {
    return add_square(ploadu<P>(x + stride), unfused_square(ploadu<P>(x)));
  } else if constexpr (Count == 8 && std::is_same_v<P, Real>) {
    return sum_of_eight_numbers(x, stride);
  } else {
    const P first = sum_of_columns<Count / 2, P>(x, stride);
    const P second = sum_of_columns<Count / 2, P>(x + Count / 2 * stride, stride);
    return padd(first, second);
  }
}

// Of single numbers, beside packets, a function of its own: they were half of the code.
template <class Real>
EIGEN_DONT_INLINE Real sum_of_eight_numbers(const Real* x, Index stride) {
  return sum_of_columns<4, Real>(x, stride) + sum_of_columns<4, Real>(x + 4 * stride, stride);
}

// More columns are summed with their errors kept.
inline constexpr Index most_plain_columns = 32;

// The sums of the squares of so many columns, up to Most, `stride` apart, in lanes that are
// independent of each other: 6 roundings deep at most, without errors to keep. Within the caller.
template <Index Most, class Real>
EIGEN_ALWAYS_INLINE void sum_columns_inlined(const Real* x, Index stride, Index columns,
                                             Index lanes, Real* sums) {
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

template <Index Most, class Real>
EIGEN_DONT_INLINE void sum_columns(const Real* x, Index stride, Index columns, Index lanes,
                                   Real* sums) {
  sum_columns_inlined<Most>(x, stride, columns, lanes, sums);
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

// The sum of n lanes' sums and of what they have lost, if that is not null; of a packet of them and
// more.
template <class Real>
EIGEN_ALWAYS_INLINE Real sum_of_stored_lanes(const Real* sums, const Real* losts, Index n) {
  using namespace Eigen::internal;
  using P = Packet<Real>;
  constexpr Index lanes = packet_size<Real>;
  P sum = ploadu<P>(sums), lost = pset1<P>(Real(0));
  if (losts != nullptr) lost = ploadu<P>(losts);
  for (Index i = lanes; i < n; i += lanes) {
    const Index rest = n - i, place = (std::min)(i, n - lanes);
    const P ones = last_lanes<Real>((std::min)(rest, lanes));
    add_keeping_error(sum, lost, P(pmul(ploadu<P>(sums + place), ones)));
    if (losts != nullptr) lost = padd(lost, P(pmul(ploadu<P>(losts + place), ones)));
  }
  return sum_of_lanes<Real>(KeptSums<P>{sum, lost});
}

// As many floats as a packet has doubles.
EIGEN_ALWAYS_INLINE Packet<double> as_doubles(const float* x) {
  constexpr int lanes = packet_size<double>;
  double wide[lanes];
  for (int i = 0; i < lanes; ++i) wide[i] = static_cast<double>(x[i]);
  return Eigen::internal::ploadu<Packet<double>>(wide);
}

// join_lanes() of floats, as doubles, which hardly round their sums; of a packet of these and more.
// With their errors kept, in packets of floats, 16 x 16 x 5 x 5 ("iohw") took 1.1 to 1.3 times as
// long.
template <class Real>
EIGEN_DONT_INLINE void join_as_doubles(Real* sums, const Real* losts, Index width, Index vectors) {
  using namespace Eigen::internal;
  using P = Packet<double>;
  constexpr Index lanes = packet_size<double>;
  const P last = last_lanes<double>((width - 1) % lanes + 1);
  const auto add_all = [=](const Real* x, P sum) {
    for (Index i = 0; i + lanes < width; i += lanes) sum = padd(sum, as_doubles(x + i));
    return P(padd(sum, P(pmul(as_doubles(x + width - lanes), last))));
  };
  const auto packet_of = [=](Index k) {
    const P sum = add_all(sums + k * width, pset1<P>(0.0));
    return losts == nullptr ? sum : add_all(losts + k * width, sum);
  };
  Index k = 0;
  if constexpr (has_shuffles && lanes > 1) {
    P packets[lanes];
    for (; k + lanes <= vectors; k += lanes) {
      for (Index i = 0; i < lanes; ++i) packets[i] = packet_of(k + i);
      double wide[lanes];
      pstoreu(wide, plain_sums_of_lanes<P>([&](Index i) { return packets[i]; }));
      for (Index i = 0; i < lanes; ++i) sums[k + i] = static_cast<Real>(wide[i]);
    }
  }
  for (; k < vectors; ++k) sums[k] = static_cast<Real>(plain_sum_of_lanes<double>(packet_of(k)));
}

// Adds up each vector's lanes, so many, and what each of them has lost, if that is not null: from a
// sum for each lane to one for each vector. A few lanes are added for several vectors at once:
// vector by vector, 16 x 16 x 3 x 3 ("iohw") took 1.2 times as long, 3 x 64 x 3 x 3 1.3 to 1.5.
// Eight doubles of each are read in packets, and transposed: gathered, 16 x 16 x 3 x 3 took 1.3
// times as long.
template <class Real>
EIGEN_DONT_INLINE void join_lanes(Real* sums, const Real* losts, Index width, Index vectors) {
  using namespace Eigen::internal;
  constexpr bool narrow = std::is_same_v<Real, float>;
  constexpr Index few = narrow ? 12 : 16;
  if (width <= few) {
    over_lanes<Real>(vectors, [=]<class P>(Index k, P) {
      constexpr Index size = unpacket_traits<P>::size;
      const auto for_each_lane = [=](const Real* x, const auto& use) {
        x += k * width;
        Index i = 0;
        if constexpr (!narrow && size == 8) {
          if (width >= size) {
            PacketBlock<P, size> block;
            for (; i < size; ++i) block.packet[i] = ploadu<P>(x + i * width);
            ptranspose(block);
            for (const P& lane : block.packet) use(lane);
          }
        }
        for (; i < width; ++i) use(pgather<Real, P>(x + i, width));
      };
      P sum = pset1<P>(Real(0)), lost = sum;
      for_each_lane(sums, [&](const P& lane) { add_keeping_error(sum, lost, lane); });
      if (losts != nullptr) for_each_lane(losts, [&](const P& lane) { lost = padd(lost, lane); });
      pstoreu(sums + k, padd(sum, lost));
    });
  } else if constexpr (narrow) {
    join_as_doubles(sums, losts, width, vectors);
  } else {
    for (Index k = 0; k < vectors; ++k) {
      const Index begin = k * width;
      sums[k] = sum_of_stored_lanes(sums + begin, losts == nullptr ? losts : losts + begin, width);
    }
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
