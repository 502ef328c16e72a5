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

// Lanes to a block: 8 KiB of each row of memory. Sums, losts and places are 20 KiB, which stay in
// the first cache beside it; narrower blocks (64 to 256 lanes) were 2 to 4 times slower, because
// the stride defeats the prefetcher.
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
  LaneBlock(const StridedView<Entry>& view, Index first, Index vectors,
            const Refresh<Entry>& refresh = no_refresh<Entry>)
      : view_(view),
        refresh_(refresh),
        first_(first),
        width_(view.inner * Traits::components),
        lanes_(vectors * width_),
        direct_(is_native<Scalar> &&
                (view.inner == 1 ? view.vector_stride == 1
                                 : view.inner_stride == 1 && view.vector_stride == view.inner)) {}

  // The sums of squares of the block's vectors; walks its memory once. Not for vectors of length 0.
  const Real* square_sums() {
    if (view_.outer > few_columns) {
      sum_columns();
    } else {
      sum_few();
    }
    if (width_ != 1) join_lanes();
    return sums_;
  }

  // Notes a factor for vector k, after square_sums(); k must not be smaller than the last one
  // noted.
  void note_factor(Index k, Real factor) {
    for (Index lane = k * width_; lane < (k + 1) * width_; ++lane) {
      factors()[noted_] = factor;
      places_[noted_++] = static_cast<Place>(lane);
    }
  }

  // Multiplies the noted vectors by their factors and writes nothing else.
  void scale() {
    if (noted_ == lanes_ && direct_) {
      for (Index o = 0; o < view_.outer; ++o) scale_lanes(row(o), factors(), lanes_);
    } else if (noted_ != 0) {
      scale_noted();
    }
  }

 private:
  using Place = std::uint16_t;

  Real* factors() { return losts_; }

  auto* row(Index o) const { return as_reals(view_.at(o, first_)); }
  Index row_stride() const { return view_.outer_stride * Traits::components; }

  Entry& entry(Index o, Index lane) const {
    const Index place = lane / Traits::components;
    return view_.entry(o, first_ + place / view_.inner, place % view_.inner);
  }

  // Refreshes the rows before `end`, and as many after it as make up about 1024 entries.
  void refresh_to(Index end) {
    if (!refresh_ || refreshed_ >= end) return;
    const Index places = lanes_ / Traits::components;
    const Index last = (std::min)((std::max)(end, refreshed_ + 1024 / places), view_.outer);
    if (view_.outer_stride == places) {
      refresh_(view_.at(refreshed_, first_), (last - refreshed_) * places);
    } else {
      for (Index o = refreshed_; o < last; ++o) refresh_(view_.at(o, first_), places);
    }
    refreshed_ = last;
  }

  void sum_columns() {
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
    fold_lanes(sums_, losts_, lanes_);
  }

  void sum_few() {
    refresh_to(view_.outer);
    over_columns<few_columns>(0, view_.outer,
                              [&](const Real* x, Index stride, Index begin, Index n) {
                                sum_few_columns(x, stride, view_.outer, n, sums_ + begin);
                              });
    if (width_ != 1) std::fill_n(losts_, lanes_, Real(0));
  }

  template <int Count>
  void add(Index o) {
    refresh_to(o + Count);
    over_columns<Count>(o, Count, [&](const Real* x, Index stride, Index begin, Index n) {
      if (o == 0) {
        add_columns<Count, true>(x, stride, n, sums_ + begin, losts_ + begin);
      } else {
        add_columns<Count, false>(x, stride, n, sums_ + begin, losts_ + begin);
      }
    });
  }

  // Calls use(x, stride, begin, n) for the lanes [begin, begin + n) of `count` columns that lie
  // `stride` apart from x on: where they are, or converted to Reals a part at a time.
  template <Index Most, class Use>
  EIGEN_STRONG_INLINE void over_columns(Index o, Index count, const Use& use) const {
    if (direct_) {
      use(row(o), row_stride(), 0, lanes_);
      return;
    }
    constexpr Index step = 128;
    Real converted[Most * step];
    for (Index begin = 0; begin < lanes_; begin += step) {
      const Index n = (std::min)(step, lanes_ - begin);
      for (Index c = 0; c < count; ++c) {
        for (Index i = 0; i < n; i += Traits::components) {
          load(&entry(o + c, begin + i), 1, 1, converted + c * step + i);
        }
      }
      use(converted, step, begin, n);
    }
  }

  // Adds up the lanes of each vector.
  void join_lanes() {
    for (Index k = 0; k * width_ < lanes_; ++k) {
      Real sum = sums_[k * width_];
      Real lost = losts_[k * width_];
      for (Index lane = k * width_ + 1; lane < (k + 1) * width_; ++lane) {
        add_keeping_error(sum, lost, sums_[lane]);
        lost += losts_[lane];
      }
      sums_[k] = sum + lost;
    }
  }

  // Places that follow each other are scaled by packets. Scattered ones are taken one by one from
  // the list: twice as fast as a run for each, where a tenth of the lanes is noted.
  void scale_noted() {
    Index ends[block_lanes<Real> / 4 + 1];  // of pieces of the list, adjacent and scattered in turn
    Index pieces = 0;
    constexpr Index worth_a_run = 8;
    for (Index begin = 0, end; begin < noted_; begin = end) {
      for (end = begin + 1; end < noted_ && places_[end] == places_[end - 1] + 1;) ++end;
      if (direct_ && end - begin >= worth_a_run) {
        ends[pieces++] = begin;
        ends[pieces++] = end;
      }
    }
    ends[pieces] = noted_;
    for (Index o = 0; o < view_.outer; ++o) {
      Index begin = 0;
      for (Index p = 0; p <= pieces; begin = ends[p++]) {
        const Index n = ends[p] - begin;
        if (n == 0) continue;
        if (p % 2 == 1) {
          scale_lanes(row(o) + places_[begin], factors() + begin, n);
        } else {
          scale_places(o, begin, n);
        }
      }
    }
  }

  void scale_places(Index o, Index begin, Index n) {
    const Place* places = places_ + begin;
    const Real* by = factors() + begin;
    if (direct_) {
      auto* x = row(o);
      for (Index i = 0; i < n; ++i) x[places[i]] *= by[i];
    } else {
      for (Index i = 0; i < n; i += Traits::components) scale_entry(entry(o, places[i]), by[i]);
    }
  }

  const StridedView<Entry>& view_;
  const Refresh<Entry>& refresh_;
  Index first_, width_, lanes_;
  bool direct_;  // whether a row of the block's lanes is adjacent Reals in memory
  Index refreshed_ = 0, noted_ = 0;
  Real sums_[block_lanes<Real>];
  Real losts_[block_lanes<Real>];  // by rounding; later the factors
  Place places_[block_lanes<Real>];
};

}  // namespace rein::detail
