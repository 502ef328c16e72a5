#pragma once

#include <algorithm>
#include <cstdint>

#include <Eigen/Core>

#include <rein/detail/parallel.hpp>
#include <rein/detail/prefetch.hpp>
#include <rein/detail/refresh.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// Takes vectors that lie along the memory one after another.
template <class Entry>
class AlongVectors {
  using Scalar = std::remove_const_t<Entry>;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;
  static constexpr Index real_size = static_cast<Index>(sizeof(Real));

 public:
  explicit AlongVectors(const StridedView<Entry>& view)
      : AlongVectors(view, 0, view.vectors, no_refresh<Entry>) {}

  // To take the vectors [begin, end), in this order where they are to be refreshed.
  AlongVectors(const StridedView<Entry>& view, Index begin, Index end,
               const Refresh<Entry>& refresh)
      : view_(view),
        refresh_(refresh),
        native_(is_native<Scalar> && view.inner_stride == 1),
        refreshed_(begin * view.length()),
        end_(end * view.length()) {}

  bool are_short() const {
    return native_ && view_.outer == 1 && length() <= longest_short_vector<Real>;
  }

  // Whether short vectors are better summed several at a time before the first one is scaled: the
  // shortest, and from memory beside a step those of up to two trees.
  bool go_together() const {
    return are_short() && length() <= (refresh_ && from_memory() ? 2 * longest_tree<Real> : 32);
  }

  // Others are pipelined in a cache, and from memory those of up to 2 KiB: summed 16 KiB at a time,
  // or prefetched while the one before is scaled, 40 to 500 numbers took 1.2 to 1.6 times as long,
  // but 1024 floats 0.8 times.
  bool go_pipelined() const {
    return are_short() && (!from_memory() || (!refresh_ && length() * real_size <= 2048));
  }

  // Vectors to take together: 16 KiB of them, which stay in the first cache.
  static constexpr Index most_together = 256;
  Index together() const {
    const Index vectors = first_cache / 2 / real_size / length();
    return (std::clamp)(vectors, Index(2), most_together);
  }

  // And to sum while as many before them are scaled: as few as make up 8 KiB, or 12 of those of up
  // to 1 KiB, and 4 beside a step, so that what is written lies a little more than some pages
  // behind what is read. With a little less, which a core takes for the same place, 100 x 1000
  // floats that all violate took 1.2 times as long, 300 x 333 1.15 times; with one, from memory 128
  // x 131072 took 1.5 times as long (Intel). With 16 KiB, what is scaled has left a first cache of
  // 32 KiB: 1024 x 1024 took 1.35 times as long (AMD); so those of more than 6 KiB, two of which
  // are too much, are taken one by one.
  Index pipelined() const {
    const Index of_bytes = length() * real_size;
    const Index least = refresh_ ? 4096 : of_bytes <= 1024 ? 12288 : 8192;
    return of_bytes > 6144 ? 1 : (std::min)((least + of_bytes - 1) / of_bytes, most_together);
  }

  // How many are taken otherwise once rough sums have not helped, before they are tried again.
  static constexpr Index least_wait = 32;

  // Whether a long vector is better scaled while the next one is summed. From memory, which is read
  // faster without stores in between (AMD), only where the first cache does not hold it: then the
  // next one is not prefetched, with which 13824 x 1536 took 1.2 times as long (AMD), and 14336 x
  // 5000 doubles took 1.2 times as long one after the other (Intel).
  bool scales_beside() const {
    return native_ && (!from_memory() || (!refresh_ && bytes() >= first_cache));
  }

  // The sums of squares of the short vectors [first, first + count).
  void square_sums(Index first, Index count, Real* sums) const {
    detail::square_sums(as_reals(view_.at(0, first)), stride(), length(), count, sums);
  }

  // The same, while those 4 KiB further on are prefetched, if they come from memory: a core that
  // sums very short vectors looks ahead no more than a few lines. Where none violate, 8 x 2097152
  // took 1.2 to 1.5 times as long without, 12 x 1300000 up to 2.8 (Intel).
  EIGEN_DONT_INLINE void square_sums_prefetching(Index first, Index count, Real* sums) const {
    if (!from_memory() || refresh_) return square_sums(first, count, sums);
    prefetching(first, count, 4096 / bytes(),
                [&](Index k, Index some) { square_sums(first + k, some, sums + k); });
  }

  // Whether sums that are wrong by up to rough_error() of themselves are worth it: of vectors that
  // stay in a cache for a second look, and that are not so short that good sums take as long. (For
  // those of 64 x 64, one in ten violating, to look twice took 1.1 to 1.3 times as long.)
  bool can_be_rough() const {
    const Index least =
        sums_are_refreshed() ? 0 : (std::min)(longest_tree<Real> * real_size, Index(512));
    const Index most = sums_are_refreshed() ? 65536 : refresh_ ? 4096 : 16384;
    return native_ && view_.outer == 1 && view_.vectors >= fewest_rough &&
           length() * real_size > least && length() * real_size <= most;
  }
  // A step sums in one chain instead of four.
  Real rough_error() const {
    return detail::rough_error<Real>(sums_are_refreshed() ? 4 * length() : length());
  }
  EIGEN_DONT_INLINE void rough_square_sums(Index first, Index count, Real* sums) const {
    Index begun = count;  // vectors of which some entries have been refreshed
    if (sums_are_refreshed()) {
      const Index entries = (std::max)(refreshed_ - first * view_.inner, Index(0));
      begun = (std::min)((entries + view_.inner - 1) / view_.inner, count);
      refresh_entries((first + begun) * view_.inner, (first + begun) * view_.inner);
    } else {
      refresh_to(first + count, 0, 0);
    }
    const Real* run = as_reals(view_.at(0, first));
    for (Index k = 0; k < begun; ++k, run += stride()) sums[k] = rough_square_sum(run, length());
    if (begun == count) return;
    refresh_(view_.at(0, first + begun), count - begun, view_.inner, sums + begun);
    refreshed_ += (count - begun) * view_.inner;
  }

  // Multiplies the short vectors [first, first + count) by their factors; where that is 1, nothing
  // is written. Prefetches the next ones only where `all` have another factor: beside a tenth of
  // them, lines here and there, 8 x 2097152 took twice as long (AMD).
  EIGEN_DONT_INLINE void scale(Index first, Index count, const Real* factors,
                               bool all = false) const {
    Real* const run = as_reals(view_.at(0, first));
    if (!all || !prefetches_after(first, count)) {
      return scale_vectors(run, stride(), length(), count, factors);
    }
    prefetching(first, count, count, [&](Index k, Index some) {
      scale_vectors(run + k * stride(), stride(), length(), some, factors + k);
    });
  }

  // The sums of squares of the short vectors [first, first + count), while as many as are `behind`
  // before them, none or at least as many, are multiplied by their factors.
  void square_sums_and_scale(Index first, Index count, Real* sums, Index behind,
                             const Real* factors) const {
    if (behind == 0) {
      square_sums(first, count, sums);
    } else if (length() <= longest_tree<Real>) {
      sum_one_and_scale_one(first, count, sums, behind, factors);
    } else {
      sum_and_scale_trees(first, count, sums, behind, factors);
    }
  }

  // Refreshes the entries before entry i of part o of vector v, a chunk at a time.
  void refresh_to(Index v, Index o, Index i) const {
    if (refresh_) refresh_entries((v * view_.outer + o) * view_.inner + i, end_);
  }

  // The sum of squares of vector v.
  Real square_sum(Index v) const {
    if (in_parts()) return square_sum_of_parts();
    if (are_short()) {
      Real sum = 0;
      refresh_to(v + 1, 0, 0);
      square_sums(v, 1, &sum);
      return sum;
    }
    return square_sum(v, v, 1).total();
  }

  // The same, while the entries of vector `last` are multiplied by a factor: 600 x 600 took 1.4
  // times as long one after the other.
  Real square_sum_and_scale(Index v, Index last, Real factor) const {
    return square_sum(v, last, factor).total();
  }

  void scale(Index v, Real factor) const {
    if (in_parts()) {
      scale_parts(factor);
    } else {
      scale_here(v, factor);
    }
  }

  // The same, while the next vector is prefetched from memory.
  EIGEN_DONT_INLINE void scale_prefetching(Index v, Real factor) const {
    if (!prefetches_after(v, 1)) return scale(v, factor);
    for (Index o = 0; o < view_.outer; ++o) {
      Real* run = as_reals(view_.at(o, v));
      scale_run_prefetching(run, length(), factor, stride());
    }
  }

  void scale_here(Index v, Real factor) const {
    for (Index o = 0; o < view_.outer; ++o) {
      Entry* run = view_.at(o, v);
      if (view_.inner_stride == 1) {
        scale_run(run, view_.inner, factor);
      } else {
        for (Index i = 0; i < view_.inner; ++i) scale_entry(run[i * view_.inner_stride], factor);
      }
    }
  }

 private:
  // Calls use(k, some) for some 512 bytes of the vectors [first, first + count) at a time, while
  // those so many vectors further on are prefetched.
  template <class Use>
  EIGEN_ALWAYS_INLINE void prefetching(Index first, Index count, Index ahead,
                                       const Use& use) const {
    constexpr Index least = 512, line = 64;
    const Index step = (std::max)(least / bytes(), Index(1));
    for (Index k = 0; k < count; k += step) {
      const Index some = (std::min)(step, count - k);
      const Index adjacent = stride() == length() ? some : 1;
      for (Index j = k; j < k + some; j += adjacent) {
        const auto run = reinterpret_cast<std::intptr_t>(view_.at(0, first + j));
        for (Index i = 0; i < adjacent * bytes(); i += line) {
          prefetch_line(run + ahead * stride() * real_size + i);
        }
      }
      use(k, some);
    }
  }

  // Of one tree each: a vector is summed, another one scaled.
  EIGEN_DONT_INLINE void sum_one_and_scale_one(Index first, Index count, Real* sums, Index behind,
                                               const Real* factors) const {
    const Index n = length(), step = stride();
    Real* run = as_reals(view_.at(0, first));
    for (Index k = 0; k < behind; ++k, run += step) {
      if (k < count) sums[k] = sum_of_lanes<Real>(tree_square_sum(run, n));
      if (factors[k] != 1) scale_run(run - behind * step, n, factors[k]);
    }
  }

  // Of more: a tree is summed, as much of another vector scaled, so that loads and stores overlap
  // within what a core looks ahead. Vector by vector, with all violating, 512 x 512 floats took 1.4
  // times as long (AMD), 256 x 256 with SSE2 1.6 times.
  EIGEN_DONT_INLINE void sum_and_scale_trees(Index first, Index count, Real* sums, Index behind,
                                             const Real* factors) const {
    const Index n = length(), step = stride();
    Real* run = as_reals(view_.at(0, first));
    for (Index k = 0; k < behind; ++k, run += step) {
      Real* const other = run - behind * step;
      const Real factor = factors[k];
      if (k >= count) {
        scale(first + k - behind, 1, factors + k);
      } else if (factor != 1) {
        sums[k] = sum_of_lanes<Real>(
            sum_of_trees(run, n, [&](Index i, Index m) { scale_run(other + i, m, factor); }));
      } else {
        square_sums(first + k, 1, sums + k);
      }
    }
  }

  // Reals to refresh at a time: 4 KiB.
  static constexpr Index refresh_chunk = 4096 / real_size;

  // Refreshes the entries before `wanted`, counted through the vectors, and those after it that
  // make up a chunk, before `end`.
  void refresh_entries(Index wanted, Index end) const {
    constexpr Index chunk = refresh_chunk / Traits::components;
    const bool contiguous = view_.outer == 1 && view_.vector_stride == view_.inner;
    wanted = (std::min)(wanted, end);
    while (refreshed_ < wanted) {
      const Index run = contiguous ? 0 : refreshed_ / view_.inner;
      const Index begin = refreshed_ - run * view_.inner;
      const Index n = (std::min)(chunk, contiguous ? end - refreshed_ : view_.inner - begin);
      refresh_(view_.at(run % view_.outer, run / view_.outer) + begin, n);
      refreshed_ += n;
    }
  }

  // Whether vectors are refreshed one by one, which gives their sums: from 256 entries on, and
  // shorter ones that divide into packets, or from four packets on into those of 16 bytes. To read
  // these once more took SGD with a constraint that none violates 1.3 times as long at 64 x 64, 48
  // x 500 and 124 x 300 (AMD); but vector by vector 79 x 100 floats took Adam 1.5 times as long, 36
  // x 500 1.4 times.
  bool sums_are_refreshed() const {
    constexpr Index lanes = packet_size<Real>, small = 16 / real_size;
    const Index least = length() % lanes == 0   ? 32
                        : length() % small == 0 ? (std::max)(4 * lanes, Index(32))
                                                : 256;
    return refresh_ && length() >= least;
  }

  // A single vector that is long enough to be shared among threads is always
  // summed in the same parts, so that the number of threads does not show in
  // the result.
  static constexpr Index parts = 64;

  bool in_parts() const {
    return view_.vectors == 1 && view_.length() * Traits::components >= 2048 * parts;
  }

  StridedView<Entry> part(Index p) const {
    StridedView<Entry> view = view_;
    const Index size = view.outer > 1 ? view.outer : view.inner;
    const Index step = (size + parts - 1) / parts;
    const Index begin = (std::min)(p * step, size);
    const Index count = (std::min)(step, size - begin);
    (view.outer > 1 ? view.outer : view.inner) = count;
    view.data += begin * (view_.outer > 1 ? view_.outer_stride : view_.inner_stride);
    return view;
  }

  // The Reals of a run, and from one vector to the next.
  Index length() const { return view_.inner * Traits::components; }
  Index stride() const { return view_.vector_stride * Traits::components; }

  // Whether the vectors after these are prefetched while these are scaled. All violating, 4096 x
  // 4096 took 1.0 to 1.1 times as long as a scale pass so, and 1.3 to 1.5 times without; 64 x
  // 64000 1.3 instead of 1.5. Beside a step, with its other matrices, all took longer (AMD).
  bool prefetches_after(Index first, Index count) const {
    return native_ && !refresh_ && from_memory() && (first + count) * view_.length() < end_;
  }

  // Whether the vectors are more than a cache holds: 8 MiB, or beside a step, whose other matrices
  // are there too, 4. With 4 in either case, 64 x 30000 and 1024 x 2000 floats that all violate
  // took 1.2 times as long; with 8 in either, 1024 x 2000 took Adam 1.1 times as long (AMD).
  bool from_memory() const {
    const Index cached = refresh_ ? 4 << 20 : 8 << 20;
    return view_.vectors * bytes() > cached;
  }

  Index bytes() const { return view_.length() * static_cast<Index>(sizeof(Scalar)); }

  Real square_sum_of_parts() const {
    SquareSum<Real> sums[parts];
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        const StridedView<Entry> view = part(p);
        sums[p] = AlongVectors(view, 0, 1, refresh_).square_sum(0, 0, 1);
      }
    });
    return SquareSum<Real>::total(sums, parts);
  }

  void scale_parts(Real factor) const {
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        const StridedView<Entry> view = part(p);
        AlongVectors(view).scale_here(0, factor);
      }
    });
  }

  // One function, whether there is something to scale or not: it is most of the code of a norm.
  EIGEN_DONT_INLINE SquareSum<Real> square_sum(Index v, Index last, Real factor) const {
    SquareSum<Real> sum;
    for (Index o = 0; o < view_.outer; ++o) {
      Entry* run = view_.at(o, v);
      if (native_) {
        const Index part = refresh_ ? SquareSum<Real>::part : length();
        for (Index i = 0, n; i < length(); i += n) {
          n = (std::min)(part, length() - i);
          refresh_to(v, o, (i + n) / Traits::components);
          if constexpr (std::is_const_v<Entry>) {
            sum.add(as_reals(run) + i, n);
          } else {
            sum.add(as_reals(run) + i, n, as_reals(view_.at(o, last)) + i, factor);
          }
        }
      } else {
        add_converted(run, sum);
      }
    }
    return sum;
  }

  // Entries that are not adjacent, or not Reals, go by way of a buffer.
  void add_converted(const Scalar* run, SquareSum<Real>& sum) const {
    constexpr Index size = 256 * packet_size<Real>;
    constexpr Index step = size / Traits::components;
    Real reals[size];
    for (Index i = 0; i < view_.inner; i += step) {
      const Index n = (std::min)(step, view_.inner - i);
      load(run + i * view_.inner_stride, view_.inner_stride, n, reals);
      Index end = n * Traits::components;  // filled up with zeros, as whole packets are read
      while (end % packet_size<Real> != 0) reals[end++] = 0;
      sum.add(reals, end);
    }
  }

  const StridedView<Entry>& view_;
  const Refresh<Entry>& refresh_;
  bool native_;
  mutable Index refreshed_;  // how many entries are, vector by vector
  Index end_;
};

}  // namespace rein::detail
