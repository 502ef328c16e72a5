#pragma once

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/across.hpp>
#include <rein/detail/along.hpp>
#include <rein/detail/at_once.hpp>
#include <rein/detail/bias.hpp>
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

// Calls visit(first, vectors) for blocks that make up the vectors [begin, end).
template <class Entry, class Visit>
void for_each_block(const StridedView<Entry>& view, Index begin, Index end, const Visit& visit) {
  using Traits = ScalarTraits<std::remove_const_t<Entry>>;
  constexpr Index lanes = block_lanes<typename Traits::Real>;
  const Index width = view.inner * Traits::components;
  const Index most = width == 1 ? lanes : lanes / width;
  Index step = most;
  if (const Index vectors = end - begin; vectors > most) {
    // Blocks of about the same size, and whole lines of the cache.
    const Index blocks = (vectors + most - 1) / most;
    step = (std::min)((vectors / blocks / 64 + 1) * 64, most);
  }
  for (Index first = begin; first < end; first += step) {
    visit(first, (std::min)(step, end - first));
  }
}

// Whether threads share the vectors of a view: not where these lie across the memory and each
// block's rows are shared.
template <class View>
bool shares_vectors(const View& view) {
  if (threads_for(view.vectors, bytes_to_share(view)) == 1) return false;
  if constexpr (is_strided<View>) {
    return lies_along(view) || parts_of_rows(view) == 1;
  } else {
    return true;
  }
}

// Vectors that a thread takes at least: of short ones and of those that lie across the memory, a
// page of entries, or of each row.
template <class View>
Index vectors_to_a_thread(const View& view) {
  constexpr Index page = 4096 / static_cast<Index>(sizeof(typename View::Scalar));
  return view.inner < long_run ? page / (std::max)(view.inner, Index(1)) : 1;
}

// Calls work(begin, end) for ranges of a view's vectors, each in a thread of its own where that
// pays.
template <class View, class Work>
void for_vectors(const View& view, const Work& work) {
  if (!shares_vectors(view)) return work(Index(0), view.vectors);
  in_parallel(view.vectors, vectors_to_a_thread(view), bytes_to_share(view), work);
}

// Calls visit(first, vectors, square_sums) for vectors that make up a view; several threads may,
// for some vectors each.
template <class Entry, class Visit>
void for_all_square_sums(const StridedView<Entry>& view, const Visit& visit) {
  using Real = typename ScalarTraits<std::remove_const_t<Entry>>::Real;
  const auto some = [&](Index begin, Index end) {
    if (view.length() == 0) {
      constexpr Real zero = 0;
      for (Index v = begin; v < end; ++v) visit(v, 1, &zero);
    } else if (lies_along(view)) {
      const AlongVectors vectors(view, begin, end, no_refresh<Entry>);
      Real sums[AlongVectors<Entry>::most_together];
      for (Index first = begin, count; first < end; first += count) {
        count = 1;
        if (vectors.are_short()) {
          count = (std::min)(vectors.together(), end - first);
          vectors.square_sums(first, count, sums);
        } else {
          sums[0] = vectors.square_sum(first);
        }
        visit(first, count, sums);
      }
    } else {
      LaneNotes<Real> notes;
      for_each_block(view, begin, end, [&](Index first, Index vectors) {
        LaneBlock block(view, first, vectors, notes);
        visit(first, vectors, block.square_sums());
      });
    }
  };
  for_vectors(view, some);
}

// Multiplies every vector by its factor; one whose factor is 1 is not written to. Returns how many
// have another factor.
template <class View, class Real>
Index rescale_vectors(const View& view, const Real* factors) {
  const auto count_others = [factors](Index begin, Index end) {
    return end - begin - std::count(factors + begin, factors + end, Real(1));
  };
  const auto some = [&](Index begin, Index end) {
    if constexpr (!is_strided<View>) {
      for (Index v = begin; v < end; ++v) {
        if (factors[v] == 1) continue;
        for (Index o = 0; o < view.outer; ++o) {
          for (Index i = 0; i < view.inner; ++i) scale_entry(view.entry(o, v, i), factors[v]);
        }
      }
    } else if (lies_along(view)) {
      const AlongVectors along(view, begin, end, no_refresh<typename View::Scalar>);
      if (along.are_short()) return along.scale(begin, end - begin, factors + begin);
      for (Index v = begin; v < end; ++v) {
        if (factors[v] != 1) along.scale(v, factors[v]);
      }
    } else {
      LaneNotes<Real> notes;
      for_each_block(view, begin, end, [&](Index first, Index vectors) {
        LaneBlock block(view, first, vectors, notes);
        std::copy_n(factors + first, vectors, block.factors());
        block.scale(count_others(first, first + vectors));
      });
    }
  };
  if (view.length() != 0) for_vectors(view, some);
  return count_others(0, view.vectors);
}

// Marks the vectors that a pass changes, where there is somebody to look. A byte each, so that
// threads do not write to the same one.
class MarkChanged {
 public:
  explicit MarkChanged(unsigned char* marks = nullptr) : marks_(marks) {}

  bool is_idle() const { return marks_ == nullptr; }

  template <class Factor>
  void operator()(Index v, const Factor&) const {
    if (marks_ != nullptr) marks_[v] = 1;
  }

 private:
  unsigned char* marks_;
};

// No bias that counts as one more entry of each vector.
struct NoBias {
  template <class Real>
  void add_squares(Index, Index, Real*) const {}
  template <class Factor>
  void rescale(Index, const Factor&) const {}
};
inline constexpr NoBias no_bias{};

// Applies a rule to vectors of a view. `changed(v, factor)` is told of every rescaled vector; the
// factor is a Real or a ScaledNumber. `joint` is a Joint, or NoBias.
template <class View, class Changed = MarkChanged, class Joint = NoBias>
class NormPass {
  using Scalar = typename View::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;

 public:
  using Refresher = Refresh<Scalar>;

  NormPass(const View& view, const NormRule<Scalar>& rule, const Changed& changed = Changed(),
           const Refresher& refresh = no_refresh<Scalar>, const Joint& joint = no_bias)
      : view_(view), rule_(rule), changed_(changed), refresh_(refresh), joint_(joint) {}

  // All vectors: in blocks, and by more than one thread where that pays.
  EIGEN_DONT_INLINE Report all() const {
    if (!shares_vectors(view_)) return some(0, view_.vectors);
    return report_in_parallel(view_.vectors, vectors_to_a_thread(view_), bytes_to_share(view_),
                              [&](Index begin, Index end) { return some(begin, end); });
  }

  // The vectors [begin, end).
  Report some(Index begin, Index end) const {
    Tally tally;
    if (view_.length() == 0) {
      if constexpr (has_bias) {
        for (Index v = begin; v < end; ++v) carefully(v, tally);
      }
    } else if constexpr (!is_strided<View>) {
      for (Index v = begin; v < end; ++v) carefully(v, tally);
    } else if (lies_along(view_)) {
      along(begin, end, tally);
    } else {
      across(begin, end, tally);
    }
    return tally.report(end - begin);
  }

 private:
  static constexpr bool has_bias = !std::is_same_v<Joint, NoBias>;
  static constexpr Index components = ScalarTraits<Scalar>::components;

  struct Tally {
    Real largest_square = 0;
    double largest_norm = 0;  // of the vectors whose square may not be a Real
    Index changed = 0, nonfinite = 0;

    Report report(Index checked) const {
      const double largest = std::sqrt(static_cast<double>(largest_square));
      return {.checked = checked,
              .changed = changed,
              .nonfinite = nonfinite,
              .largest_norm = (std::max)(largest_norm, largest)};
    }
  };

  // Groups of vectors that stay in the first cache for a second look are first summed roughly; each
  // time that this does not help, it is left out for twice as many vectors.
  void along(Index begin, Index end, Tally& tally) const {
    const AlongVectors vectors(view_, begin, end, refresh_);
    const bool can_be_rough = vectors.can_be_rough();
    Index waits = 0;
    for (Index first = begin, count; first < end; first += count) {
      count = end - first;
      if (can_be_rough) {
        const bool helped = first > begin && waits == 0;
        const Index group = (std::min)(vectors.together(), count);
        const bool helps = decide_roughly(vectors, first, group, helped, tally);
        waits = helps ? 0 : 2 * waits + 1;
        count = helps ? group : (std::min)(waits * AlongVectors<Scalar>::least_wait, count);
        if (helps) continue;
      }
      if (vectors.go_together()) {
        together(vectors, first, first + count, tally);
      } else if (vectors.go_pipelined()) {
        pipelined(vectors, first, first + count, tally);
      } else {
        one_by_one(vectors, first, first + count, tally);
      }
    }
  }

  void together(const AlongVectors<Scalar>& vectors, Index begin, Index end, Tally& tally) const {
    constexpr Index most = AlongVectors<Scalar>::most_together;
    Real sums[most], factors[most];
    const Index group = vectors.together();
    bool prefetched = false;  // while all of the group before were scaled
    for (Index first = begin, count; first < end; first += count) {
      count = (std::min)(group, end - first);
      vectors.refresh_to(first + count, 0, 0);
      if (prefetched) {
        vectors.square_sums(first, count, sums);
      } else {
        vectors.square_sums_prefetching(first, count, sums);
      }
      joint_.add_squares(first, count, sums);
      const Index changed = decide(first, count, sums, factors, tally);
      prefetched = changed == count;
      if (changed != 0) vectors.scale(first, count, factors, prefetched);
    }
  }

  // A group is summed while the one before is scaled.
  void pipelined(const AlongVectors<Scalar>& vectors, Index begin, Index end, Tally& tally) const {
    constexpr Index most = AlongVectors<Scalar>::most_together;
    Real sums[most], factors[most];
    const Index group = vectors.pipelined();
    Index behind = 0;  // vectors of the group before, if some of them are to be scaled
    for (Index first = begin, count; first < end; first += count) {
      count = (std::min)(group, end - first);
      vectors.refresh_to(first + count, 0, 0);
      vectors.square_sums_and_scale(first, count, sums, behind, factors);
      joint_.add_squares(first, count, sums);
      behind = decide(first, count, sums, factors, tally) == 0 ? 0 : count;
    }
    if (behind != 0) vectors.scale(end - behind, behind, factors);
  }

  void one_by_one(const AlongVectors<Scalar>& vectors, Index begin, Index end, Tally& tally) const {
    Real factor = 1;  // by which the last vector is still to be multiplied
    for (Index v = begin; v < end; ++v) {
      Real square_sum =
          factor == 1 ? vectors.square_sum(v) : vectors.square_sum_and_scale(v, v - 1, factor);
      joint_.add_squares(v, 1, &square_sum);
      factor = factor_for_one(v, square_sum, tally);
      if (factor != 1 && !vectors.scales_beside()) {
        vectors.scale_prefetching(v, factor);
        factor = 1;
      }
    }
    if (factor != 1) vectors.scale(end - 1, factor);
  }

  // Decides by rough sums on the vectors that surely are satisfied; those that may not be, or may
  // have the largest norm so far, are summed well. Leaves all of them where these are many; unless
  // that helped with the last group, a sample shows it first: with all at the limit, 256 x 256 took
  // 1.5 times as long without.
  bool decide_roughly(const AlongVectors<Scalar>& vectors, Index first, Index count, bool helped,
                      Tally& tally) const {
    Real sums[AlongVectors<Scalar>::most_together];
    const Real error = vectors.rough_error();
    const Real low = rule_.least_satisfied() * (1 + error);
    Real high = 0;
    const auto set_high = [&](Real largest) {
      largest = (std::max)(tally.largest_square, largest * (1 - error));
      high = (std::min)(rule_.most_satisfied(), largest) * (1 - error);
    };
    const auto unsure = [&](Real sum) { return int(sum <= low) | int(sum >= high); };
    const auto few_unsure = [&](Index of) {
      Index number = 0;
      for (Index k = 0; k < of; ++k) number += unsure(sums[k]);
      return 3 * number <= of + 2;
    };
    const auto add_sums = [&](Index begin, Index end) {
      vectors.rough_square_sums(first + begin, end - begin, sums + begin);
      joint_.add_squares(first + begin, end - begin, sums + begin);
    };
    const Index sample = helped || count < 8 ? 0 : 4;
    if (sample != 0) {
      add_sums(0, sample);
      set_high(*std::max_element(sums, sums + sample));
      if (!few_unsure(sample)) return false;
    }
    add_sums(sample, count);
    const auto of = extremes(sums, count);
    if (!of.finite()) return false;
    set_high(of.largest);
    if (of.least > low && of.largest < high) return true;
    if (!few_unsure(count)) return false;
    for (Index k = 0; k < count; ++k) {
      if (unsure(sums[k]) == 0) continue;
      Real square_sum = vectors.square_sum(first + k);
      joint_.add_squares(first + k, 1, &square_sum);
      const Real factor = factor_for_one(first + k, square_sum, tally);
      if (factor != 1) vectors.scale(first + k, factor);
    }
    return true;
  }

  void across(Index begin, Index end, Tally& tally) const {
    LaneNotes<Real> notes;
    for_each_block(view_, begin, end, [&](Index first, Index vectors) {
      LaneBlock block(view_, first, vectors, notes, refresh_);
      Real* square_sums = block.square_sums();
      joint_.add_squares(first, vectors, square_sums);
      block.scale(decide(first, vectors, square_sums, block.factors(), tally));
    });
  }

  // Finds what the vectors [first, first + count) are to be multiplied by, 1 for those that stay;
  // returns how many do not. Where all stay, the factors are not written.
  EIGEN_DONT_INLINE Index decide(Index first, Index count, const Real* square_sums, Real* factors,
                                 Tally& tally) const {
    const auto of = extremes(square_sums, count);
    if (!rule_.satisfied(of)) return decide_each(first, count, square_sums, of, factors, tally);
    tally.largest_square = (std::max)(tally.largest_square, of.largest);
    return 0;
  }

  EIGEN_DONT_INLINE Index decide_each(Index first, Index count, const Real* square_sums,
                                      const Extremes<Real>& of, Real* factors, Tally& tally) const {
    Index changed = 0;
    if (rule_.is_plain() && NormRule<Scalar>::safe(of)) {
      tally.largest_square = (std::max)(tally.largest_square, of.largest);
      changed = rule_.plain_factors(square_sums, count, factors);
      tally.changed += changed;
      if constexpr (!has_bias && requires { changed_.is_idle(); }) {
        if (changed_.is_idle()) return changed;
      }
      for (Index k = 0; k < count; ++k) {
        if (factors[k] == 1) continue;
        joint_.rescale(first + k, factors[k]);
        changed_(first + k, factors[k]);
      }
    } else {
      for (Index k = 0; k < count; ++k) {
        factors[k] = factor_for(first + k, square_sums[k], tally);
        changed += factors[k] != 1;
      }
    }
    return changed;
  }

  // What vector v is to be multiplied by; 1 if it stays.
  EIGEN_STRONG_INLINE Real factor_for(Index v, Real square_sum, Tally& tally) const {
    if (rule_.satisfied(square_sum)) {
      tally.largest_square = (std::max)(tally.largest_square, square_sum);
      return 1;
    }
    Real factor;
    if (rule_.factor(square_sum, factor)) return counted(v, square_sum, factor, tally);
    carefully(v, tally);
    return 1;
  }

  // The same in a function of its own, for vectors that have been summed one by one.
  EIGEN_DONT_INLINE Real factor_for_one(Index v, Real square_sum, Tally& tally) const {
    return factor_for(v, square_sum, tally);
  }

  // Counts a vector that is not satisfied; its factor, or 1 where that would change nothing.
  EIGEN_STRONG_INLINE Real counted(Index v, Real square_sum, Real factor, Tally& tally) const {
    tally.largest_square = (std::max)(tally.largest_square, square_sum);
    if (factor == 1 || (rule_.may_change_nothing() && !changes(v, factor))) return 1;
    ++tally.changed;
    joint_.rescale(v, factor);
    changed_(v, factor);
    return factor;
  }

  // Whether a factor other than 1 changes a bit of vector v: always, where entries are as precise
  // as the factor.
  bool changes([[maybe_unused]] Index v, [[maybe_unused]] Real factor) const {
    bool changed = is_native<Scalar>;
    if constexpr (!is_native<Scalar>) {
      for_each_component(vectors(), v, [&](auto x) {
        const auto before = x;
        scale_entry(x, factor);
        changed = changed || x != before;
      });
    }
    return changed;
  }

  // The view, with the bias behind each vector's entries.
  decltype(auto) vectors() const {
    if constexpr (has_bias) {
      return WithBias<View, std::remove_reference_t<decltype(joint_.bias)>>{view_, joint_.bias};
    } else {
      return (view_);
    }
  }

  EIGEN_DONT_INLINE void carefully(Index v, Tally& tally) const {
    const CarefulNorm look = careful_norm(vectors(), v);
    if (!look.finite) {
      ++tally.nonfinite;
      return;
    }
    tally.largest_norm = (std::max)(tally.largest_norm, unscaled(look.norm));
    if (rule_.satisfied(look.norm)) return;
    const ScaledNumber factor = rule_.factor(look.norm);
    if (careful_rescale(vectors(), v, factor)) {
      ++tally.changed;
      changed_(v, factor);
    }
  }

  // Copies, so that who makes a pass may keep its own in registers.
  const View view_;
  const NormRule<Scalar> rule_;
  Changed changed_;
  const Refresher& refresh_;
  const Joint& joint_;
};

// Applies a rule to all vectors of a view, whose sizes the compiler knows if they are `Fixed`.
template <bool Fixed = false, class View, class Changed = MarkChanged, class Joint = NoBias>
EIGEN_ALWAYS_INLINE Report constrain_all(const View& view,
                                         const NormRule<typename View::Scalar>& rule,
                                         const Changed& changed = Changed(),
                                         const Joint& joint = no_bias) {
  using Scalar = typename View::Scalar;
  if constexpr (is_strided<View> && is_native<Scalar>) {
    Report report;
    if (constrain_at_once<Fixed>(view, rule, changed, joint, report)) return report;
  }
  return NormPass<View, Changed, Joint>(view, rule, changed, no_refresh<Scalar>, joint).all();
}

}  // namespace rein::detail
