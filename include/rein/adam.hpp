#pragma once

#include <cmath>
#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/after_projection.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/exact_sqrt.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/step.hpp>
#include <rein/momentum.hpp>
#include <rein/only.hpp>

namespace rein {

/// The hyperparameters of Adam, with PyTorch's names and meanings.
struct AdamOptions {
  double learning_rate = 1e-3;          ///< finite, >= 0
  double beta1 = 0.9;                   ///< in [0, 1)
  double beta2 = 0.999;                 ///< in [0, 1)
  double epsilon = 1e-8;                ///< finite, >= 0
  double weight_decay = 0;              ///< finite, >= 0
  bool decoupled_weight_decay = false;  ///< AdamW: shrinks w itself, not through the gradient
  bool amsgrad = false;                 ///< divides by the largest second moment so far
  bool maximize = false;                ///< climbs along the gradient instead
  Momentum after_projection = Momentum::keep;  ///< reset, tangent: with a norm constraint or none
};

namespace detail {

inline void check_options(const AdamOptions& o) {
  require(is_finite(o.learning_rate) && o.learning_rate >= 0, "Adam", "learning_rate",
          o.learning_rate, "a finite number >= 0");
  require(is_finite(o.beta1) && o.beta1 >= 0 && o.beta1 < 1, "Adam", "beta1", o.beta1, "in [0, 1)");
  require(is_finite(o.beta2) && o.beta2 >= 0 && o.beta2 < 1, "Adam", "beta2", o.beta2, "in [0, 1)");
  require(is_finite(o.epsilon) && o.epsilon >= 0, "Adam", "epsilon", o.epsilon,
          "a finite number >= 0");
  require(is_finite(o.weight_decay) && o.weight_decay >= 0, "Adam", "weight_decay", o.weight_decay,
          "a finite number >= 0");
}

// The update of step t, with the coefficients computed in double.
template <class Real>
class AdamUpdate {
 public:
  AdamUpdate(const AdamOptions& o, Index t)
      : maximize_(o.maximize),
        amsgrad_(o.amsgrad),
        decay_(static_cast<Real>(o.decoupled_weight_decay ? 0 : o.weight_decay)),
        shrink_(
            static_cast<Real>(o.decoupled_weight_decay ? 1 - o.learning_rate * o.weight_decay : 1)),
        fresh1_(static_cast<Real>(1 - o.beta1)),
        kept2_(static_cast<Real>(o.beta2)),
        fresh2_(static_cast<Real>(1 - o.beta2)),
        rate_(static_cast<Real>(o.learning_rate / (1 - std::pow(o.beta1, static_cast<double>(t))))),
        correction2_(
            static_cast<Real>(1 / std::sqrt(1 - std::pow(o.beta2, static_cast<double>(t))))),
        epsilon_(static_cast<Real>(o.epsilon)) {}

  // Compiled once for float and once for double. One pass: from memory, in turns over chunks that
  // stay in the cache, it took 1.4 times as long, because memory rests during roots and divisions.
  // Updates so many vectors of n numbers each, and notes the sums of their new squares, or the
  // extremes of all their numbers.
  template <class Notes>
  EIGEN_DONT_INLINE void operator()(Index vectors, Index n, Notes* notes, Real* weights,
                                    const Real* gradient, Real* first_moment, Real* second_moment,
                                    Real* max_second_moment) const {
    using namespace Eigen::internal;
    update_and_note(vectors, n, notes, [=, *this]<class P>(Index i, P) {
      const P w = ploadu<P>(weights + i);
      const P g = with_decay(ploadu<P>(gradient + i), w, maximize_, decay_);
      P m = ploadu<P>(first_moment + i), v = ploadu<P>(second_moment + i);
      m = add_product(pset1<P>(fresh1_), psub(g, m), m);
      v = add_product(pmul(pset1<P>(fresh2_), g), g, pmul(pset1<P>(kept2_), v));
      pstoreu(first_moment + i, m);
      pstoreu(second_moment + i, v);
      if (amsgrad_) {
        v = pmax(ploadu<P>(max_second_moment + i), v);
        pstoreu(max_second_moment + i, v);
      }
      const P divisor = add_product(pset1<P>(correction2_), exact_root(v), pset1<P>(epsilon_));
      const P change = pdiv(pmul(pset1<P>(-rate_), m), divisor);
      const P updated = add_product(pset1<P>(shrink_), w, change);
      pstoreu(weights + i, updated);
      return updated;
    });
  }

 private:
  bool maximize_, amsgrad_;
  Real decay_, shrink_, fresh1_, kept2_, fresh2_, rate_, correction2_, epsilon_;
};

}  // namespace detail

/// Adam and AdamW for one parameter, with a constraint applied after each step.
///
///     t <- t + 1
///     g <- gradient (negated to maximize) + weight_decay * w       (AdamW: w <- w * (1 -
///                                                       learning_rate * weight_decay) instead)
///     m <- beta1 * m + (1 - beta1) * g
///     v <- beta2 * v + (1 - beta2) * g^2          (amsgrad: the largest v so far is used below)
///     w <- w - learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
///
/// as in torch.optim.Adam and AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019). The object
/// takes the parameter's shape and scalar at construction, counts its own steps, and keeps no
/// reference to the parameter. Bad options and other shapes are refused with std::invalid_argument,
/// and then nothing is written.
///
///     rein::Adam adam{W, {.learning_rate = 1e-3}, rein::MaxNorm{3.0, rein::per_row}};
///     rein::Report r = adam.step(W, gradient);
template <class Parameter, class C = Unconstrained>
class Adam {
  using Real = typename detail::ScalarTraits<typename Parameter::Scalar>::Real;

 public:
  template <class W>
  explicit Adam(const Eigen::DenseBase<W>& weights, const AdamOptions& options = {},
                C constraint = {})
      : rows_(weights.rows()),
        cols_(weights.cols()),
        options_(options),
        constraint_(std::move(constraint)) {
    detail::explain_weights<Parameter&>();
    detail::check_options(options_);
    first_moment_.setZero(rows_, cols_);
    second_moment_.setZero(rows_, cols_);
    max_second_moment_.setZero();  // where its size is fixed
    if (options_.amsgrad) max_second_moment_.setZero(rows_, cols_);
    after_projection_.prepare(options_.after_projection, vectors_to_mark());
  }

  /// Updates the weights in place and applies the constraint. `gradient` is any dense expression of
  /// the parameter's shape and scalar; a matrix in the weights' own memory is refused. Returns the
  /// constraint's report.
  template <class W, class G>
  Report step(W&& weights, const Eigen::DenseBase<G>& gradient) {
    if constexpr (detail::explain_step<Parameter, W, G, C>()) {
      detail::require_shape("Adam", "the gradient", gradient, rows_, cols_);
      detail::require_apart("Adam", gradient.derived(), weights);
      const detail::GradientValue<G> value = gradient.derived();
      const detail::AdamUpdate<Real> update = begin_step(weights);
      const detail::StepWalk walk(weights, value, update, first_moment_, second_moment_,
                                  max_second_moment_);
      return detail::step_and_constrain(weights, walk, constraint_, after_projection_,
                                        first_moment_);
    } else {
      return {};
    }
  }

  /// Updates the listed rows alone, from a gradient that has just these: row k of `gradient_rows`
  /// is the gradient of row indices[k] of the weights, as when a batch looks up rows of an
  /// embedding. The other rows keep their bits and their state, whose moments do not decay, and
  /// get no weight decay. Each call counts as a step, as in torch.optim.SparseAdam.
  ///
  /// The constraint is applied to the listed rows, and the report is of these, where it is a norm
  /// constraint with per_row; any other one is applied to all weights, as after step(). `indices`
  /// is anything with size() and []; an index that is out of range or listed twice is refused like
  /// a wrong shape. Made for row-major weights: in column-major ones the entries of a row lie
  /// apart.
  ///
  ///     adam.step_rows(embedding, gradient_rows, batch_rows);
  template <class W, class G, class Indices>
  Report step_rows(W&& weights, const Eigen::DenseBase<G>& gradient_rows, const Indices& indices) {
    if constexpr (detail::explain_step<Parameter, W, G, C, Eigen::Dynamic>()) {
      const auto rows = only(indices);
      detail::require_rows("Adam", weights, gradient_rows.derived(), rows, rows_, cols_);
      const detail::GradientValue<G> value = gradient_rows.derived();
      const detail::AdamUpdate<Real> update = begin_step(weights);
      detail::step_listed_rows(weights, rows, value, update, first_moment_, second_moment_,
                               max_second_moment_);
      return detail::constrain_listed_rows(weights, rows, constraint_, after_projection_,
                                           first_moment_);
    } else {
      return {};
    }
  }

  /// Writable between steps: a learning rate schedule.
  AdamOptions& options() { return options_; }
  const AdamOptions& options() const { return options_; }

  /// Assignable between steps: a schedule of the limit.
  C& constraint() { return constraint_; }
  const C& constraint() const { return constraint_; }

  /// The moments (the largest second moment is empty until amsgrad is used) and the number of steps
  /// done. Assign all of them to resume a run; it continues bit for bit.
  Parameter& first_moment() { return first_moment_; }
  const Parameter& first_moment() const { return first_moment_; }
  Parameter& second_moment() { return second_moment_; }
  const Parameter& second_moment() const { return second_moment_; }
  Parameter& max_second_moment() { return max_second_moment_; }
  const Parameter& max_second_moment() const { return max_second_moment_; }
  Eigen::Index& steps() { return steps_; }
  Eigen::Index steps() const { return steps_; }

 private:
  // Refuses what does not fit, and counts the step.
  template <class W>
  detail::AdamUpdate<Real> begin_step(W& weights) {
    detail::check_options(options_);
    detail::require_shape("Adam", "the weights", weights, rows_, cols_);
    detail::require_shape("Adam", "first_moment()", first_moment_, rows_, cols_);
    detail::require_shape("Adam", "second_moment()", second_moment_, rows_, cols_);
    if (max_second_moment_.size() != 0) {
      detail::require_shape("Adam", "max_second_moment()", max_second_moment_, rows_, cols_);
    }
    detail::check_constraint(weights, constraint_);
    after_projection_.prepare(options_.after_projection, vectors_to_mark());
    if (options_.amsgrad && max_second_moment_.size() == 0) {
      max_second_moment_.setZero(rows_, cols_);
    }
    ++steps_;
    return {options_, steps_};
  }

  Eigen::Index vectors_to_mark() const {
    return detail::vectors_to_mark("Adam", options_.after_projection, constraint_, rows_, cols_);
  }

  Eigen::Index rows_, cols_;
  AdamOptions options_;
  C constraint_;
  Parameter first_moment_, second_moment_, max_second_moment_;
  detail::AfterProjection after_projection_;
  Eigen::Index steps_ = 0;
};

template <class W>
explicit Adam(const Eigen::DenseBase<W>&) -> Adam<typename W::PlainObject>;
template <class W>
Adam(const Eigen::DenseBase<W>&, AdamOptions) -> Adam<typename W::PlainObject>;
template <class W, class C>
Adam(const Eigen::DenseBase<W>&, AdamOptions, C) -> Adam<typename W::PlainObject, C>;

}  // namespace rein
