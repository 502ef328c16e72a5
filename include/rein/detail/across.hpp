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

// Lanes to a block: 32 KiB of each row of memory. Blocks that are narrower than the rows are walked
// in pieces, which the prefetchers do not follow: to scale 4096 x 4096 floats in 8 KiB pieces took
// 1.7 times as long as in 16 KiB, which are whole columns.
template <class Real>
inline constexpr Index block_lanes = 32768 / static_cast<Index>(sizeof(Real));

// What is noted of each lane of a block.
template <class Real>
struct LaneNotes {
  using Place = std::uint16_t;

  alignas(64) Real sums[block_lanes<Real>];
  alignas(64) Real losts[block_lanes<Real>];  // by rounding; later the factors
  Place places[block_lanes<Real>];
};

// Columns that are summed between two folds, which keep the second-order error of a float sum below
// 1e-8 at any length.
inline constexpr Index columns_to_fold = 128;

// How many of the narrow rows of memory, without a gap between them, are taken as one, which fills
// the packets: 10 x 784 takes a third to two thirds of the time so. Wider rows gain nothing, and
// fewer lose: 16 x 120 took 1.4 times as long.
template <class Real>
Index rows_to_join(Index width, Index rows) {
  constexpr Index narrow = 128 / static_cast<Index>(sizeof(Real)), wide = 64, most = 16;
  Index joined = 1;
  if (width >= narrow) return joined;
  while (joined < most && joined * width < wide && joined * columns_to_fold < rows) joined *= 2;
  return joined;
}

// The vectors [first, first + vectors) of a view whose vectors lie across the memory, taken
// together: a lane is one place in the block's part of a row of memory, and a vector is `inner`
// adjacent lanes.
template <class Entry>
class LaneBlock {
  using Scalar = std::remove_const_t<Entry>;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  LaneBlock(const StridedView<Entry>& view, Index first, Index vectors, LaneNotes<Real>& notes,
            const Refresh<Entry>& refresh = no_refresh<Entry>)
      : view_(view),
        refresh_(refresh),
        sums_(notes.sums),
        losts_(notes.losts),
        places_(notes.places),
        first_(first),
        vectors_(vectors),
        width_(view.inner * Traits::components),
        lanes_(vectors * width_),
        direct_(is_native<Scalar> &&
                (view.inner == 1 ? view.vector_stride == 1
                                 : view.inner_stride == 1 && view.vector_stride == view.inner)) {
    join_rows();
  }

  // The sums of squares of the block's vectors; walks its memory once.
  EIGEN_STRONG_INLINE Real* square_sums() {
    // To join lanes is one more rounding.
    const Index most_columns = width_ == 1 ? most_plain_columns : most_plain_columns / 2;
    return view_.outer <= most_columns ? few_square_sums() : many_square_sums();
  }

  // Where to put the vectors' factors after square_sums().
  Real* factors() { return losts_; }

  // Multiplies the vectors by their factors, of which so many are not 1; the others are not written
  // to.
  void scale(Index changed) {
    if (changed == 0) return;
    if (direct_ && changed == vectors_) {
      scale_all();
    } else if (direct_ && fits_first_cache() && 4 * changed <= vectors_) {
      scale_each();
    } else {
      scale_noted(note_places());
    }
  }

 private:
  using Place = typename LaneNotes<Real>::Place;

  bool fits_first_cache() const {
    return lanes_ * view_.outer * static_cast<Index>(sizeof(Real)) <= first_cache;
  }

  // Whether all vectors are more than a last cache holds.
  bool from_memory() const {
    constexpr Index cached = 16 << 20;
    return view_.vectors * width_ * view_.outer * static_cast<Index>(sizeof(Real)) > cached;
  }

  // Whether rows of so many lanes are summed one after the other. 8 at a time, with strides of 256
  // bytes to 2 KiB, they come from memory at a half to a quarter of the speed on an AMD EPYC, whose
  // prefetchers do not follow: 128 x 131072 floats took 2.4 to 4.0 times as long as reading them,
  // now 1.0 to 1.2.
  bool in_order(Index lanes) const {
    const Index bytes = lanes * static_cast<Index>(sizeof(Real));
    return from_memory() && !refresh_ && bytes >= 256 && bytes <= most_row_in_order;
  }

  void join_rows() {
    const Index width = view_.vectors * width_;
    if (direct_ && row_stride() == width) joined_ = rows_to_join<Real>(width, view_.outer);
  }

  // Whether the block is all of its rows of memory, and not some vectors of more, such as listed
  // rows of W.
  bool has_whole_rows() const { return lanes_ == row_stride(); }

  auto* row(Index o) const { return as_reals(view_.at(o, first_)); }
  Index row_stride() const { return view_.outer_stride * Traits::components; }

  Entry& entry(Index o, Index lane) const {
    const Index place = lane / Traits::components;
    return view_.entry(o, first_ + place / view_.inner, place % view_.inner);
  }

  EIGEN_STRONG_INLINE Real* few_square_sums() {
    refresh_to(view_.outer);
    if (direct_) {
      sum_few_columns(row(0), row_stride(), view_.outer, lanes_, sums_);
    } else {
      convert(0, view_.outer, [&](const Real* reals, Index stride, Index lane, Index n) {
        sum_few_columns(reals, stride, view_.outer, n, sums_ + lane);
      });
    }
    if (width_ != 1) join_lanes([](Index) { return Real(0); });
    return sums_;
  }

  EIGEN_DONT_INLINE Real* many_square_sums() {
    // What the first cache holds is summed in registers, lane by lane: more than that, such as 128
    // x 128, took up to twice as long as 8 columns at a time.
    const Index step = direct_ && fits_first_cache() ? columns_to_fold : 8;
    const Index rows = view_.outer / joined_, lanes = joined_ * lanes_;
    // Some vectors are summed in the order in which all of them are.
    const Index run = has_whole_rows() ? lanes : lanes_, run_stride = joined_ * row_stride();
    const bool ordered = in_order(run);
    for (Index o = 0; o < rows; o += step) {
      const Index end = (std::min)(o + step, rows);
      const bool with_fold = end % columns_to_fold == 0 || end == rows;
      refresh_to(end * joined_);
      if (direct_) {
        for (Index lane = 0; lane < lanes; lane += run) {
          const Real* first = row(o * joined_ + lane / lanes_);
          Real *sums = sums_ + lane, *losts = losts_ + lane;
          if (ordered && end - o == 8) {
            add_columns_in_order(first, run_stride, run, sums, losts, o == 0, with_fold);
          } else {
            add_columns(first, run_stride, end - o, run, sums, losts, o == 0, with_fold);
          }
        }
      } else {
        convert(o, end - o, [&](const Real* reals, Index stride, Index lane, Index n) {
          add_columns(reals, stride, end - o, n, sums_ + lane, losts_ + lane, o == 0, with_fold);
        });
      }
    }
    for (Index half = joined_ / 2; half > 0; half /= 2) add_lanes(sums_, losts_, half * lanes_);
    if (const Index rest = view_.outer % joined_; rest != 0) {
      refresh_to(view_.outer);
      add_columns(row(view_.outer - rest), row_stride(), rest, lanes_, sums_, losts_, false, true);
    }
    if (width_ != 1) join_lanes([this](Index lane) { return losts_[lane]; });
    return sums_;
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

  // Calls use(reals, stride, lane, n) for at most 32 columns, converted to Reals, n lanes at a
  // time.
  template <class Use>
  EIGEN_DONT_INLINE void convert(Index o, Index columns, const Use& use) const {
    constexpr Index step = 64;
    Real reals[most_plain_columns * step];
    for (Index begin = 0; begin < lanes_; begin += step) {
      const Index n = (std::min)(step, lanes_ - begin);
      for (Index c = 0; c < columns; ++c) {
        for (Index i = 0; i < n; i += Traits::components) {
          load(&entry(o + c, begin + i), 1, 1, reals + c * step + i);
        }
      }
      use(reals, step, begin, n);
    }
  }

  // Adds up the lanes of each vector, and what each has lost: floats in double, which hardly rounds
  // them.
  template <class Lost>
  void join_lanes(const Lost& lost_by) {
    for (Index k = 0; k < vectors_; ++k) {
      const Index begin = k * width_, end = begin + width_;
      if constexpr (std::is_same_v<Real, float>) {
        double sum = 0;
        for (Index i = begin; i < end; ++i) {
          sum += static_cast<double>(sums_[i]) + static_cast<double>(lost_by(i));
        }
        sums_[k] = static_cast<Real>(sum);
      } else {
        Real sum = sums_[begin], lost = lost_by(begin);
        for (Index i = begin + 1; i < end; ++i) {
          add_keeping_error(sum, lost, sums_[i]);
          lost += lost_by(i);
        }
        sums_[k] = sum + lost;
      }
    }
  }

  // Rows of up to 1 KiB are scaled in fours, which load the factors once: 256 x 256 took 1.3 times
  // as long one by one. From memory 128 x 131072 took 1.7 to 2 times as long in fours.
  void scale_all() {
    spread_factors(vectors_);
    const Index joined = has_whole_rows() ? joined_ : 1;
    const Index rows = view_.outer / joined, lanes = joined * lanes_;
    const Index stride = joined * row_stride();
    for (Index lane = lanes_; lane < lanes; ++lane) losts_[lane] = losts_[lane - lanes_];
    Index o = 0;
    if (stride * static_cast<Index>(sizeof(Real)) <= 1024 && !from_memory()) {
      for (; o + 4 <= rows; o += 4) scale_columns(row(o * joined), stride, 4, losts_, lanes);
    }
    for (; o < rows; ++o) scale_columns(row(o * joined), 0, 1, losts_, lanes);
    for (o = rows * joined; o < view_.outer; ++o) scale_columns(row(o), 0, 1, losts_, lanes_);
  }

  // A few vectors that are in the first cache, one after another: a list of places took 1.7 times
  // as long for a tenth of 32 x 32.
  void scale_each() {
    for (Index k = 0; k < vectors_; ++k) {
      const Real factor = losts_[k];
      if (factor == 1) continue;
      for (Index i = 0; i < width_; ++i) {
        auto* x = row(0) + k * width_ + i;
        for (Index o = 0; o < view_.outer; ++o, x += row_stride()) *x *= factor;
      }
    }
  }

  // From a factor for each vector to one for each lane.
  void spread_factors(Index vectors) {
    if (width_ == 1) return;
    for (Index k = vectors - 1; k >= 0; --k)
      std::fill_n(losts_ + k * width_, width_, Real(losts_[k]));
  }

  // Lists the lanes whose factors are not 1, and gathers these; returns how many they are.
  Index note_places() {
    Index noted = 0;
    for (Index k = 0; k < vectors_; ++k) {
      if (losts_[k] == 1) continue;
      losts_[noted] = losts_[k];
      places_[noted++] = static_cast<Place>(k * width_);
    }
    spread_factors(noted);
    for (Index k = noted - 1; k >= 0 && width_ != 1; --k) {
      for (Index i = width_ - 1; i >= 0; --i) {
        places_[k * width_ + i] = static_cast<Place>(places_[k] + i);
      }
    }
    return noted * width_;
  }

  // Places that follow each other are scaled by packets. Scattered ones are taken one by one from
  // the list: twice as fast as a run for each, where a tenth of the lanes is noted.
  void scale_noted(Index noted) {
    Place ends[block_lanes<Real> / 4 + 1];  // of pieces of the list, adjacent and scattered in turn
    Index pieces = 0;
    constexpr Index worth_a_run = 8;
    for (Index begin = 0, end; begin < noted; begin = end) {
      for (end = begin + 1; end < noted && places_[end] == places_[end - 1] + 1;) ++end;
      if (direct_ && end - begin >= worth_a_run) {
        ends[pieces++] = static_cast<Place>(begin);
        ends[pieces++] = static_cast<Place>(end);
      }
    }
    ends[pieces] = static_cast<Place>(noted);
    for (Index o = 0; o < view_.outer; ++o) {
      Index begin = 0;
      for (Index p = 0; p <= pieces; begin = ends[p++]) {
        const Index n = ends[p] - begin;
        if (n == 0) continue;
        if (p % 2 == 1) {
          scale_columns(row(o) + places_[begin], 0, 1, losts_ + begin, n);
        } else {
          scale_places(o, begin, n);
        }
      }
    }
  }

  void scale_places(Index o, Index begin, Index n) {
    const Place* places = places_ + begin;
    const Real* by = losts_ + begin;
    if (direct_) {
      auto* x = row(o);
      for (Index i = 0; i < n; ++i) x[places[i]] *= by[i];
    } else {
      for (Index i = 0; i < n; i += Traits::components) scale_entry(entry(o, places[i]), by[i]);
    }
  }

  const StridedView<Entry>& view_;
  const Refresh<Entry>& refresh_;
  Real *sums_, *losts_;
  Place* places_;
  Index first_, vectors_, width_, lanes_;
  Index joined_ = 1;  // rows of memory that are taken as one
  bool direct_;       // whether a row of the block's lanes is adjacent Reals in memory
  Index refreshed_ = 0;
};

}  // namespace rein::detail
