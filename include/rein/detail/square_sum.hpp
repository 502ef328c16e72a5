#pragma once

#include <cmath>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

// Sums of squares that are right to 6 roundings (3 eps) at any length: a few squares are added
// plainly, and these short sums are added with their rounding errors kept (Knuth's TwoSum, error
// free). Over- and underflow show in the result; careful.hpp takes a second look then.

namespace rein::detail {

template <class Real>
using Packet = typename Eigen::internal::packet_traits<Real>::type;

template <class Real>
inline constexpr Index packet_size = Eigen::internal::unpacket_traits<Packet<Real>>::size;

// a * a + sum with the same rounding for a packet and for a single number, so that an entry's
// place in a packet does not matter.
template <class P>
P add_square(const P& a, const P& sum) {
  return Eigen::internal::pmadd(a, a, sum);
}
inline float add_square(float a, float sum) {
#if defined(EIGEN_VECTORIZE_FMA) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, a, sum);
#else
  return a * a + sum;
#endif
}
inline double add_square(double a, double sum) {
#if defined(EIGEN_VECTORIZE_FMA) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, a, sum);
#else
  return a * a + sum;
#endif
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

// The squares of Count packets, added in pairs.
template <int Count, class Real>
Packet<Real> sum_of_packets(const Real* x) {
  using namespace Eigen::internal;
  if constexpr (Count == 1) {
    const Packet<Real> a = ploadu<Packet<Real>>(x);
    return pmul(a, a);
  } else if constexpr (Count == 2) {
    return add_square(ploadu<Packet<Real>>(x + packet_size<Real>), sum_of_packets<1>(x));
  } else {
    constexpr int half = Count / 2;
    return padd(sum_of_packets<half>(x), sum_of_packets<half>(x + half * packet_size<Real>));
  }
}

// The sum of a packet's numbers, in double: exact for float, error kept for double.
template <class Real>
double sum_of_lanes(const Packet<Real>& packet, double& lost) {
  constexpr Index lanes = packet_size<Real>;
  Real stored[lanes];
  Eigen::internal::pstoreu(stored, packet);
  double sums[lanes];
  for (Index i = 0; i < lanes; ++i) sums[i] = static_cast<double>(stored[i]);
  for (Index half = lanes / 2; half > 0; half /= 2) {
    for (Index i = 0; i < half; ++i) {
      if constexpr (std::is_same_v<Real, float>) {
        sums[i] += sums[i + half];
      } else {
        add_keeping_error(sums[i], lost, sums[i + half]);
      }
    }
  }
  return sums[0];
}

// Lanes [packet_size - n, packet_size) are 1, the others 0.
template <class Real>
Packet<Real> last_lanes(Index n) {
  constexpr Index lanes = packet_size<Real>;
  static constexpr auto ones = [] {
    std::array<Real, 2 * lanes> table{};
    for (Index i = lanes; i < 2 * lanes; ++i) table[static_cast<std::size_t>(i)] = 1;
    return table;
  }();
  return Eigen::internal::ploadu<Packet<Real>>(ones.data() + n);
}

// The sum of squares of one vector, fed in runs.
template <class Real>
class SquareSum {
  static constexpr Index lanes = packet_size<Real>;

 public:
  // 16 packets to an error-free addition cost 1.2 times a plain sum, 8 cost 1.4 times.
  static constexpr Index block = 16 * lanes;

  // Adds the squares of n numbers. `beside(i, m)` is called for parts [i, i + m) of [0, n) as they
  // have been read: work on other memory that goes well with reading this one.
  template <class Beside>
  void add(const Real* x, Index n, const Beside& beside) {
    // Folding after 16 blocks keeps the second-order error of a float sum below 1e-8 at any length.
    constexpr Index stretch = 16 * block;
    Index i = 0;
    while (i + block <= n) {
      const Index end = (std::min)(i + stretch, n);
      for (; i + block <= end; i += block) {
        add_packets<16>(x + i);
        beside(i, block);
      }
      fold(sum_, lost_);
    }
    const Index rest = i;
    if (n - i >= 8 * lanes) add_packets<8>(x + i), i += 8 * lanes;
    if (n - i >= 4 * lanes) add_packets<4>(x + i), i += 4 * lanes;
    if (n - i >= 2 * lanes) add_packets<2>(x + i), i += 2 * lanes;
    if (n - i >= lanes) add_packets<1>(x + i), i += lanes;
    if (i < n) add_tail(x, i, n);
    beside(rest, n - rest);
    fold(sum_, lost_);
  }

  double total() const {
    double lost = static_cast<double>(Eigen::internal::predux(lost_));
    const double sum = sum_of_lanes<Real>(sum_, lost);
    return sum + lost;
  }

 private:
  template <int Count>
  void add_packets(const Real* x) {
    add_keeping_error(sum_, lost_, sum_of_packets<Count>(x));
  }

  // Fewer numbers than a packet holds, [i, n): the lanes before them are blanked out, or, where
  // there are no numbers before them, they are added one by one.
  void add_tail(const Real* x, Index i, Index n) {
    using namespace Eigen::internal;
    if (n >= lanes) {
      const Packet<Real> last = pmul(ploadu<Packet<Real>>(x + n - lanes), last_lanes<Real>(n - i));
      add_keeping_error(sum_, lost_, pmul(last, last));
    } else {
      Real padded[lanes] = {};
      for (Index k = i; k < n; ++k) padded[k - i] = x[k];
      const Packet<Real> last = ploadu<Packet<Real>>(padded);
      add_keeping_error(sum_, lost_, pmul(last, last));
    }
  }

  Packet<Real> sum_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
  Packet<Real> lost_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
};

// The sum of squares of a vector of less than 4 packets, too short for errors to matter.
template <class Real>
double short_square_sum(const Real* x, Index n) {
  using namespace Eigen::internal;
  constexpr Index lanes = packet_size<Real>;
  double lost = 0;
  if (n < lanes) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
      const double value = static_cast<double>(x[i]);
      add_keeping_error(sum, lost, value * value);
    }
    return sum + lost;
  }
  Packet<Real> squares = sum_of_packets<1>(x);
  if (n >= 3 * lanes) {
    squares = padd(squares, sum_of_packets<2>(x + lanes));
  } else if (n >= 2 * lanes) {
    squares = sum_of_packets<2>(x);
  }
  if (const Index tail = n % lanes; tail != 0) {
    const Packet<Real> last = pmul(ploadu<Packet<Real>>(x + n - lanes), last_lanes<Real>(tail));
    squares = add_square(last, squares);
  }
  const double sum = sum_of_lanes<Real>(squares, lost);
  return sum + lost;
}

// The squares of one packet from each of Count columns, added in chains of four.
template <int Count, class P, class Real>
P sum_of_columns(const Real* const* columns, Index lane) {
  using namespace Eigen::internal;
  if constexpr (Count > 4) {
    return padd(sum_of_columns<4, P>(columns, lane),
                sum_of_columns<Count - 4, P>(columns + 4, lane));
  } else {
    const P first = ploadu<P>(columns[0] + lane);
    P sum = pmul(first, first);
    for (int c = 1; c < Count; ++c) sum = add_square(ploadu<P>(columns[c] + lane), sum);
    return sum;
  }
}

// Adds the squares of Count columns to the sums of `lanes` lanes, which are independent of each
// other. `fresh`: the sums start here.
template <int Count, class Real>
void add_columns(const Real* const* columns, Index lanes, Real* sums, Real* losts, bool fresh) {
  using namespace Eigen::internal;
  const auto add_at = [&]<class P>(Index lane, P) {
    const P term = sum_of_columns<Count, P>(columns, lane);
    P sum = term;
    P lost = pset1<P>(Real(0));
    if (!fresh) {
      sum = ploadu<P>(sums + lane);
      lost = ploadu<P>(losts + lane);
      add_keeping_error(sum, lost, term);
    }
    pstoreu(sums + lane, sum);
    pstoreu(losts + lane, lost);
  };
  constexpr Index step = packet_size<Real>;
  Index lane = 0;
  for (; lane + step <= lanes; lane += step) add_at(lane, Packet<Real>{});
  for (; lane < lanes; ++lane) add_at(lane, Real{});
}

template <class Real>
void fold_lanes(Real* sums, Real* losts, Index lanes) {
  for (Index lane = 0; lane < lanes; ++lane) fold(sums[lane], losts[lane]);
}

}  // namespace rein::detail
