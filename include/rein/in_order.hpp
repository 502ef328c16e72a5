#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include <rein/constraint.hpp>
#include <rein/detail/check_constraint.hpp>

namespace rein {

/// Constraints applied one after another; made by in_order().
template <class... Constraints>
class InOrder final {
 public:
  explicit InOrder(Constraints... constraints) : constraints_(std::move(constraints)...) {}

  /// The constraints, a std::tuple: assignable, as for a schedule of a limit.
  std::tuple<Constraints...>& constraints() { return constraints_; }
  const std::tuple<Constraints...>& constraints() const { return constraints_; }

  /// Throws unless the weights fit all constraints that can tell.
  template <class W>
  void check_weights(W& weights) const {
    std::apply([&](const auto&... each) { (detail::check_constraint(weights, each), ...); },
               constraints_);
  }

  template <class W>
  Report operator()(W&& weights) {
    return apply<W>(*this, weights);
  }
  template <class W>
  Report operator()(W&& weights) const {
    return apply<W>(*this, weights);
  }

 private:
  template <class W, class Self>
  static Report apply(Self& self, std::remove_reference_t<W>& weights) {
    detail::explain_weights<W>();
    Report total;
    if constexpr (Weights<W>) {
      (detail::explain_constraint<Each<Self, Constraints>, detail::Dense<W>>(), ...);
      if constexpr ((Constraint<Each<Self, Constraints>, detail::Dense<W>> && ...)) {
        self.check_weights(weights);
        std::apply(
            [&](auto&... each) { ((total += detail::apply_constraint(each, weights)), ...); },
            self.constraints_);
      }
    }
    return total;
  }

  // A constraint as const as the object that holds it.
  template <class Self, class C>
  using Each = std::conditional_t<std::is_const_v<Self>, const C, C>;

  std::tuple<Constraints...> constraints_;
};

/// Applies constraints one after another, the user's own ones too, each copied or moved in.
///
/// This is not a projection onto what they all allow: a later constraint may undo what an earlier
/// one did. The report is the sum of theirs: a vector that two of them look at counts twice, and
/// largest_norm is the largest that one of them saw.
///
///     auto constraint = rein::in_order(rein::NonNegative{}, rein::MaxNorm{1.0, rein::per_row});
///     constraint(W);   // rows (3, 4) and (-1, 0.5) become (0.6, 0.8) and (0, 0.5)
template <class... Constraints>
auto in_order(Constraints&&... constraints) {
  static_assert(sizeof...(Constraints) > 0, "rein: in_order takes one constraint or more");
  return InOrder<std::decay_t<Constraints>...>(std::forward<Constraints>(constraints)...);
}

}  // namespace rein
