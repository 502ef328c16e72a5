#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/across.hpp>
#include <rein/detail/after_projection.hpp>
#include <rein/detail/check_constraint.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/detail/entries.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/norm_pass.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/prefetch.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>
#include <rein/grouping.hpp>
#include <rein/momentum.hpp>

// What the optimizers share: an update of weights and state, element by element, a chunk at a time.

namespace rein::detail {

// Entries to a chunk: weights, gradient and state of 1024 doubles stay in a 48 KiB cache.
inline constexpr Index step_chunk = 1024;

template <class Real>
using Chunk = Eigen::Map<Eigen::Array<Real, Eigen::Dynamic, 1>>;

// n entries of row j (or column j), as a column.
template <bool RowMajor, class X>
auto piece(X& x, Index j, Index begin, Index n) {
  if constexpr (RowMajor) {
    return x.row(j).segment(begin, n).transpose();
  } else {
    return x.col(j).segment(begin, n);
  }
}

template <class X>
auto as_array(const X& x) {
  if constexpr (std::is_same_v<typename Eigen::internal::traits<X>::XprKind, Eigen::ArrayXpr>) {
    return x;
  } else {
    return x.array();
  }
}

// Entries that lie in memory as Reals, in the order of the weights' storage.
template <class X>
class ChunksInMemory {
  using Pointer = decltype(first_entry(std::declval<X&>()));

 public:
  explicit ChunksInMemory(X& x)
      : data_(first_entry(x)),
        stride_(x.outerStride()),
        contiguous_(x.size() == 0 || stride_ == x.innerSize() || x.outerSize() <= 1) {}

  bool contiguous() const { return contiguous_; }

  class Opened {
   public:
    explicit Opened(Pointer x) : x_(x) {}
    auto* reals() { return as_reals(x_); }
    void store() {}

   private:
    Pointer x_;
  };

  // State that is not in use is empty, and gives a null pointer.
  Opened open(Index j, Index begin, Index) const {
    return Opened(data_ == nullptr ? nullptr : data_ + j * stride_ + begin);
  }

  // Asks for the entries from this one on.
  void prefetch(Index j, Index begin) const {
    if (data_ == nullptr) return;
    prefetch_from(reinterpret_cast<std::intptr_t>(data_ + j * stride_ + begin));
  }

 private:
  Pointer data_;
  Index stride_;
  bool contiguous_;
};

// Any other entries, by way of a buffer.
template <class X, bool RowMajor>
class ChunksInBuffer {
  using Entry = std::remove_const_t<X>;
  using Scalar = typename Entry::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;

 public:
  explicit ChunksInBuffer(X& x) : x_(x) {}

  bool contiguous() const { return false; }

  // Entries [begin, begin + n) of row (or column) j, until it goes.
  class Opened {
   public:
    Opened(X& x, Index j, Index begin, Index n) : x_(x), j_(j), begin_(begin), n_(n) {
      if (x_.size() == 0) return;
      const auto entries = as_array(piece<RowMajor>(x_, j, begin, n));
      if constexpr (is_native<Scalar>) {
        Scalars(reinterpret_cast<Scalar*>(buffer_), n) = entries;
      } else {
        Chunk<Real>(buffer_, n) = entries.template cast<Real>();
      }
    }

    Real* reals() { return x_.size() == 0 ? nullptr : buffer_; }

    // Writes back what was changed in the buffer.
    void store() {
      if (x_.size() == 0) return;
      auto entries = piece<RowMajor>(x_, j_, begin_, n_);
      if constexpr (is_native<Scalar>) {
        entries.array() = Scalars(reinterpret_cast<Scalar*>(buffer_), n_);
      } else {
        entries.array() = Chunk<Real>(buffer_, n_).template cast<Scalar>();
      }
    }

   private:
    using Scalars = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;

    X& x_;
    Index j_, begin_, n_;
    Real buffer_[step_chunk];
  };

  Opened open(Index j, Index begin, Index n) const { return Opened(x_, j, begin, n); }

  void prefetch(Index, Index) const {}

 private:
  X& x_;
};

template <class X, bool RowMajor>
inline constexpr bool are_chunks_in_memory = (has_strides<X> && is_native<typename X::Scalar> &&
                                              bool(X::IsRowMajor) == RowMajor &&
                                              X::InnerStrideAtCompileTime == 1);

// Gives chunks of an expression's entries as Reals.
template <class X, bool RowMajor>
using ChunkSource = std::conditional_t<are_chunks_in_memory<X, RowMajor>, ChunksInMemory<X>,
                                       ChunksInBuffer<X, RowMajor>>;

// Calls update(vectors, reals, notes, w, g, state...) with the numbers of opened chunks, and stores
// what it wrote.
template <class Entries, class Update, class Notes, class W, class G, class... State>
void update_chunk(const Update& update, Index vectors, Index reals, Notes* notes, W&& w, G&& g,
                  State&&... state) {
  // Where g++ 12 knows this number, it warns of packets beyond it that are never read.
  if constexpr (Entries::SizeAtCompileTime != Eigen::Dynamic) EIGEN_OPTIMIZATION_BARRIER(reals)
  update(vectors, reals, notes, w.reals(), g.reals(), state.reals()...);
  w.store();
  (state.store(), ...);
}

// Calls update(vectors, n, notes, w, g, state...) with pointers to n adjacent Reals for each
// vector, for all entries of the weights, a chunk at a time; a complex entry is two Reals. The
// notes are the vectors' sums of squares, or the extremes of all.
template <class W, class G, class Update, class... State>
class StepWalk {
  using Scalar = typename W::Scalar;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;
  static constexpr bool row_major = W::IsRowMajor;
  static constexpr Index step = step_chunk / Traits::components;

 public:
  StepWalk(W& weights, const G& gradient, const Update& update, State&... state)
      : weights_(weights), update_(update), w_(weights), g_(gradient), state_(state...) {
    const bool joined = w_.contiguous() && g_.contiguous() &&
                        std::apply([](auto&... s) { return (s.contiguous() && ...); }, state_);
    slices_ = joined ? 1 : weights.outerSize();
    length_ = joined ? weights.size() : weights.innerSize();
    from_memory_ = bytes() > cached;
  }

  // Whether the weights' entries can be updated as they come up in memory.
  static constexpr bool in_memory = are_chunks_in_memory<W, row_major>;

  // Updates all entries, by more than one thread where that pays.
  void all() const {
    if (slices_ == 1) {
      in_parallel(length_, step_chunk, bytes(),
                  [&](Index begin, Index end) { slice(0, begin, end - begin); });
    } else {
      in_parallel(slices_, 1, bytes(), [&](Index begin, Index end) {
        for (Index j = begin; j < end; ++j) slice(j, 0, length_);
      });
    }
  }

  // The same, with each chunk clamped as it has been updated, unless its extremes say that no entry
  // is outside: to look for one afterwards took Adam 1.2 times as long, SGD 1.4 to 1.6 times.
  Report all(const EntryClamp<Scalar>& clamp) const {
    const auto update = [&](Index j, Index begin, Index end) {
      Report report;
      for (Index n; begin < end; begin += n) {
        n = (std::min)(step, end - begin);
        Extremes<Real> extremes;
        chunk(j, begin, 1, n, &extremes);
        if (clamp.satisfied(extremes)) {
          report.checked += n;
        } else {
          report += clamp(weights_.data() + j * weights_.outerStride() + begin, 1, n);
        }
      }
      return report;
    };
    if (slices_ == 1) {
      return report_in_parallel(length_, step_chunk, bytes(),
                                [&](Index begin, Index end) { return update(0, begin, end); });
    }
    return report_in_parallel(slices_, 1, bytes(), [&](Index begin, Index end) {
      Report report;
      for (Index j = begin; j < end; ++j) report += update(j, 0, length_);
      return report;
    });
  }

  // Updates so many vectors of n entries each, one after the other in the weights' own order, the
  // first one at x, and gives the sums of their new squares. Memory is not to rest while these are
  // summed: without asking for what comes next, SGD with a constraint that none violates took 1.2
  // to 1.4 times as long as without the constraint, from memory; with it 1.04 to 1.2. In a cache it
  // is the other way round: 256 x 256 floats with Adam 1.25 times as long with it, 1.13 without.
  void operator()(const Scalar* x, Index vectors, Index n, Real* square_sums) const {
    const Index offset = x - weights_.data();
    Index j = slices_ == 1 ? 0 : offset / weights_.outerStride();
    Index begin = slices_ == 1 ? offset : offset % weights_.outerStride();
    if (n <= step && begin + vectors * n <= length_) {
      for (Index k = 0, count; k < vectors; k += count, begin += count * n) {
        count = (std::min)(step / n, vectors - k);
        chunk(j, begin, count, n, square_sums + k);
      }
    } else {
      for (Index k = 0; k < vectors; ++k) {
        square_sums[k] = 0;
        for (Index rest = n; rest > 0;) {
          if (begin == length_) ++j, begin = 0;
          const Index part = (std::min)(rest, length_ - begin);
          square_sums[k] += slice(j, begin, part);
          rest -= part;
          begin += part;
        }
      }
    }
    if (from_memory_ && begin < length_) prefetch(j, begin);
  }

 private:
  // Weights of up to so many bytes, with their gradient and state, stay in a cache.
  static constexpr Index cached = 1 << 20;

  Index bytes() const { return slices_ * length_ * static_cast<Index>(sizeof(Scalar)); }

  void prefetch(Index j, Index begin) const {
    w_.prefetch(j, begin);
    g_.prefetch(j, begin);
    std::apply([&](const auto&... state) { (state.prefetch(j, begin), ...); }, state_);
  }

  // Entries [begin, begin + n) of row (or column) j.
  Real slice(Index j, Index begin, Index n) const {
    Real square_sum = 0;
    for (const Index end = begin + n; begin < end; begin += step) {
      Real of_chunk;
      chunk(j, begin, 1, (std::min)(step, end - begin), &of_chunk);
      square_sum += of_chunk;
    }
    return square_sum;
  }

  template <class Notes>
  void chunk(Index j, Index begin, Index vectors, Index n, Notes* notes) const {
    const Index size = vectors * n;
    std::apply(
        [&](const auto&... state) {
          update_chunk<W>(update_, vectors, n * Traits::components, notes, w_.open(j, begin, size),
                          g_.open(j, begin, size), state.open(j, begin, size)...);
        },
        state_);
  }

  W& weights_;
  const Update& update_;
  ChunkSource<W, row_major> w_;
  ChunkSource<const G, row_major> g_;
  std::tuple<ChunkSource<State, row_major>...> state_;
  Index slices_, length_;
  bool from_memory_;
};

// Calls update as StepWalk does, for the listed rows of the weights; row k of the gradient is that
// of row rows[k].
template <class W, class Rows, class G, class Update, class... State>
void step_listed_rows(W& weights, const Rows& rows, const G& gradient, const Update& update,
                      State&... state) {
  using Scalar = typename W::Scalar;
  constexpr Index components = ScalarTraits<Scalar>::components;
  constexpr Index step = step_chunk / components;
  const Index cols = weights.cols();
  const Index bytes = rows.size() * cols * static_cast<Index>(sizeof(Scalar));
  in_parallel(rows.size(), 1, bytes, [&](Index first, Index last) {
    for (Index k = first; k < last; ++k) {
      for (Index begin = 0; begin < cols; begin += step) {
        const Index n = (std::min)(step, cols - begin);
        typename ScalarTraits<Scalar>::Real square_sum;
        update_chunk<W>(update, 1, n * components, &square_sum,
                        ChunkSource<W, true>(weights).open(rows[k], begin, n),
                        ChunkSource<const G, true>(gradient).open(k, begin, n),
                        ChunkSource<State, true>(state).open(rows[k], begin, n)...);
      }
    }
  });
}

// Whether the norms that a constraint needs can be summed while a step updates the weights.
template <class C>
concept NormConstraint = GroupedConstraint<C> &&(HasBand<C> || HasBandForLength<C>);

// Whether a constraint is a pair of bounds for each entry.
template <class C>
concept EntryConstraint = requires(const C& constraint) {
  { constraint.bounds() } -> std::same_as<EntryBounds>;
};

template <class C>
concept RowNormConstraint = NormConstraint<C> && requires(const C& constraint) {
  requires std::is_same_v<std::remove_cvref_t<decltype(constraint.grouping())>, PerRow>;
};

inline Index vectors_of(PerRow, Index rows, Index) { return rows; }
inline Index vectors_of(PerCol, Index, Index cols) { return cols; }
inline Index vectors_of(Whole, Index, Index) { return 1; }
inline Index vectors_of(const PerFilter& kernel, Index rows, Index cols) {
  return (std::min)(kernel.filters, rows * cols);  // what does not fit is refused by a step
}

// How many vectors a constraint may change in weights of a shape. Refuses an option that needs to
// know which ones, where the constraint does not tell.
template <class C>
Index vectors_to_mark(const char* owner, Momentum after_projection,
                      [[maybe_unused]] const C& constraint, [[maybe_unused]] Index rows,
                      [[maybe_unused]] Index cols) {
  if constexpr (NormConstraint<C>) {
    return vectors_of(constraint.grouping(), rows, cols);
  } else {
    if (after_projection != Momentum::keep && !std::is_same_v<C, Unconstrained>) {
      invalid_argument(
          owner, {"after_projection is ", after_projection == Momentum::reset ? "reset" : "tangent",
                  "; it must be keep unless the constraint is one of norms, such as MaxNorm"});
    }
    return 0;
  }
}

// Updates the weights and applies the constraint: in one pass over memory where the constraint is
// one of norms or entries, else one after the other. The weights come out the same to the bit.
template <class W, class Walk, class C, class State>
Report step_and_constrain(W& weights, const Walk& walk, C& constraint,
                          [[maybe_unused]] AfterProjection& after,
                          [[maybe_unused]] State& momentum) {
  if constexpr (NormConstraint<C>) {
    const auto view = make_view(weights, constraint.grouping());
    const auto rule = rule_for(constraint, view);
    using Pass = NormPass<std::remove_const_t<decltype(view)>, MarkChanged>;
    typename Pass::Refresher refresh;
    if constexpr (Walk::in_memory) {
      // Of a few weights, all are first updated: group by group, as their norms are summed, rows of
      // 64 x 64 floats took SGD 1.05 to 1.15 times as long, columns of 32 x 32 1.1 to 1.7 times. Of
      // longer columns the step sums the squares.
      constexpr Index worth_a_sum = 64;
      const bool fused = view.vectors * view.length() > most_at_once ||
                         (lies_along(view) && view.length() >= worth_a_sum);
      if (fused) refresh = typename Pass::Refresher(&walk);
    }
    if (!refresh) walk.all();
    const Pass pass(view, rule, after.mark(), refresh);
    const Report report = pass.all();
    after.template treat<W>(view, momentum, report.changed);
    return report;
  } else if constexpr (EntryConstraint<C> && Walk::in_memory) {
    return walk.all(EntryClamp<typename W::Scalar>(constraint.bounds()));
  } else {
    walk.all();
    return apply_constraint(constraint, weights);
  }
}

// Applies the constraint after a step of the listed rows: to these where it is one of the rows'
// norms, else to all weights.
template <class W, class Rows, class C, class State>
Report constrain_listed_rows(W& weights, [[maybe_unused]] const Rows& rows, C& constraint,
                             [[maybe_unused]] AfterProjection& after,
                             [[maybe_unused]] State& momentum) {
  if constexpr (NormConstraint<C>) {
    const auto view = make_view(weights, constraint.grouping());
    const auto rule = rule_for(constraint, view);
    const NormPass pass(view, rule, after.mark());
    Report report;
    if constexpr (RowNormConstraint<C>) {
      for (Index k = 0; k < rows.size(); ++k) report += pass.some(rows[k], rows[k] + 1);
      after.template treat_listed<W>(view, momentum, rows);
    } else {
      report = pass.all();
      after.template treat<W>(view, momentum, report.changed);
    }
    return report;
  } else {
    return apply_constraint(constraint, weights);
  }
}

// Whether each entry of an expression depends on the entries at its own place alone, so that it can
// be read in pieces while the weights, which it may hold, change elsewhere.
template <class X>
inline constexpr bool is_entrywise = has_strides<X>;
template <class X>
inline constexpr bool is_entrywise<const X> = is_entrywise<X>;
template <class Op, class A>
inline constexpr bool is_entrywise<Eigen::CwiseUnaryOp<Op, A>> = is_entrywise<A>;
template <class Op, class A, class B>
inline constexpr bool is_entrywise<Eigen::CwiseBinaryOp<Op, A, B>> =
    is_entrywise<A>&& is_entrywise<B>;
template <class Op, class A>
inline constexpr bool is_entrywise<Eigen::CwiseNullaryOp<Op, A>> = true;
template <class A>
inline constexpr bool is_entrywise<Eigen::Transpose<A>> = is_entrywise<A>;
template <class A>
inline constexpr bool is_entrywise<Eigen::ArrayWrapper<A>> = is_entrywise<A>;
template <class A>
inline constexpr bool is_entrywise<Eigen::MatrixWrapper<A>> = is_entrywise<A>;

// A gradient as it can be read in pieces: products, reductions and the like are evaluated first,
// once.
template <class G>
using GradientValue = std::conditional_t<is_entrywise<G>, const G&, const typename G::PlainObject>;

// Whether a matrix has entries in the weights' memory; where `same_place` is allowed, other than at
// their places. Blocks of one matrix overlap in columns and in rows, or not at all; other matrices
// with an address between the first and the last of the weights' count as overlapping.
template <class X, class W>
bool overlaps(const X& x, const W& w, bool same_place) {
  if (x.size() == 0 || w.size() == 0) return false;
  const bool same_strides = x.rowStride() == w.rowStride() && x.colStride() == w.colStride();
  const auto begin = [](const auto& m) { return reinterpret_cast<std::uintptr_t>(m.data()); };
  if (same_place && same_strides && begin(x) == begin(w)) return false;
  const auto end = [](const auto& m) {
    return reinterpret_cast<std::uintptr_t>(m.data() + (m.rows() - 1) * m.rowStride() +
                                            (m.cols() - 1) * m.colStride() + 1);
  };
  if (end(x) <= begin(w) || end(w) <= begin(x)) return false;
  if (!same_strides || w.innerStride() != 1 || w.outerStride() < w.innerSize()) return true;
  const Index stride = w.outerStride() * static_cast<Index>(sizeof(typename W::Scalar));
  const Index apart = (static_cast<Index>(begin(x) - begin(w)) % stride + stride) % stride;
  return apart < w.innerSize() * static_cast<Index>(sizeof(typename W::Scalar)) ||
         apart + x.innerSize() * static_cast<Index>(sizeof(typename W::Scalar)) > stride;
}

// The matrix in whose memory an expression's entries lie, where they have no strides of their own.
template <class W>
const auto& in_memory(const W& w) {
  if constexpr (has_strides<W>) {
    return w;
  } else {
    return in_memory(w.nestedExpression());
  }
}

// Whether an expression, read entry by entry, would see weights at other places that are written
// by then: (W + W.transpose()) does, 0.1 * W does not.
template <class X, class W>
bool reads_elsewhere(const X& x, const W& w, bool same_place = true) {
  if constexpr (has_strides<X>) {
    return overlaps(x, w, same_place);
  } else if constexpr (requires { x.lhs(); }) {
    return reads_elsewhere(x.lhs(), w, same_place) || reads_elsewhere(x.rhs(), w, same_place);
  } else if constexpr (requires { x.nestedExpression(); }) {
    constexpr bool turned = bool(X::IsRowMajor) !=
                            bool(std::remove_cvref_t<decltype(x.nestedExpression())>::IsRowMajor);
    return reads_elsewhere(x.nestedExpression(), w, same_place && !turned);
  } else {
    return false;
  }
}

// Refuses a gradient that lies in the weights' memory, or reads it out of place; where the gradient
// is one of listed rows, its entries have no place in the weights.
template <class G, class W>
void require_apart(const char* owner, const G& gradient, const W& weights, bool same_rows = true) {
  if constexpr (is_entrywise<G>) {
    const bool same_place = same_rows && !has_strides<G> && has_strides<W>;
    if (reads_elsewhere(gradient, in_memory(weights), same_place)) {
      invalid_argument(owner, {"the gradient lies in the weights' memory; it must have its own, or "
                               "be evaluated first: .eval()"});
    }
  }
}

template <class Parameter, class X>
concept SameScalar = std::is_same_v < typename Dense<X>::Scalar,
typename Parameter::Scalar > ;

// Whether what is known of two sizes while compiling lets them be the same.
constexpr bool may_be_equal(int a, int b) {
  return a == Eigen::Dynamic || b == Eigen::Dynamic || a == b;
}

// Whether X may have the parameter's columns and this many rows. A row is not a column, though both
// may have the size 1 x 1.
template <class X, class Parameter, int Rows>
constexpr bool may_have_shape() {
  constexpr int rows = X::RowsAtCompileTime, cols = X::ColsAtCompileTime;
  constexpr int parameter_cols = Parameter::ColsAtCompileTime;
  constexpr bool turned = (rows == 1 && cols != 1 && parameter_cols == 1 && Rows != 1) ||
                          (cols == 1 && rows != 1 && Rows == 1 && parameter_cols != 1);
  return may_be_equal(rows, Rows) && may_be_equal(cols, parameter_cols) && !turned;
}

// Where the gradient is one of listed rows, GradientRows is Eigen::Dynamic.
template <class Parameter, class W, class G, class C, int GradientRows>
concept CanStep = Weights<W> && SameScalar<Parameter, W> && SameScalar<Parameter, G> &&
    may_have_shape<Dense<W>, Parameter, Parameter::RowsAtCompileTime>() &&
    may_have_shape<G, Parameter, GradientRows>() && Constraint<C, Dense<W>>;

// States in a sentence each what a step asks for, and says whether it can be done.
template <class Parameter, class W, class G, class C,
          int GradientRows = Parameter::RowsAtCompileTime>
constexpr bool explain_step() {
  explain_weights<W>();
  if constexpr (Weights<W>) {
    constexpr int rows = Parameter::RowsAtCompileTime;
    constexpr bool weights_scalar = SameScalar<Parameter, W>;
    constexpr bool gradient_scalar = SameScalar<Dense<W>, G>;
    static_assert(weights_scalar,
                  "rein: the weights must have the scalar that the optimizer was made for");
    static_assert(may_have_shape<Dense<W>, Parameter, rows>(),
                  "rein: the weights must have the shape that the optimizer was made for");
    static_assert(gradient_scalar, "rein: the gradient must have the weights' scalar");
    static_assert(
        may_have_shape<G, Parameter, GradientRows>(),
        "rein: the gradient must have the weights' shape; that of listed rows, their columns");
    explain_constraint<C, Dense<W>>();
  }
  return CanStep<Parameter, W, G, C, GradientRows>;
}

// Refuses a matrix of another shape than the optimizer's.
[[noreturn]] inline void refuse_shape(const char* owner, const char* argument, Index rows,
                                      Index cols, Index wanted_rows, Index wanted_cols) {
  invalid_argument(owner, {"the shape of ", argument, " is ", shape(rows, cols),
                           "; it must be that of the weights at construction, ",
                           shape(wanted_rows, wanted_cols)});
}
template <class X>
void require_shape(const char* owner, const char* argument, const X& x, Index rows, Index cols) {
  if (x.rows() != rows || x.cols() != cols) {
    refuse_shape(owner, argument, x.rows(), x.cols(), rows, cols);
  }
}

// Refuses rows that do not fit the weights of the optimizer's shape.
template <class W, class G, class Rows>
void require_rows(const char* owner, const W& weights, const G& gradient, const Rows& rows,
                  Index weight_rows, Index cols) {
  if (gradient.rows() != rows.size() || gradient.cols() != cols) {
    invalid_argument(owner,
                     {"the shape of the gradient rows is ", shape(gradient.rows(), gradient.cols()),
                      "; it must be the number of indices times that of the weights' columns, ",
                      shape(rows.size(), cols)});
  }
  rows.check(weight_rows, owner);
  require_apart(owner, gradient, weights, false);
}

// gradient (negated to maximize) + decay * w.
template <class P, class Real>
P with_decay(const P& gradient, const P& w, bool maximize, Real decay) {
  using namespace Eigen::internal;
  const P g = maximize ? pnegate(gradient) : gradient;
  return decay == 0 ? g : add_product(pset1<P>(decay), w, g);
}

}  // namespace rein::detail
