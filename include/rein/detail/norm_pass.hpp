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

// Nothing to be done before entries are read.
struct NoRefresh {
  template <class Entry>
  void operator()(Entry*, Index) const {}
};
inline constexpr NoRefresh no_refresh{};

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

// Calls visit(v, square_sum) for every vector.
template <class Entry, class Visit>
void for_each_square_sum(const StridedView<Entry>& view, const Visit& visit) {
  using Real = typename ScalarTraits<std::remove_const_t<Entry>>::Real;
  if (view.length() == 0) {
    for (Index v = 0; v < view.vectors; ++v) visit(v, Real(0));
  } else if (lies_along(view)) {
    const AlongVectors vectors(view, no_refresh);
    if (vectors.are_short()) {
      constexpr Index group = vectors.group;
      Real sums[group];
      for (Index first = 0; first < view.vectors; first += group) {
        const Index count = (std::min)(group, view.vectors - first);
        vectors.square_sums(first, count, sums);
        for (Index k = 0; k < count; ++k) visit(first + k, sums[k]);
      }
    } else {
      for (Index v = 0; v < view.vectors; ++v) visit(v, vectors.square_sum(v));
    }
  } else {
    for_each_block(view, 0, view.vectors, [&](Index first, Index vectors) {
      LaneBlock block(view, first, vectors, no_refresh);
      block.sum_squares();
      for (Index k = 0; k < vectors; ++k) visit(first + k, block.square_sum(k));
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
    const AlongVectors along(view, no_refresh);
    for (Index v = 0; v < view.vectors; ++v) {
      if (needed(v)) along.scale(v, factors[v]);
    }
  } else {
    for_each_block(view, 0, view.vectors, [&](Index first, Index vectors) {
      LaneBlock block(view, first, vectors, no_refresh);
      for (Index k = 0; k < vectors; ++k) {
        if (needed(first + k)) block.note_factor(k, factors[first + k]);
      }
      block.scale();
    });
  }
  return changed;
}

// Applies a rule to vectors of a view. `changed(v, factor)` is told of every rescaled vector; the
// factor is a Real or a ScaledNumber. `refresh(x, n)` is called before the n adjacent entries at x
// are read for the first time: a fused optimizer step updates them then.
template <class View, class Changed, class Refresh = NoRefresh>
class NormPass {
  using Scalar = typename View::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;

 public:
  NormPass(const View& view, const NormBand& band, Changed& changed, const Refresh& refresh = {})
      : view_(view), rule_(band, view.length()), changed_(changed), refresh_(refresh) {}

  // All vectors, by more than one thread where that pays.
  Report all() const {
    const Index bytes = view_.vectors * view_.length() * static_cast<Index>(sizeof(Scalar));
    const Index grain = view_.inner < long_run ? long_run / (std::max)(view_.inner, Index(1)) : 1;
    Report total;
    in_parallel(view_.vectors, grain, bytes, [&](Index begin, Index end) {
      NormPass mine(*this);
      const Report report = mine.some(begin, end);
#if defined(EIGEN_HAS_OPENMP)
#pragma omp critical(rein_report)
#endif
      total += report;
    });
    return total;
  }

  // The vectors [begin, end).
  Report some(Index begin, Index end) {
    report_ = {};
    report_.checked = end - begin;
    largest_square_ = 0;
    if (view_.length() == 0) return report_;
    if constexpr (!is_strided<View>) {
      for (Index v = begin; v < end; ++v) carefully(v);
    } else if (lies_along(view_)) {
      along(begin, end);
    } else {
      across(begin, end);
    }
    report_.largest_norm =
        (std::max)(report_.largest_norm, std::sqrt(static_cast<double>(largest_square_)));
    return report_;
  }

 private:
  void along(Index begin, Index end) {
    const AlongVectors vectors(view_, refresh_);
    if (vectors.are_short()) {
      along_short(vectors, begin, end);
    } else {
      along_long(vectors, begin, end);
    }
  }

  template <class Vectors>
  void along_short(const Vectors& vectors, Index begin, Index end) {
    constexpr Index group = Vectors::group;
    // Vectors to refresh at a time: about 1024 entries, which stay in the first cache until read.
    const Index batch = std::is_same_v<Refresh, NoRefresh>
                            ? end - begin
                            : (1024 / (group * view_.inner) + 1) * group;
    Index next_batch = begin;
    Real sums[group];
    for (Index first = begin; first < end; first += group) {
      if (first == next_batch) {
        vectors.refresh(first, (std::min)(batch, end - first));
        next_batch += batch;
      }
      const Index count = (std::min)(group, end - first);
      vectors.square_sums(first, count, sums);
      for (Index k = 0; k < count; ++k) {
        Real factor;
        if (needs(first + k, sums[k], factor)) vectors.scale(first + k, factor);
      }
    }
  }

  template <class Vectors>
  void along_long(const Vectors& vectors, Index begin, Index end) {
    bool pending = false;  // whether the last vector is still to be multiplied by `factor`
    Real factor = 1;
    for (Index v = begin; v < end; ++v) {
      const Real square_sum =
          pending ? vectors.square_sum_and_scale(v, v - 1, factor) : vectors.square_sum(v);
      pending = needs(v, square_sum, factor);
      if (pending && !vectors.native()) {
        vectors.scale(v, factor);
        pending = false;
      }
    }
    if (pending) vectors.scale(end - 1, factor);
  }

  void across(Index begin, Index end) {
    for_each_block(view_, begin, end, [&](Index first, Index vectors) {
      LaneBlock block(view_, first, vectors, refresh_);
      block.sum_squares();
      for (Index k = 0; k < vectors; ++k) {
        Real factor;
        if (needs(first + k, block.square_sum(k), factor)) block.note_factor(k, factor);
      }
      block.scale();
    });
  }

  // Whether vector v is to be multiplied by `factor`. Where that takes more care, does it all.
  bool needs(Index v, Real square_sum, Real& factor) {
    if (rule_.satisfied(square_sum)) {
      largest_square_ = (std::max)(largest_square_, square_sum);
      return false;
    }
    return needs_more(v, square_sum, factor);
  }

  EIGEN_DONT_INLINE bool needs_more(Index v, Real square_sum, Real& factor) {
    if (!rule_.safe(square_sum) || !rule_.factor(square_sum, factor)) {
      carefully(v);
      return false;
    }
    largest_square_ = (std::max)(largest_square_, square_sum);
    if (factor == 1 || (rule_.is_gradual() && !changes(v, factor))) return false;
    ++report_.changed;
    changed_(v, factor);
    return true;
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

  EIGEN_DONT_INLINE void carefully(Index v) {
    const CarefulNorm look = careful_norm(view_, v);
    if (!look.finite) {
      ++report_.nonfinite;
      return;
    }
    report_.largest_norm = (std::max)(report_.largest_norm, unscaled(look.norm));
    if (rule_.satisfied(look.norm)) return;
    const ScaledNumber factor = rule_.factor(look.norm);
    if (careful_rescale(view_, v, factor)) {
      ++report_.changed;
      changed_(v, factor);
    }
  }

  const View& view_;
  NormRule<Scalar> rule_;
  Changed& changed_;
  Refresh refresh_;
  Report report_;
  Real largest_square_ = 0;
};

}  // namespace rein::detail
