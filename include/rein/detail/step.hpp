#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <type_traits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

// What the optimizers share: an update of weights and state, element by element, a chunk at a time.

namespace rein::detail {

// Entries to a chunk: weights, gradient and state of 1024 doubles stay in a 48 KiB cache.
inline constexpr Index step_chunk = 1024;

template <class Real>
using Chunk = Eigen::Map<Eigen::Array<Real, Eigen::Dynamic, 1>>;
template <class Real>
using ConstChunk = Eigen::Map<const Eigen::Array<Real, Eigen::Dynamic, 1>>;

// n entries of row j (or column j), as a column.
template <bool RowMajor, class X>
auto piece(X& x, Index j, Index begin, Index n) {
  if constexpr (RowMajor) {
    return x.row(j).segment(begin, n).transpose();
  } else {
    return x.col(j).segment(begin, n);
  }
}

// Gives chunks of an expression as Reals: straight from memory where it holds them so, in the order
// of the weights' storage; else by way of a buffer.
template <class X, bool RowMajor>
class ChunkSource {
  using Entry = std::remove_const_t<X>;
  using Scalar = typename Entry::Scalar;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  static constexpr bool direct = has_strides<X> && is_native<Scalar> &&
                                 bool(Entry::IsRowMajor) == RowMajor &&
                                 Entry::InnerStrideAtCompileTime == 1;

  explicit ChunkSource(X& x) : x_(x) {}

  // Whether rows (or columns) follow each other without a gap.
  bool contiguous() const {
    if constexpr (direct) {
      return x_.outerStride() == x_.innerSize() || x_.outerSize() <= 1;
    } else {
      return false;
    }
  }

  // Entries [begin, begin + n) of row (or column) j.
  auto* open(Index j, Index begin, Index n) {
    if constexpr (direct) {
      using Pointer =
          std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(x_.data())>>,
                             const Real*, Real*>;
      return reinterpret_cast<Pointer>(x_.data() + j * x_.outerStride() + begin);
    } else {
      const auto entries = piece<RowMajor>(x_, j, begin, n).array();
      if constexpr (is_native<Scalar>) {
        Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(reinterpret_cast<Scalar*>(buffer_), n) =
            entries;
      } else {
        Chunk<Real>(buffer_, n) = entries.template cast<Real>();
      }
      return static_cast<Real*>(buffer_);
    }
  }

  // Writes back what open() gave.
  void close(Index j, Index begin, Index n) {
    if constexpr (!direct) {
      auto entries = piece<RowMajor>(x_, j, begin, n);
      if constexpr (is_native<Scalar>) {
        entries.array() = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(
            reinterpret_cast<Scalar*>(buffer_), n);
      } else {
        entries.array() = Chunk<Real>(buffer_, n).template cast<Scalar>();
      }
    }
  }

 private:
  struct Nothing {};

  X& x_;
  std::conditional_t<direct, Nothing, Real[step_chunk]> buffer_;
};

// Calls update(w, g, state...) with arrays of Reals for all entries of the weights, a chunk at a
// time; complex entries are two Reals each.
template <class W, class G, class Update, class... State>
void update_chunks(W& weights, const G& gradient, const Update& update, State&... state) {
  using Scalar = typename W::Scalar;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;
  constexpr bool row_major = W::IsRowMajor;

  ChunkSource<W, row_major> w(weights);
  ChunkSource<const G, row_major> g(gradient);
  std::tuple<ChunkSource<State, row_major>...> states(state...);

  const bool joined = w.contiguous() && g.contiguous() &&
                      (ChunkSource<State, row_major>(state).contiguous() && ...);
  const Index slices = joined ? 1 : weights.outerSize();
  const Index length = joined ? weights.size() : weights.innerSize();
  constexpr Index step = step_chunk / Traits::components;
  for (Index j = 0; j < slices; ++j) {
    for (Index begin = 0; begin < length; begin += step) {
      const Index n = (std::min)(step, length - begin);
      const Index reals = n * Traits::components;
      std::apply(
          [&](auto&... sources) {
            Chunk<Real> w_chunk(w.open(j, begin, n), reals);
            update(w_chunk, ConstChunk<Real>(g.open(j, begin, n), reals),
                   Chunk<Real>(sources.open(j, begin, n), reals)...);
            w.close(j, begin, n);
            (sources.close(j, begin, n), ...);
          },
          states);
    }
  }
}

// A gradient as it can be read in pieces: products and the like are evaluated first, once.
template <class G>
using GradientValue = typename Eigen::internal::nested_eval<G, 1>::type;

template <class Parameter, class X>
concept SameScalar = std::is_same_v < typename Dense<X>::Scalar,
typename Parameter::Scalar > ;

template <class Parameter, class W, class G, class C>
concept CanStep =
    Weights<W> && SameScalar<Parameter, W> && SameScalar<Parameter, G> && Constraint<C, Dense<W>>;

// States in a sentence each what a step asks for.
template <class Parameter, class W, class G, class C>
constexpr void explain_step() {
  explain_weights<W>();
  if constexpr (Weights<W>) {
    static_assert(SameScalar<Parameter, W>,
                  "rein: the weights must have the scalar that the optimizer was made for");
    static_assert(SameScalar<Parameter, G>, "rein: the gradient must have the weights' scalar");
    static_assert(Constraint<C, Dense<W>>,
                  "rein: a constraint must be callable on the weights and return void or Report");
  }
}

// Refuses a matrix of another shape than the optimizer's.
template <class X>
void require_shape(const char* owner, const char* argument, const X& x, Index rows, Index cols) {
  if (x.rows() != rows || x.cols() != cols) {
    invalid_argument(std::string("rein::") + owner + ": the shape of " + argument + " is " +
                     shape(x.rows(), x.cols()) +
                     "; it must be that of the weights at construction, " + shape(rows, cols));
  }
}

// Calls use(g) with g = gradient (negated to maximize) + decay * w.
template <class W, class G, class Real, class Use>
void with_decay(const G& gradient, const W& w, bool maximize, Real decay, const Use& use) {
  if (!maximize && decay == 0) {
    use(gradient);
    return;
  }
  Eigen::Array<Real, Eigen::Dynamic, 1, 0, step_chunk, 1> g(gradient.size());
  const Real sign = maximize ? Real(-1) : Real(1);
  if (decay == 0) {
    g = sign * gradient;
  } else {
    g = sign * gradient + decay * w;
  }
  use(g);
}

}  // namespace rein::detail
