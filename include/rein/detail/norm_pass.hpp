#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

// One family of kernels for every grouping. Vectors that lie along the memory, or in runs of at
// least `long_run` entries, are taken one after another. Vectors that lie across it are taken
// together in blocks of lanes, so that memory is walked in its own order: a lane is one place in
// the part of a row of memory that belongs to a block, and a vector is `inner` adjacent lanes.

namespace rein::detail {

// From this many adjacent entries on, a vector is worth taking on its own.
inline constexpr Index long_run = 64;

// Lanes to a block: sums and lost bits of 2048 doubles are 32 KiB, which stay in the cache beside
// the weights.
inline constexpr Index block_lanes = 2048;

// Reals converted at a time where the memory does not hold them as such.
template <class Real>
inline constexpr Index chunk_size = 256 * packet_size<Real>;

template <class View>
inline constexpr bool is_strided = false;
template <class Entry>
inline constexpr bool is_strided<StridedView<Entry>> = true;

template <class Scalar>
auto* as_reals(Scalar* x) {
  using Real = typename ScalarTraits<std::remove_const_t<Scalar>>::Real;
  return reinterpret_cast<std::conditional_t<std::is_const_v<Scalar>, const Real*, Real*>>(x);
}

// Writes n entries as Reals.
template <class Scalar>
void load(const Scalar* x, Index stride, Index n, typename ScalarTraits<Scalar>::Real* reals) {
  using Traits = ScalarTraits<Scalar>;
  for (Index i = 0; i < n; ++i) {
    if constexpr (Traits::components == 2) {
      reals[2 * i] = x[i * stride].real();
      reals[2 * i + 1] = x[i * stride].imag();
    } else {
      reals[i] = static_cast<typename Traits::Real>(x[i * stride]);
    }
  }
}

// Takes vectors that lie along the memory one after another.
template <class Entry>
class AlongVectors {
  using Scalar = std::remove_const_t<Entry>;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  // Short vectors are taken packet_size at a time, so that their packets are added up together.
  static constexpr Index group = packet_size<Real>;

  explicit AlongVectors(const StridedView<Entry>& view)
      : view_(view), native_(is_native<Scalar> && view.inner_stride == 1) {}

  bool are_short() const {
    return native_ && view_.outer == 1 &&
           view_.inner * Traits::components <= longest_short_vector<Real>;
  }

  // Whether scaling can go along with summing.
  bool native() const { return native_; }

  // The sums of squares of the short vectors [first, first + count).
  void square_sums(Index first, Index count, Real* sums) const {
    Packet<Real> packets[group];
    for (Index k = 0; k < group; ++k) {
      const Index v = first + (std::min)(k, count - 1);
      packets[k] = short_square_sum(as_reals(view_.at(0, v)), view_.inner * Traits::components);
    }
    Eigen::internal::pstoreu(sums, sums_over_lanes<Real>(packets));
  }

  // The sum of squares of vector v.
  Real square_sum(Index v) const {
    return square_sum(v, [](Index, Index, Index) {});
  }

  // The same, while the entries of vector `last` are multiplied by a factor, part by part. That
  // takes 1.2 times a scale pass in the cache, where one after the other takes 1.7 times.
  Real square_sum_and_scale(Index v, Index last, Real factor) const {
    return square_sum(
        v, [=, this](Index o, Index i, Index n) { scale_run(view_.at(o, last) + i, n, factor); });
  }

  void scale(Index v, Real factor) const {
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
  template <class Beside>
  Real square_sum(Index v, const Beside& beside) const {
    SquareSum<Real> sum;
    for (Index o = 0; o < view_.outer; ++o) {
      const Scalar* run = view_.at(o, v);
      if (native_) {
        sum.add(as_reals(run), view_.inner * Traits::components, [&](Index i, Index n) {
          beside(o, i / Traits::components, n / Traits::components);
        });
      } else {
        constexpr Index step = chunk_size<Real> / Traits::components;
        Real converted[chunk_size<Real>];
        for (Index i = 0; i < view_.inner; i += step) {
          const Index n = (std::min)(step, view_.inner - i);
          load(run + i * view_.inner_stride, view_.inner_stride, n, converted);
          sum.add(converted, n * Traits::components, [](Index, Index) {});
        }
      }
    }
    return sum.total();
  }

  const StridedView<Entry>& view_;
  bool native_;
};

// The vectors [first, first + vectors) of a view, taken together.
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

  LaneBlock(const StridedView<Entry>& view, Index first, Index vectors)
      : view_(view),
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

  // The sum of squares of the block's vector k, after sum_squares().
  Real square_sum(Index k) const {
    Real sum = sums_[k * width_];
    Real lost = losts_[k * width_];
    for (Index lane = k * width_ + 1; lane < (k + 1) * width_; ++lane) {
      add_keeping_error(sum, lost, sums_[lane]);
      lost += losts_[lane];
    }
    return sum + lost;
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

  Entry& entry(Index o, Index lane) const {
    const Index place = lane / Traits::components;
    return view_.entry(o, first_ + place / view_.inner, place % view_.inner);
  }

  template <int Count>
  void add(Index o) {
    if (is_native<Scalar> && adjacent_) {
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
  Index first_, width_, lanes_;
  bool adjacent_;
  Index runs_ = 0;
  Real sums_[block_lanes];  // of squares; then the factors
  Real losts_[block_lanes];
  Lane run_begin_[block_lanes / 2], run_end_[block_lanes / 2];
};

// Whether vectors are taken one after another, or together in blocks.
template <class Entry>
bool lies_along(const StridedView<Entry>& view) {
  return view.inner >= long_run || (view.outer == 1 && view.inner > 1);
}

// Calls visit(first, vectors) for blocks that make up the vectors [begin, end).
template <class Entry, class Visit>
void for_each_block(const StridedView<Entry>& view, Index begin, Index end, const Visit& visit) {
  const Index width = LaneBlock<Entry>::lanes_per_vector(view);
  const Index step = width == 1 ? block_lanes : block_lanes / width;
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
    const AlongVectors<Entry> vectors(view);
    if (vectors.are_short()) {
      constexpr Index group = AlongVectors<Entry>::group;
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
      LaneBlock block(view, first, vectors);
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

// Applies a rule to vectors of a view. `changed(v, factor)` is told of every rescaled vector; the
// factor is a Real or a ScaledNumber.
template <class View, class Changed>
class NormPass {
  using Scalar = typename View::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;

 public:
  NormPass(const View& view, const NormBand& band, Changed& changed)
      : view_(view), rule_(band, view.length()), changed_(changed) {}

  // The vectors [begin, end).
  Report operator()(Index begin, Index end) {
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
    using Vectors = AlongVectors<typename View::Scalar>;
    const Vectors vectors(view_);
    if (vectors.are_short()) {
      Real sums[Vectors::group];
      for (Index first = begin; first < end; first += Vectors::group) {
        const Index count = (std::min)(Vectors::group, end - first);
        vectors.square_sums(first, count, sums);
        for (Index k = 0; k < count; ++k) {
          Real factor;
          if (needs(first + k, sums[k], factor)) vectors.scale(first + k, factor);
        }
      }
      return;
    }
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
      LaneBlock block(view_, first, vectors);
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
    if (factor == 1) return false;
    ++report_.changed;
    changed_(v, factor);
    return true;
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
  Report report_;
  Real largest_square_ = 0;
};

}  // namespace rein::detail
