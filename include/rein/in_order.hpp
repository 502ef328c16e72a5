#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include <rein/constraint.hpp>

namespace rein {

/// Constraints applied one after another; made by in_order().
template <class... Constraints>
class InOrder final {
 public:
  explicit InOrder(Constraints... constraints) : constraints_(std::move(constraints)...) {}

  /// The constraints, a std::tuple: assignable, as for a schedule of a limit.
  std::tuple<Constraints...>& constraints() { return constraints_; }
  const std::tuple<Constraints...>& constraints() const { return constraints_; }

  template <class W>
  Report operator()(W&& weights) {
    return apply<W>(constraints_, weights);
  }
  template <class W>
  Report operator()(W&& weights) const {
    return apply<W>(constraints_, weights);
  }

 private:
  template <class W, class Tuple>
  static Report apply(Tuple& constraints, std::remove_reference_t<W>& weights) {
    detail::explain_weights<W>();
    Report total;
    if constexpr (Weights<W>) {
      std::apply(
          [&](auto&... each) {
            static_assert(
                (Constraint<std::remove_reference_t<decltype(each)>, detail::Dense<W>> && ...),
                "rein: a constraint must be callable on the weights and return void or Report");
            ((total += detail::apply_constraint(each, weights)), ...);
          },
          constraints);
    }
    return total;
  }

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
