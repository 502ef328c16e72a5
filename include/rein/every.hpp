#pragma once

#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/check_constraint.hpp>
#include <rein/detail/error.hpp>

namespace rein {

/// A constraint applied on each n-th call; made by every().
template <class C>
class Every final {
 public:
  Every(Eigen::Index n, C constraint) : n_(n), constraint_(std::move(constraint)) {
    detail::require(n >= 1, "every", "n", n, ">= 1");
  }

  Eigen::Index n() const { return n_; }

  /// Assignable, as for a schedule of a limit.
  C& constraint() { return constraint_; }
  const C& constraint() const { return constraint_; }

  /// The number of calls so far. Assign it to resume a run.
  Eigen::Index& calls() { return calls_; }
  Eigen::Index calls() const { return calls_; }

  /// Throws unless the weights fit the constraint, where that can tell.
  template <class W>
  void check_weights(W& weights) const {
    detail::check_constraint(weights, constraint_);
  }

  template <class W>
  Report operator()(W&& weights) {
    detail::explain_weights<W>();
    if constexpr (Weights<W>) {
      detail::explain_constraint<C, detail::Dense<W>>();
      if constexpr (Constraint<C, detail::Dense<W>>) {
        check_weights(weights);
        ++calls_;
        if (calls_ % n_ == 0) return detail::apply_constraint(constraint_, weights);
      }
    }
    return {};
  }

 private:
  Eigen::Index n_;
  C constraint_;
  Eigen::Index calls_ = 0;
};

/// Applies a constraint, which may be the user's own, on each n-th call: the n-th, the 2 n-th, ...
/// The other calls change nothing and return an empty Report.
///
/// It counts its calls, so give each parameter one of its own. n < 1 is refused with
/// std::invalid_argument.
///
///     rein::Sgd sgd{W, {.learning_rate = 0.1},
///                   rein::every(10, rein::MaxNorm{3.0, rein::per_row})};
template <class C>
auto every(Eigen::Index n, C&& constraint) {
  return Every<std::decay_t<C>>(n, std::forward<C>(constraint));
}

}  // namespace rein
