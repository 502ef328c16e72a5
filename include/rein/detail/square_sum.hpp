#pragma once

#include <Eigen/Core>
#include <cmath>
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

// The sum of squares of one vector, fed in runs.
template <class Real>
class SquareSum {
 public:
  void add(const Real* x, Index n) {
    constexpr Index lanes = packet_size<Real>;
    // 16 packets to an error-free addition cost 1.2 times a plain sum, 8 cost 1.4 times. Folding
    // after 16 of these keeps the second-order error of a float sum below 1e-8 at any length.
    constexpr Index block = 16 * lanes;
    constexpr Index stretch = 16 * block;
    for (; n >= stretch; n -= stretch, x += stretch) {
      for (Index i = 0; i < stretch; i += block) add_packets<16>(x + i);
      fold(sum_, lost_);
    }
    for (; n >= block; n -= block, x += block) add_packets<16>(x);
    if (n >= 8 * lanes) add_packets<8>(x), x += 8 * lanes, n -= 8 * lanes;
    if (n >= 4 * lanes) add_packets<4>(x), x += 4 * lanes, n -= 4 * lanes;
    if (n >= 2 * lanes) add_packets<2>(x), x += 2 * lanes, n -= 2 * lanes;
    if (n >= lanes) add_packets<1>(x), x += lanes, n -= lanes;
    if (n > 0) {
      Real padded[lanes] = {};
      for (Index i = 0; i < n; ++i) padded[i] = x[i];
      add_packets<1>(padded);
    }
    fold(sum_, lost_);
  }

  double total() const {
    constexpr Index lanes = packet_size<Real>;
    Real sums[lanes], losts[lanes];
    Eigen::internal::pstoreu(sums, sum_);
    Eigen::internal::pstoreu(losts, lost_);
    double sum = 0, lost = 0;
    for (Index lane = 0; lane < lanes; ++lane) {
      add_keeping_error(sum, lost, static_cast<double>(sums[lane]));
      lost += static_cast<double>(losts[lane]);
    }
    return sum + lost;
  }

 private:
  template <int Count>
  void add_packets(const Real* x) {
    add_keeping_error(sum_, lost_, sum_of_packets<Count>(x));
  }

  Packet<Real> sum_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
  Packet<Real> lost_ = Eigen::internal::pset1<Packet<Real>>(Real(0));
};

// Adds the squares of one entry of each of Count columns to every lane's sum; the lanes are
// independent of each other. `fresh`: the sums start here.
template <int Count, class P, class Real>
void add_columns_at(const Real* const* columns, Index lane, Real* sums, Real* losts, bool fresh) {
  using namespace Eigen::internal;
  const P first = ploadu<P>(columns[0] + lane);
  P term = pmul(first, first);
  for (int c = 1; c < Count; ++c) term = add_square(ploadu<P>(columns[c] + lane), term);
  P sum = term;
  P lost = pset1<P>(Real(0));
  if (!fresh) {
    sum = ploadu<P>(sums + lane);
    lost = ploadu<P>(losts + lane);
    add_keeping_error(sum, lost, term);
    fold(sum, lost);
  }
  pstoreu(sums + lane, sum);
  pstoreu(losts + lane, lost);
}

template <int Count, class Real>
void add_columns(const Real* const* columns, Index lanes, Real* sums, Real* losts, bool fresh) {
  constexpr Index step = packet_size<Real>;
  Index lane = 0;
  for (; lane + step <= lanes; lane += step) {
    add_columns_at<Count, Packet<Real>>(columns, lane, sums, losts, fresh);
  }
  for (; lane < lanes; ++lane) add_columns_at<Count, Real>(columns, lane, sums, losts, fresh);
}

}  // namespace rein::detail
