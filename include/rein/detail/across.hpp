#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <Eigen/Core>

#include <rein/detail/column_sums.hpp>
#include <rein/detail/masked.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/prefetch.hpp>
#include <rein/detail/refresh.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// Lanes to a block: 64 KiB of each row of memory. Blocks that are narrower than the rows are walked
// in pieces, which the prefetchers do not follow: to scale 4096 x 4096 floats in 8 KiB pieces took
// 1.7 times as long as in 16 KiB, which are whole columns; 13824 x 1536 in two pieces 1.1 times.
template <class Real>
inline constexpr Index block_lanes = 65536 / static_cast<Index>(sizeof(Real));

// What is noted of each lane of a block.
template <class Real>
struct LaneNotes {
  using Place = std::uint16_t;
  static constexpr Index page = 4096;
  static constexpr Index room = block_lanes<Real> + page / static_cast<Index>(sizeof(Real));

  union {
    alignas(64) Real sums[room];
    Place places[block_lanes<Real>];  // of the lanes to scale, once the sums are not needed
  };
  alignas(64) Real losts[room];  // by rounding; later the factors

  // Where in sums and losts to begin, so that they are half a page from a block at `data`, apart
  // from whole pages. A core takes what is written for what is read next if it lies at nearly the
  // same place in another page: 1024 x 1024 floats took up to 1.5 times as long to sum, by chance.
  Index begin_beside(const void* data) const {
    const auto here = reinterpret_cast<std::uintptr_t>(sums);
    const auto there = reinterpret_cast<std::uintptr_t>(data) + page / 2;
    return static_cast<Index>((there - here) % page / 64 * (64 / sizeof(Real)));
  }
};

// Columns that are summed between two folds, which keep the second-order error of a float sum below
// 1e-8 at any length.
inline constexpr Index columns_to_fold = 128;

// From a factor for each vector to one for each lane.
template <class Real>
void spread_factors(Real* factors, Index width, Index vectors) {
  if (width == 1) return;
  for (Index k = vectors - 1; k >= 0; --k) {
    std::fill_n(factors + k * width, width, Real(factors[k]));
  }
}

// So few entries stay in the first cache.
inline constexpr Index most_at_once = 4096;

// How many rows of memory without a gap between them are taken as one, so that packets are full:
// narrow ones, of which 10 x 784 takes a third to two thirds of the time so, and in a cache those
// up to 2 KiB that leave a packet half empty: 39 x 1753 and 90 x 1000 took 2.0 and 1.3 times as
// long one by one. Of a few rows it is the other way round: 16 x 120 took 1.4 times as long, and of
// whole packets up to 4096 entries: 16 x 144 1.5 times (Intel).
template <class Real>
Index rows_to_join(Index width, Index rows, bool from_memory) {
  constexpr Index size = static_cast<Index>(sizeof(Real)), narrow = 128 / size, wide = 2048 / size;
  const bool uneven = width < wide && width % packet_size<Real> != 0 && !from_memory;
  const Index wanted = width < narrow ? 64 : uneven ? 4 * width : width;
  if (width % packet_size<Real> == 0 && rows * width <= most_at_once) return 1;
  Index joined = 1;
  while (joined < 16 && joined * width < wanted && joined * columns_to_fold < rows) joined *= 2;
  return joined;
}

// Room for the sums of several parts of the rows: 128 KiB, and as much for what they have lost.
template <class Real>
inline constexpr Index lanes_of_parts = 2 * block_lanes<Real>;

// In how many parts the rows of memory are summed, each part by one thread: always the same ones,
// so that the number of threads does not show in the result. A power of two, which two and four
// threads divide evenly. 1 where the rows are wider than a quarter of a block: then threads share
// the vectors.
//
// Threads that share those of narrower rows prefetch what the others write: two of them took 1.2 to
// 4 times as long as one for a step of Adam on 1024 x 1024 floats, and take 0.5 so. To one thread,
// parts of 128 rows cost 1.03 times as long as none.
template <class Entry>
Index parts_of_rows(const StridedView<Entry>& view) {
  using Traits = ScalarTraits<std::remove_const_t<Entry>>;
  constexpr Index lanes = block_lanes<typename Traits::Real>, shortest = 96, most = 16;
  const Index width = view.vectors * view.inner * Traits::components;
  if (width > lanes / 4) return 1;
  const Index parts = (std::min)({view.outer / shortest, bytes_to_share(view) / worth_a_thread,
                                  most, lanes_of_parts<typename Traits::Real> / width});
  return static_cast<Index>(std::bit_floor(static_cast<std::size_t>((std::max)(parts, Index(1)))));
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
        sums_(notes.sums + notes.begin_beside(view.at(0, first))),
        losts_(notes.losts + (sums_ - notes.sums)),
        places_(notes.places),
        first_(first),
        vectors_(vectors),
        width_(view.inner * Traits::components),
        lanes_(vectors * width_),
        adjacent_(view.inner == 1 ? view.vector_stride == 1
                                  : view.inner_stride == 1 && view.vector_stride == view.inner),
        direct_(is_native<Scalar> && adjacent_) {
    join_rows();
  }

  // The sums of squares of the block's vectors; walks its memory once.
  EIGEN_STRONG_INLINE Real* square_sums() {
    // To join lanes is one more rounding.
    const bool few = view_.outer <= (width_ == 1 ? most_plain_columns : most_plain_columns / 2);
    few ? sum_few() : sum_many();
    if (width_ != 1) join_lanes<Real>(sums_, few ? nullptr : losts_, width_, vectors_);
    return sums_;
  }

  // Where to put the vectors' factors after square_sums().
  Real* factors() { return losts_; }

  // Multiplies the vectors by their factors, of which so many are not 1; the others are not written
  // to.
  void scale(Index changed) {
    if (changed == 0) return;
    const bool all = direct_ && changed == vectors_;
    if constexpr (has_masks) {
      if (direct_ && !all && masks_pay<Real>(changed, vectors_, lanes_ * view_.outer)) {
        const Index lanes = repeat_factors();
        note_masks(losts_, lanes, places_);
        for_each_part([&](Index begin, Index end) { scale_many(begin, end, lanes); });
        return;
      }
    }
    const bool few = 3 * changed <= 2 * vectors_ || changed * width_ <= 32;
    const bool each = direct_ && few && has_narrow_rows();
    const Index noted = all ? repeat_factors() : each ? note_vectors() : note_lanes();
    for_each_part([&](Index begin, Index end) {
      if (all) {
        scale_all(begin, end, noted);
      } else if (each) {
        scale_each(begin, end, noted);
      } else {
        scale_noted(begin, end, noted);
      }
    });
  }

 private:
  using Place = typename LaneNotes<Real>::Place;

  Index bytes() const { return lanes_ * view_.outer * static_cast<Index>(sizeof(Real)); }

  bool fits_first_cache() const { return bytes() <= first_cache; }

  // Whether all vectors are more than a last cache holds.
  bool from_memory() const {
    constexpr Index cached = 16 << 20;
    return view_.vectors * width_ * view_.outer * static_cast<Index>(sizeof(Real)) > cached;
  }

  // Whether rows of so many lanes, read 16 at a time, are prefetched in the order of memory. With
  // strides of 256 bytes to 2 KiB some processors do not see that it is read from its beginning to
  // its end: 8 at a time, 128 x 131072 floats took an AMD EPYC 2.4 to 4.0 times as long as reading
  // them, and 1.0 to 1.2 row by row. (An Intel Xeon takes 1.06 times as long either way, and 1.25
  // row by row.)
  bool needs_order(Index lanes) const {
    const Index bytes = lanes * static_cast<Index>(sizeof(Real));
    return from_memory() && !refresh_ && bytes >= 256 && bytes <= 2048;
  }

  // How many columns are summed in registers, lane by lane: all that the first cache holds, with 16
  // of which 90 x 90 took 1.15 times as long; else 16. With 64, rows of 64 floats took 1.3 times as
  // long, and all of 128 x 128 up to twice as long.
  Index columns_at_a_time() const { return fits_first_cache() ? columns_to_fold : 16; }

  void join_rows() {
    const Index width = view_.vectors * width_;
    if (!direct_ || row_stride() != width) return;
    joined_ = rows_to_join<Real>(width, view_.outer, from_memory());
  }

  // Whether the block is all of its rows of memory, and not some vectors of more, such as listed
  // rows of W.
  bool has_whole_rows() const { return lanes_ == row_stride(); }

  auto* row(Index o) const { return as_reals(view_.at(o, first_)); }
  Index row_stride() const { return view_.outer_stride * Traits::components; }
  Index bytes_between_rows() const {
    return std::abs(row_stride()) * static_cast<Index>(sizeof(Real));
  }

  Entry& entry(Index o, Index lane) const {
    const Index place = lane / Traits::components;
    return adjacent_ ? view_.at(o, first_)[place]
                     : view_.entry(o, first_ + place / view_.inner, place % view_.inner);
  }

  EIGEN_STRONG_INLINE void sum_few() {
    refresh_rows(0, view_.outer);
    if (direct_) {
      sum_few_columns(row(0), row_stride(), view_.outer, lanes_, sums_);
    } else {
      add_converted(0, view_.outer, sums_, nullptr, true, false);
    }
  }

  void sum_many() {
    const Index parts = parts_of_rows(view_);
    if (threads_for(parts, bytes()) > 1) {
      add_parts_by_threads(parts);
    } else {
      add_part(0, parts, sums_, losts_);
      for (Index p = 1; p < parts; ++p) {
        // In the other half of the block.
        Real *sums = sums_ + lanes_, *losts = losts_ + lanes_;
        add_part(p, parts, sums, losts);
        add_lanes(sums_, losts_, sums, losts, lanes_);
      }
    }
  }

  EIGEN_DONT_INLINE void add_parts_by_threads(Index parts) {
    alignas(64) Real sums[lanes_of_parts<Real>], losts[lanes_of_parts<Real>];
    const Index room = joined_ * lanes_;
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) add_part(p, parts, sums + p * room, losts + p * room);
    });
    std::copy_n(sums, lanes_, sums_);
    std::copy_n(losts, lanes_, losts_);
    for (Index p = 1; p < parts; ++p) {
      add_lanes(sums_, losts_, sums + p * room, losts + p * room, lanes_);
    }
  }

  // Where a part of the rows of memory begins, and the one before it ends.
  Index first_row(Index part, Index parts) const { return view_.outer * part / parts; }

  // Calls work(begin, end) for the rows of memory, or for parts of them in threads.
  template <class Work>
  void for_each_part(const Work& work) const {
    const Index parts = parts_of_rows(view_);
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      work(first_row(begin, parts), first_row(end, parts));
    });
  }

  void add_part(Index part, Index parts, Real* sums, Real* losts) const {
    add_rows(first_row(part, parts), first_row(part + 1, parts), sums, losts);
  }

  // Sums the rows [begin, end) of memory, lane by lane.
  EIGEN_DONT_INLINE void add_rows(Index begin, Index end, Real* sums, Real* losts) const {
    const Index rows = (end - begin) / joined_, lanes = joined_ * lanes_;
    // Some vectors are summed in the order in which all of them are.
    const Index run = has_whole_rows() ? lanes : lanes_, run_stride = joined_ * row_stride();
    const bool ordered = needs_order(run);
    const Index step = direct_ ? columns_at_a_time() : 16;
    Index refreshed = begin;
    const auto refresh_to = [&](Index wanted) {
      // About 1024 entries at a time.
      if (!refresh_ || refreshed >= wanted) return;
      const Index ahead = refreshed + 1024 / (lanes_ / Traits::components);
      const Index last = (std::min)((std::max)(wanted, ahead), end);
      refresh_rows(refreshed, last);
      refreshed = last;
    };
    for (Index o = 0; o < rows; o += step) {
      const Index last = (std::min)(o + step, rows);
      const bool with_fold = last % columns_to_fold == 0 || last == rows;
      refresh_to(begin + last * joined_);
      if (direct_) {
        for (Index lane = 0; lane < lanes; lane += run) {
          const Real* first = row(begin + o * joined_ + lane / lanes_);
          if (ordered && last - o == 16) {
            add_columns_prefetching(first, run_stride, run, sums + lane, losts + lane, o == 0,
                                    with_fold);
          } else {
            add_columns(first, run_stride, last - o, run, sums + lane, losts + lane, o == 0,
                        with_fold);
          }
        }
      } else {
        add_converted(begin + o, last - o, sums, losts, o == 0, with_fold);
      }
    }
    for (Index half = joined_ / 2 * lanes_; half >= lanes_; half /= 2) {
      add_lanes(sums, losts, sums + half, losts + half, half);
    }
    if (const Index rest = (end - begin) % joined_; rest != 0) {
      refresh_to(end);
      add_columns(row(end - rest), row_stride(), rest, lanes_, sums, losts, false, true);
    }
  }

  // add_columns() of 16 columns, while the next 16 are prefetched.
  static void add_columns_prefetching(const Real* x, Index stride, Index lanes, Real* sums,
                                      Real* losts, bool fresh, bool with_fold) {
    constexpr Index size = static_cast<Index>(sizeof(Real)), line = 64, step = 2 * line / size;
    auto next = reinterpret_cast<std::intptr_t>(x + 16 * stride);
    Index prefetched = 0;
    for (Index lane = 0; lane < lanes; lane += step) {
      const Index n = (std::min)(step, lanes - lane);
      for (; prefetched * lanes < 16 * (lane + n); ++prefetched, next += stride * size) {
        for (Index i = 0; i < lanes * size; i += line) prefetch_line(next + i);
      }
      add_columns<16>(x + lane, stride, 16, n, sums + lane, losts + lane, fresh, with_fold);
    }
  }

  // Refreshes the rows [begin, end) of memory.
  void refresh_rows(Index begin, Index end) const {
    if (!refresh_) return;
    const Index places = lanes_ / Traits::components;
    if (view_.outer_stride == places) {
      refresh_(view_.at(begin, first_), (end - begin) * places);
    } else {
      for (Index o = begin; o < end; ++o) refresh_(view_.at(o, first_), places);
    }
  }

  // Sums at most 32 columns that are first converted to Reals; without `losts`, the only ones.
  EIGEN_DONT_INLINE void add_converted(Index o, Index columns, Real* sums, Real* losts, bool fresh,
                                       bool with_fold) const {
    constexpr Index step = 64;
    Real reals[most_plain_columns * step];
    for (Index begin = 0; begin < lanes_; begin += step) {
      const Index n = (std::min)(step, lanes_ - begin);
      for (Index c = 0; c < columns; ++c) {
        Real* column = reals + c * step;
        if (adjacent_) {
          load(&entry(o + c, begin), 1, n / Traits::components, column);
        } else {
          for (Index i = 0; i < n; i += Traits::components) {
            load(&entry(o + c, begin + i), 1, 1, column + i);
          }
        }
      }
      if (losts == nullptr) {
        sum_few_columns(reals, step, columns, n, sums + begin);
      } else {
        add_columns(reals, step, columns, n, sums + begin, losts + begin, fresh, with_fold);
      }
    }
  }

  // From a factor for each vector to one for each lane of the rows that are taken as one; returns
  // how many these are.
  Index repeat_factors() {
    spread_factors(losts_, width_, vectors_);
    const Index lanes = has_whole_rows() ? joined_ * lanes_ : lanes_;
    for (Index lane = lanes_; lane < lanes; ++lane) losts_[lane] = losts_[lane - lanes_];
    return lanes;
  }

  // Each way to scale is a function of its own: g++ kept the counters of an innermost loop within
  // its large caller in vector registers, and a tenth of 256 x 256 took 2.8 times as long.
  EIGEN_DONT_INLINE void scale_all(Index begin, Index end, Index lanes) const {
    scale_rows(begin, end, lanes, [&](Real* x, Index stride, Index rows, Index n) {
      scale_columns(x, stride, rows, losts_, n);
    });
  }

  // By masks: half of 256 x 256 took 4.1 times as long from a list, half of 64 x 4096 3.2 times.
  EIGEN_DONT_INLINE void scale_many(Index begin, Index end, Index lanes) const {
    scale_rows(begin, end, lanes, [&](Real* x, Index stride, Index rows, Index n) {
      scale_masked_columns(x, stride, rows, losts_, places_, n);
    });
  }

  // Rows of up to 1 KiB in a cache, and of more than 8 KiB, are scaled in fours, which load the
  // factors once: 256 x 256 took 1.3 times as long one by one, 13824 x 1536 1.25 times. From memory
  // 128 x 131072 took 1.7 to 2 times as long in fours.
  template <class Scale>
  EIGEN_ALWAYS_INLINE void scale_rows(Index begin, Index end, Index lanes,
                                      const Scale& scale) const {
    const Index joined = lanes / lanes_, stride = joined * row_stride();
    const Index bytes = joined * bytes_between_rows();
    Index o = begin;
    if (bytes > 8192 || (bytes <= 1024 && !from_memory())) {
      for (; o + 4 * joined <= end; o += 4 * joined) scale(row(o), stride, 4, lanes);
    }
    for (; o + joined <= end; o += joined) scale(row(o), 0, 1, lanes);
    for (; o < end; ++o) scale(row(o), 0, 1, lanes_);
  }

  // Whether several rows are near enough to be scaled lane by lane: of up to 2 KiB in a cache, and
  // up to a line of it from memory, where 40 x 400000 took twice as long.
  bool has_narrow_rows() const { return bytes_between_rows() <= (from_memory() ? 64 : 2048); }

  // A few vectors in narrow rows, one after another in as many rows as the first cache holds: row
  // by row, a tenth of 30 x 1000 took 2.0 times as long, of 64 x 3000 and 8 x 2097152 1.6, of 256 x
  // 256 1.4 times; with AVX2 half of 4 x 2000 3.5 times, of 100 x 784 1.6 times, but nine tenths of
  // 500 x 500 0.6 times (Intel).
  EIGEN_DONT_INLINE void scale_each(Index first, Index last, Index noted) const {
    const Index step = first_cache / 2 / (std::max)(bytes_between_rows(), Index(1));
    for (Index begin = first, end; begin < last; begin = end) {
      end = (std::min)(begin + step, last);
      for (Index k = 0; k < noted; ++k) {
        for (Index i = 0; i < width_; ++i) {
          scale_strided(row(begin) + places_[k] + i, row_stride(), end - begin, losts_[k]);
        }
      }
    }
  }

  // Lists the first lanes of the vectors whose factors are not 1, and gathers these; returns how
  // many they are.
  Index note_vectors() {
    Index noted = 0;
    for (Index k = 0; k < vectors_; ++k) {
      if (losts_[k] == 1) continue;
      losts_[noted] = losts_[k];
      places_[noted++] = static_cast<Place>(k * width_);
    }
    return noted;
  }

  // The same of all of their lanes.
  Index note_lanes() {
    const Index noted = note_vectors();
    spread_factors(losts_, width_, noted);
    for (Index k = noted - 1; k >= 0 && width_ != 1; --k) {
      for (Index i = width_ - 1; i >= 0; --i) {
        places_[k * width_ + i] = static_cast<Place>(places_[k] + i);
      }
    }
    return noted * width_;
  }

  // Places that follow each other are scaled by packets; from memory, those in the next row are
  // prefetched, without which a tenth of the filters of 1536 x 1536 x 3 x 3 took 1.3 times as long.
  // Scattered ones are taken one by one from the list: twice as fast as a run for each, where a
  // tenth of the lanes is noted. To prefetch these took up to 1.2 times as long.
  EIGEN_DONT_INLINE void scale_noted(Index first, Index last, Index noted) const {
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
    const bool prefetches = from_memory();
    for (Index o = first; o < last; ++o) {
      Index begin = 0;
      for (Index p = 0; p <= pieces; begin = ends[p++]) {
        const Index n = ends[p] - begin;
        if (n == 0) continue;
        if (p % 2 == 1) {
          if (prefetches) prefetch_run(o + 1, begin, n);
          scale_columns(row(o) + places_[begin], 0, 1, losts_ + begin, n);
        } else {
          scale_places(o, begin, n);
        }
      }
    }
  }

  // The first and the last line of n adjacent lanes in row o, which may be one past the last row.
  void prefetch_run(Index o, Index begin, Index n) const {
    constexpr Index size = static_cast<Index>(sizeof(Real));
    const auto first = reinterpret_cast<std::intptr_t>(row(0));
    const std::intptr_t run = first + (o * row_stride() + places_[begin]) * size;
    prefetch_line(run);
    prefetch_line(run + (n - 1) * size);
  }

  void scale_places(Index o, Index begin, Index n) const {
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
  bool adjacent_;     // whether a row of the block's lanes is adjacent entries in memory
  bool direct_;       // adjacent_, and the entries are Reals
};

}  // namespace rein::detail
