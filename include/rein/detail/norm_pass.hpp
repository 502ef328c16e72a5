#pragma once

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/across.hpp>
#include <rein/detail/along.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/view.hpp>

// The drivers of the one family of kernels behind every grouping. Vectors that lie along the
// memory, or in long enough runs, are taken one after another (along.hpp); vectors that lie across
// it are taken together in blocks (across.hpp), so that memory is always walked in its own order.

namespace rein::detail {

template <class View>
inline constexpr bool is_strided = false;
template <class Entry>
inline constexpr bool is_strided<StridedView<Entry>> = true;

// Whether vectors are taken one after another, or together in blocks.
template <class Entry>
bool lies_along(const StridedView<Entry>& view) {
  return view.inner >= long_run || (view.outer == 1 && view.inner > 1);
}

// Calls visit(first, vectors) for blocks that make up the vectors [begin, end).
template <class Entry, class Visit>
void for_each_block(const StridedView<Entry>& view, Index begin, Index end, const Visit& visit) {
  using Traits = ScalarTraits<std::remove_const_t<Entry>>;
  constexpr Index lanes = block_lanes<typename Traits::Real>;
  const Index width = view.inner * Traits::components;
  const Index step = width == 1 ? lanes : lanes / width;
  for (Index first = begin; first < end; first += step) {
    visit(first, (std::min)(step, end - first));
  }
}

// Calls visit(first, count, square_sums) for groups that make up the vectors.
template <class Entry, class Visit>
void for_each_group(const StridedView<Entry>& view, const Visit& visit) {
  using Real = typename ScalarTraits<std::remove_const_t<Entry>>::Real;
  constexpr Index group = packet_size<Real>;
  Real sums[group] = {};
  const auto visit_groups = [&](Index begin, Index end, const auto& source) {
    for (Index first = begin; first < end; first += group) {
      const Index count = (std::min)(group, end - first);
      source(first, count);
      visit(first, count, sums);
    }
  };
  if (view.length() == 0) {
    visit_groups(0, view.vectors, [](Index, Index) {});
  } else if (lies_along(view)) {
    const AlongVectors vectors(view);
    visit_groups(0, view.vectors, [&](Index first, Index count) {
      if (vectors.are_short()) {
        vectors.short_square_sums(first, count, sums);
      } else {
        for (Index k = 0; k < count; ++k) sums[k] = vectors.square_sum(first + k);
      }
    });
  } else {
    for_each_block(view, 0, view.vectors, [&](Index begin, Index vectors) {
      LaneBlock block(view, begin, vectors);
      block.sum_squares();
      visit_groups(begin, begin + vectors, [&](Index first, Index count) {
        block.square_sums(first - begin, count, sums);
      });
    });
  }
}

// Multiplies every vector by its factor; one whose factor is 1 is not written to. Returns how many
// have another factor.
template <class View, class Factors>
Index rescale_vectors(const View& view, const Factors& factors) {
  Index changed = 0;
  const auto needed = [&](Index v) { return factors[v] != 1 && ++changed; };
  if constexpr (!is_strided<View>) {
    for (Index v = 0; v < view.vectors; ++v) {
      if (!needed(v)) continue;
      for (Index o = 0; o < view.outer; ++o) {
        for (Index i = 0; i < view.inner; ++i) scale_entry(view.entry(o, v, i), factors[v]);
      }
    }
  } else if (view.length() == 0) {
    for (Index v = 0; v < view.vectors; ++v) needed(v);
  } else if (lies_along(view)) {
    const AlongVectors along(view);
    for (Index v = 0; v < view.vectors; ++v) {
      if (needed(v)) along.scale(v, factors[v]);
    }
  } else {
    for_each_block(view, 0, view.vectors, [&](Index first, Index vectors) {
      LaneBlock block(view, first, vectors);
      for (Index k = 0; k < vectors; ++k) {
        if (needed(first + k)) block.note_factor(k, factors[first + k]);
      }
      block.scale();
    });
  }
  return changed;
}

// Nobody to be told of rescaled vectors.
struct Untold {
  template <class Factor>
  void operator()(Index, const Factor&) const {}
};

// Applies a rule to vectors of a view. `changed(v, factor)` is told of every rescaled vector; the
// factor is a Real or a ScaledNumber.
template <class View, class Changed = Untold>
class NormPass {
  using Scalar = typename View::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;
  using Rule = NormRule<Scalar>;
  static constexpr Index group = Rule::group;

 public:
  using Refresher = Refresh<Scalar>;

  NormPass(const View& view, const NormBand& band, const Changed& changed = {},
           const Refresher& refresh = no_refresh<Scalar>)
      : view_(view), rule_(band, view.length()), changed_(changed), refresh_(refresh) {}

  // All vectors, by more than one thread where that pays.
  Report all() const {
    const Index bytes = view_.vectors * view_.length() * static_cast<Index>(sizeof(Scalar));
    const Index grain = view_.inner < long_run ? long_run / (std::max)(view_.inner, Index(1)) : 1;
    if (threads_for(view_.vectors, bytes) == 1) return some(0, view_.vectors);
    Report total;
    in_parallel(view_.vectors, grain, bytes, [&](Index begin, Index end) {
      const Report report = some(begin, end);
#if defined(EIGEN_HAS_OPENMP)
#pragma omp critical(rein_report)
#endif
      total += report;
    });
    return total;
  }

  // The vectors [begin, end).
  Report some(Index begin, Index end) const {
    Tally tally;
    if (view_.length() == 0) {
    } else if constexpr (!is_strided<View>) {
      for (Index v = begin; v < end; ++v) carefully(v, tally);
    } else if (lies_along(view_)) {
      along(begin, end, tally);
    } else {
      across(begin, end, tally);
    }
    const double largest = std::sqrt(static_cast<double>(tally.largest_square));
    return {.checked = end - begin,
            .changed = tally.changed,
            .nonfinite = tally.nonfinite,
            .largest_norm = (std::max)(tally.largest_norm, largest)};
  }

 private:
  struct Tally {
    Real largest_square = 0;
    double largest_norm = 0;  // of the vectors whose square may not be a Real
    Index changed = 0, nonfinite = 0;
  };

  void along(Index begin, Index end, Tally& tally) const {
    const AlongVectors vectors(view_, refresh_);
    if (vectors.are_short()) {
      if (!refresh_) begin = vectors.first_violator(begin, end, rule_, tally.largest_square);
      if (begin != end) along_short(vectors, begin, end, tally);
    } else {
      along_long(vectors, begin, end, tally);
    }
  }

  EIGEN_DONT_INLINE void along_short(const AlongVectors<Scalar>& vectors, Index begin, Index end,
                                     Tally& tally) const {
    // Vectors to refresh at a time: about 1024 entries, which stay in the first cache until read.
    const Index batch = refresh_ ? (1024 / (group * view_.inner) + 1) * group : 0;
    Index next_batch = refresh_ ? begin : end;
    Real sums[group], factors[group];
    for (Index first = begin; first < end; first += group) {
      if (first == next_batch) {
        vectors.refresh(first, (std::min)(batch, end - first));
        next_batch += batch;
      }
      const Index count = (std::min)(group, end - first);
      vectors.short_square_sums(first, count, sums);
      if (rule_.all_satisfied(sums, count, tally.largest_square)) continue;
      if (!decide(first, count, sums, factors, tally)) continue;
      for (Index k = 0; k < count; ++k) {
        if (factors[k] != 1) vectors.scale(first + k, factors[k]);
      }
    }
  }

  void along_long(const AlongVectors<Scalar>& vectors, Index begin, Index end, Tally& tally) const {
    bool pending = false;  // whether the last vector is still to be multiplied by factors[0]
    Real sums[group], factors[group];
    for (Index v = begin; v < end; ++v) {
      sums[0] =
          pending ? vectors.square_sum_and_scale(v, v - 1, factors[0]) : vectors.square_sum(v);
      pending =
          !rule_.all_satisfied(sums, 1, tally.largest_square) && decide(v, 1, sums, factors, tally);
      if (pending && !vectors.native()) {
        vectors.scale(v, factors[0]);
        pending = false;
      }
    }
    if (pending) vectors.scale(end - 1, factors[0]);
  }

  void across(Index begin, Index end, Tally& tally) const {
    for_each_block(view_, begin, end, [&](Index first, Index vectors) {
      LaneBlock block(view_, first, vectors, refresh_);
      block.sum_squares();
      Real sums[group], factors[group];
      for (Index k = 0; k < vectors; k += group) {
        const Index count = (std::min)(group, vectors - k);
        block.square_sums(k, count, sums);
        if (rule_.all_satisfied(sums, count, tally.largest_square)) continue;
        if (!decide(first + k, count, sums, factors, tally)) continue;
        for (Index i = 0; i < count; ++i) {
          if (factors[i] != 1) block.note_factor(k + i, factors[i]);
        }
      }
      block.scale();
    });
  }

  // Decides on at most a group of vectors, `count` from `first` on, not all of them satisfied.
  // Vector first + k is to be multiplied by factors[k] where that is not 1. Returns whether any is.
  EIGEN_DONT_INLINE bool decide(Index first, Index count, Real* sums, Real* factors,
                                Tally& tally) const {
    std::fill(sums + count, sums + group, sums[0]);
    Real norms[group];
    rule_.factors(sums, norms, factors);
    Real largest = 0;
    Index changed = 0;
    for (Index k = 0; k < count; ++k) {
      const Index v = first + k;
      if (rule_.satisfied(sums[k])) {
        factors[k] = 1;
      } else if (!rule_.safe(sums[k]) || !rule_.plain(norms[k], factors[k])) {
        factors[k] = 1;
        carefully(v, tally);
        continue;
      } else if (factors[k] != 1 && rule_.is_gradual() && !changes(v, factors[k])) {
        factors[k] = 1;
      }
      largest = (std::max)(largest, sums[k]);
      if (factors[k] != 1) {
        ++changed;
        changed_(v, factors[k]);
      }
    }
    tally.largest_square = (std::max)(tally.largest_square, largest);
    tally.changed += changed;
    return changed != 0;
  }

  // Whether a factor other than 1 changes a bit of vector v: always, where entries are as precise
  // as the factor.
  bool changes([[maybe_unused]] Index v, [[maybe_unused]] Real factor) const {
    if constexpr (!is_native<Scalar>) {
      for (Index o = 0; o < view_.outer; ++o) {
        for (Index i = 0; i < view_.inner; ++i) {
          Scalar entry = view_.entry(o, v, i);
          scale_entry(entry, factor);
          if (entry != view_.entry(o, v, i)) return true;
        }
      }
      return false;
    } else {
      return true;
    }
  }

  EIGEN_DONT_INLINE void carefully(Index v, Tally& tally) const {
    const CarefulNorm look = careful_norm(view_, v);
    if (!look.finite) {
      ++tally.nonfinite;
      return;
    }
    tally.largest_norm = (std::max)(tally.largest_norm, unscaled(look.norm));
    if (rule_.satisfied(look.norm)) return;
    const ScaledNumber factor = rule_.factor(look.norm);
    if (careful_rescale(view_, v, factor)) {
      ++tally.changed;
      changed_(v, factor);
    }
  }

  const View& view_;
  Rule rule_;
  Changed changed_;
  const Refresher& refresh_;
};

}  // namespace rein::detail
