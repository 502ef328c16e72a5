#pragma once

#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/after_projection.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/step.hpp>
#include <rein/momentum.hpp>
#include <rein/only.hpp>

namespace rein {

/// The hyperparameters of Sgd, with PyTorch's names and meanings.
struct SgdOptions {
  double learning_rate = 0.01;  ///< finite, >= 0
  double momentum = 0;          ///< finite, >= 0
  double dampening = 0;         ///< finite
  double weight_decay = 0;  ///< finite, >= 0: an L2 penalty, the gradient gains weight_decay * w
  bool nesterov = false;    ///< needs momentum > 0 and dampening == 0
  bool maximize = false;    ///< climbs along the gradient instead
  Momentum after_projection = Momentum::keep;  ///< reset, tangent: with a norm constraint or none
};

namespace detail {

inline void check_options(const SgdOptions& o) {
  require(is_finite(o.learning_rate) && o.learning_rate >= 0, "Sgd", "learning_rate",
          o.learning_rate, "a finite number >= 0");
  require(is_finite(o.momentum) && o.momentum >= 0, "Sgd", "momentum", o.momentum,
          "a finite number >= 0");
  require(is_finite(o.dampening), "Sgd", "dampening", o.dampening, "a finite number");
  require(is_finite(o.weight_decay) && o.weight_decay >= 0, "Sgd", "weight_decay", o.weight_decay,
          "a finite number >= 0");
  require(!o.nesterov || o.momentum > 0, "Sgd", "momentum", o.momentum, "> 0 with nesterov");
  require(!o.nesterov || o.dampening == 0, "Sgd", "dampening", o.dampening, "0 with nesterov");
}

// The update of one step; `first` starts the momentum buffer.
template <class Real>
class SgdUpdate {
 public:
  SgdUpdate(const SgdOptions& o, bool first)
      : maximize_(o.maximize),
        nesterov_(o.nesterov),
        has_momentum_(o.momentum != 0),
        first_(first),
        rate_(static_cast<Real>(o.learning_rate)),
        momentum_(static_cast<Real>(o.momentum)),
        fresh_(static_cast<Real>(1 - o.dampening)),
        decay_(static_cast<Real>(o.weight_decay)) {}

  // Compiled once for float and once for double. Updates so many vectors of n numbers each, and
  // notes the sums of their new squares, or the extremes of all their numbers.
  template <class Notes>
  EIGEN_DONT_INLINE void operator()(Index vectors, Index n, Notes* notes, Real* weights,
                                    const Real* gradient, Real* momentum) const {
    using namespace Eigen::internal;
    update_and_note(vectors, n, notes, [=, *this]<class P>(Index i, P) {
      const P w = ploadu<P>(weights + i);
      const P g = with_decay(ploadu<P>(gradient + i), w, maximize_, decay_);
      P direction = g;
      if (has_momentum_) {
        const P kept = pset1<P>(momentum_);
        P buffer = g;
        if (!first_) {
          buffer = add_product(kept, ploadu<P>(momentum + i), pmul(pset1<P>(fresh_), g));
        }
        pstoreu(momentum + i, buffer);
        direction = nesterov_ ? add_product(kept, buffer, g) : buffer;
      }
      const P updated = add_product(pset1<P>(-rate_), direction, w);
      pstoreu(weights + i, updated);
      return updated;
    });
  }

 private:
  bool maximize_, nesterov_, has_momentum_, first_;
  Real rate_, momentum_, fresh_, decay_;
};

}  // namespace detail

/// Stochastic gradient descent for one parameter, with a constraint applied after each step.
///
///     g <- gradient (negated to maximize) + weight_decay * w
///     buffer <- g at the first step, momentum * buffer + (1 - dampening) * g later
///     w <- w - learning_rate * d,  where d is g without momentum, buffer with momentum,
///                                  and g + momentum * buffer with nesterov
///
/// as in torch.optim.SGD. The object takes the parameter's shape and scalar at construction and
/// keeps no reference to it. Bad options and other shapes are refused with std::invalid_argument,
/// and then nothing is written.
///
///     rein::Sgd sgd{W, {.learning_rate = 0.1}, rein::MaxNorm{3.0, rein::per_row}};
///     rein::Report r = sgd.step(W, gradient);
template <class Parameter, class C = Unconstrained>
class Sgd {
  using Real = typename detail::ScalarTraits<typename Parameter::Scalar>::Real;

 public:
  template <class W>
  explicit Sgd(const Eigen::DenseBase<W>& weights, const SgdOptions& options = {},
               C constraint = {})
      : rows_(weights.rows()),
        cols_(weights.cols()),
        options_(options),
        constraint_(std::move(constraint)) {
    detail::explain_weights<Parameter&>();
    detail::check_options(options_);
    const Eigen::Index vectors = vectors_to_mark();
    momentum_.setZero();  // where its size is fixed
    if (has_momentum()) momentum_.setZero(rows_, cols_);
    prepare_projection(vectors);
  }

  /// Updates the weights in place and applies the constraint. `gradient` is any dense expression of
  /// the parameter's shape and scalar; a matrix in the weights' own memory is refused. Returns the
  /// constraint's report.
  template <class W, class G>
  Report step(W&& weights, const Eigen::DenseBase<G>& gradient) {
    if constexpr (detail::explain_step<Parameter, W, G, C>()) {
      detail::require_shape("Sgd", "the gradient", gradient, rows_, cols_);
      detail::require_apart("Sgd", gradient.derived(), weights);
      const detail::GradientValue<G> value = gradient.derived();
      const detail::SgdUpdate<Real> update = begin_step(weights);
      const detail::StepWalk walk(weights, value, update, momentum_);
      return detail::step_and_constrain(weights, walk, constraint_, after_projection_, momentum_);
    } else {
      return {};
    }
  }

  /// Updates the listed rows alone, from a gradient that has just these: row k of `gradient_rows`
  /// is the gradient of row indices[k] of the weights, as when a batch looks up rows of an
  /// embedding. The other rows keep their bits and their state, whose momentum does not decay, and
  /// get no weight decay. Each call counts as a step; the first one starts the momentum, as in
  /// torch.optim.SGD with a sparse gradient.
  ///
  /// The constraint is applied to the listed rows, and the report is of these, where it is a norm
  /// constraint with per_row; any other one is applied to all weights, as after step(). `indices`
  /// is anything with size() and []; an index that is out of range or listed twice is refused like
  /// a wrong shape. Made for row-major weights: in column-major ones the entries of a row lie
  /// apart.
  ///
  ///     sgd.step_rows(embedding, gradient_rows, batch_rows);
  template <class W, class G, class Indices>
  Report step_rows(W&& weights, const Eigen::DenseBase<G>& gradient_rows, const Indices& indices) {
    if constexpr (detail::explain_step<Parameter, W, G, C, Eigen::Dynamic>()) {
      const auto rows = only(indices);
      detail::require_rows("Sgd", weights, gradient_rows.derived(), rows, rows_, cols_);
      const detail::GradientValue<G> value = gradient_rows.derived();
      const detail::SgdUpdate<Real> update = begin_step(weights);
      detail::step_listed_rows(weights, rows, value, update, momentum_);
      return detail::constrain_listed_rows(weights, rows, constraint_, after_projection_,
                                           momentum_);
    } else {
      return {};
    }
  }

  /// Writable between steps: a learning rate schedule.
  SgdOptions& options() { return options_; }
  const SgdOptions& options() const { return options_; }

  /// Assignable between steps: a schedule of the limit.
  C& constraint() { return constraint_; }
  const C& constraint() const { return constraint_; }

  /// The momentum buffer (empty until momentum is used) and the number of steps done. Assign both
  /// to resume a run; it continues bit for bit.
  Parameter& momentum() { return momentum_; }
  const Parameter& momentum() const { return momentum_; }
  Eigen::Index& steps() { return steps_; }
  Eigen::Index steps() const { return steps_; }

 private:
  bool has_momentum() const { return options_.momentum != 0; }

  // Refuses what does not fit, and counts the step.
  template <class W>
  detail::SgdUpdate<Real> begin_step(W& weights) {
    detail::check_options(options_);
    detail::require_shape("Sgd", "the weights", weights, rows_, cols_);
    if (momentum_.size() != 0) {
      detail::require_shape("Sgd", "momentum()", momentum_, rows_, cols_);
    }
    const Eigen::Index vectors = vectors_to_mark();
    detail::check_constraint(weights, constraint_);
    // The buffer begins with the first step that uses momentum.
    if constexpr (Parameter::SizeAtCompileTime == Eigen::Dynamic) {
      if (!has_momentum() && steps_ == 0) momentum_ = Parameter();
    }
    const bool first = has_momentum() && (steps_ == 0 || momentum_.size() == 0);
    if (has_momentum() && momentum_.size() == 0) momentum_.setZero(rows_, cols_);
    prepare_projection(vectors);
    ++steps_;
    return {options_, first};
  }

  Eigen::Index vectors_to_mark() const {
    return detail::vectors_to_mark("Sgd", options_.after_projection, constraint_, rows_, cols_);
  }

  void prepare_projection(Eigen::Index vectors) {
    const bool in_use = momentum_.size() != 0;
    after_projection_.prepare(in_use ? options_.after_projection : Momentum::keep, vectors);
  }

  Eigen::Index rows_, cols_;
  SgdOptions options_;
  C constraint_;
  Parameter momentum_;
  detail::AfterProjection after_projection_;
  Eigen::Index steps_ = 0;
};

template <class W>
explicit Sgd(const Eigen::DenseBase<W>&) -> Sgd<typename W::PlainObject>;
template <class W>
Sgd(const Eigen::DenseBase<W>&, SgdOptions) -> Sgd<typename W::PlainObject>;
template <class W, class C>
Sgd(const Eigen::DenseBase<W>&, SgdOptions, C) -> Sgd<typename W::PlainObject, C>;

}  // namespace rein
