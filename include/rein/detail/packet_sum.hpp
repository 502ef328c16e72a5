#pragma once

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

#include <rein/detail/careful.hpp>
#include <rein/detail/lane_sums.hpp>
#include <rein/detail/packet.hpp>

// Sums in doubles, by packets, of what the constraints need that move each vector onto a set by
// itself. Where they could over- or underflow, they are scaled by powers of two.

namespace rein::detail {

// 2^-exponent and back, both normal numbers, for a number of this exponent to come close to 1.
struct Scaling {
  Scaling() = default;
  explicit Scaling(int exponent)
      : down(std::ldexp(1.0, -std::clamp(exponent, -1000, 1000))), up(1 / down) {}

  double down = 1, up = 1;
};

// None for numbers of a magnitude whose sums and differences neither over- nor underflow.
inline Scaling scaling_for(double magnitude) {
  if (magnitude > 1e-250 && magnitude < 1e250) return {};
  return Scaling(scaled(magnitude).exponent);
}

using Doubles = Packet<double>;

// 1 for each lane of at least 2^-996, 0 for each that is 0: without a comparison of packets, which
// Clang takes for NaN under -ffast-math.
inline Doubles one_if_positive(const Doubles& x) {
  using namespace Eigen::internal;
  return pmul(pmin(x, pset1<Doubles>(0x1p-996)), pset1<Doubles>(0x1p996));
}

// How often a sum is rounded, at any length.
enum class Rounding {
  once,        // or nearly so: the rounding errors of all terms are kept
  a_few_times  // 13 times at most: those of sums of up to 8 terms to a lane are kept
};

// A sum of these magnitudes that is rounded a few times is right to less than this.
inline double doubt(double magnitudes) { return 1e-14 * magnitudes; }

template <Rounding Rounded>
class PacketSum {
 public:
  EIGEN_ALWAYS_INLINE void add(const Doubles& terms) { add_keeping_error(sum_, lost_, terms); }

  double total() const {
    if constexpr (Rounded == Rounding::once) return sum_keeping_errors(sum_, lost_);
    return Eigen::internal::predux(Eigen::internal::padd(sum_, lost_));
  }

  double minus(double x) const {
    if constexpr (Rounded == Rounding::a_few_times) return total() - x;
    PacketSum difference = *this;
    difference.add(
        Eigen::internal::pmul(Eigen::internal::pset1<Doubles>(-x), last_lanes<double>(1)));
    return difference.total();
  }

 private:
  Doubles sum_ = Eigen::internal::pset1<Doubles>(0.0), lost_ = sum_;
};

// What a packet of numbers, or several, add to so many sums.
template <int Count>
struct Terms {
  Doubles of[Count];

  EIGEN_ALWAYS_INLINE void scale(const Doubles& factors) {
    for (int k = 0; k < Count; ++k) of[k] = Eigen::internal::pmul(of[k], factors);
  }
  EIGEN_ALWAYS_INLINE void add(const Terms& terms) {
    for (int k = 0; k < Count; ++k) of[k] = Eigen::internal::padd(of[k], terms.of[k]);
  }
};

// So many sums of numbers[0 .. n): terms(i) gives what the packet of numbers from i on adds to
// each.
template <Rounding Rounded, int Count>
class PacketSums {
 public:
  template <class Give>
  EIGEN_ALWAYS_INLINE void add(Index n, const Give& terms) {
    if constexpr (Rounded == Rounding::once) {
      Index i = 0;
      for (; n - i >= lanes; i += lanes) add_to_each(terms(i));
      if (i < n) add_to_each(last_terms(n, n - i, terms));
    } else {
      add_in_chains(n, terms);
    }
  }

  const PacketSum<Rounded>& operator[](int k) const { return sums_[k]; }

 private:
  static constexpr Index lanes = packet_size<double>;

  // Four chains at a time, of up to eight packets each. With the errors of each packet kept, to see
  // that the columns of 1024 x 1024 floats have mean zero took 3.8 times as long.
  template <class Give>
  EIGEN_ALWAYS_INLINE void add_in_chains(Index n, const Give& terms) {
    constexpr Index together = 4 * lanes, links = 8;
    Index i = 0;
    while (n - i >= together) {
      Terms<Count> a = terms(i), b = terms(i + lanes);
      Terms<Count> c = terms(i + 2 * lanes), d = terms(i + 3 * lanes);
      const Index end = (std::min)(i + links * together, n - together + 1);
      for (i += together; i < end; i += together) {
        a.add(terms(i));
        b.add(terms(i + lanes));
        c.add(terms(i + 2 * lanes));
        d.add(terms(i + 3 * lanes));
      }
      a.add(b);
      c.add(d);
      a.add(c);
      add_to_each(a);
    }
    if (i >= n) return;
    Terms<Count> rest = last_terms(n, (n - i - 1) % lanes + 1, terms);
    for (; n - i > lanes; i += lanes) rest.add(terms(i));
    add_to_each(rest);
  }

  // Those of the last numbers, so many, in the last lanes of a packet.
  template <class Give>
  EIGEN_ALWAYS_INLINE static Terms<Count> last_terms(Index n, Index count, const Give& terms) {
    Terms<Count> last = terms(n - lanes);
    last.scale(last_lanes<double>(count));
    return last;
  }

  EIGEN_ALWAYS_INLINE void add_to_each(const Terms<Count>& terms) {
    for (int k = 0; k < Count; ++k) sums_[k].add(terms.of[k]);
  }

  PacketSum<Rounded> sums_[Count];
};

}  // namespace rein::detail
