#pragma once

#include <algorithm>
#include <cstdint>

#include <Eigen/Core>

#include <rein/detail/refresh.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// Lanes to a block: 8 KiB of each row of memory. Sums and lost bits are 16 KiB, which stay in the
// first cache beside it; narrower blocks (64 to 256 lanes) were 2 to 4 times slower, because the
// stride defeats the prefetcher.
template <class Real>
inline constexpr Index block_lanes = 8192 / static_cast<Index>(sizeof(Real));

// The vectors [first, first + vectors) of a view whose vectors lie across the memory, taken
// together: a lane is one place in the block's part of a row of memory, and a vector is `inner`
// adjacent lanes.
template <class Entry>
class LaneBlock {
  using Scalar = std::remove_const_t<Entry>;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  // Lanes that one vector takes up.
  static Index lanes_per_vector(const StridedView<Entry>& view) {
    return view.inner * Traits::components;
  }

  LaneBlock(const StridedView<Entry>& view, Index first, Index vectors,
            const Refresh<Entry>& refresh = no_refresh<Entry>)
      : view_(view),
        refresh_(refresh),
        first_(first),
        width_(lanes_per_vector(view)),
        lanes_(vectors * width_),
        adjacent_(view.inner == 1 ? view.vector_stride == 1
                                  : view.inner_stride == 1 && view.vector_stride == view.inner) {}

  // Walks the block's memory once. Not for vectors of length 0.
  void sum_squares() {
    // 8 columns to an error-free addition cost as much as a plain sum; 4 cost 1.6 times. Folding
    // after 16 of these keeps the second-order error of a float sum below 1e-8 at any length.
    constexpr Index group = 8;
    constexpr Index stretch = 16 * group;
    Index o = 0;
    for (; o + group <= view_.outer; o += group) {
      if (o % stretch == 0 && o != 0) fold_lanes(sums_, losts_, lanes_);
      add<group>(o);
    }
    if (o + 4 <= view_.outer) add<4>(o), o += 4;
    if (o + 2 <= view_.outer) add<2>(o), o += 2;
    if (o < view_.outer) add<1>(o);
  }

  // The sums of squares of the block's vectors [k, k + count), at most a packet of them, after
  // sum_squares().
  void square_sums(Index k, Index count, Real* sums) const {
    constexpr Index group = packet_size<Real>;
    if (width_ == 1 && count == group) {
      using namespace Eigen::internal;
      pstoreu(sums, padd(ploadu<Packet<Real>>(sums_ + k), ploadu<Packet<Real>>(losts_ + k)));
      return;
    }
    for (Index i = 0; i < count; ++i) sums[i] = square_sum(k + i);
  }

  // Notes a factor for vector k; k must not be smaller than the last one noted.
  void note_factor(Index k, Real factor) {
    const Index begin = k * width_;
    if (runs_ == 0 || run_end_[runs_ - 1] != begin) run_begin_[runs_++] = static_cast<Lane>(begin);
    for (Index lane = begin; lane < begin + width_; ++lane) sums_[lane] = factor;
    run_end_[runs_ - 1] = static_cast<Lane>(begin + width_);
  }

  // Multiplies the noted vectors by their factors and writes nothing else.
  void scale() const {
    if (runs_ == 0) return;
    for (Index o = 0; o < view_.outer; ++o) {
      for (Index run = 0; run < runs_; ++run) {
        const Index begin = run_begin_[run];
        const Index n = run_end_[run] - begin;
        if (is_native<Scalar> && adjacent_) {
          scale_lanes(as_reals(view_.at(o, first_)) + begin, sums_ + begin, n);
        } else {
          for (Index lane = begin; lane < begin + n; lane += Traits::components) {
            scale_entry(entry(o, lane), sums_[lane]);
          }
        }
      }
    }
  }

 private:
  using Lane = std::uint16_t;

  Real square_sum(Index k) const {
    Real sum = sums_[k * width_];
    Real lost = losts_[k * width_];
    for (Index lane = k * width_ + 1; lane < (k + 1) * width_; ++lane) {
      add_keeping_error(sum, lost, sums_[lane]);
      lost += losts_[lane];
    }
    return sum + lost;
  }

  Entry& entry(Index o, Index lane) const {
    const Index place = lane / Traits::components;
    return view_.entry(o, first_ + place / view_.inner, place % view_.inner);
  }

  template <int Count>
  void add(Index o) {
    if (is_native<Scalar> && adjacent_) {
      for (int c = 0; c < Count; ++c) {
        refresh_(view_.at(o + c, first_), lanes_ / Traits::components);
      }
      add_squares<Count>(as_reals(view_.at(o, first_)), view_.outer_stride * Traits::components, 0,
                         lanes_, o == 0);
      return;
    }
    constexpr Index step = 256;
    Real converted[Count * step];
    for (Index begin = 0; begin < lanes_; begin += step) {
      const Index n = (std::min)(step, lanes_ - begin);
      for (int c = 0; c < Count; ++c) {
        for (Index i = 0; i < n; i += Traits::components) {
          load(&entry(o + c, begin + i), 1, 1, converted + c * step + i);
        }
      }
      add_squares<Count>(converted, step, begin, n, o == 0);
    }
  }

  template <int Count>
  void add_squares(const Real* x, Index stride, Index begin, Index n, bool fresh) {
    if (fresh) {
      add_columns<Count, true>(x, stride, n, sums_ + begin, losts_ + begin);
    } else {
      add_columns<Count, false>(x, stride, n, sums_ + begin, losts_ + begin);
    }
  }

  const StridedView<Entry>& view_;
  const Refresh<Entry>& refresh_;
  Index first_, width_, lanes_;
  bool adjacent_;
  Index runs_ = 0;
  Real sums_[block_lanes<Real>];  // of squares; then the factors
  Real losts_[block_lanes<Real>];
  Lane run_begin_[block_lanes<Real> / 2], run_end_[block_lanes<Real> / 2];
};

}  // namespace rein::detail
