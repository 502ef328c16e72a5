#pragma once

#include <type_traits>

#include <rein/detail/view.hpp>
#include <rein/grouping.hpp>

namespace rein::detail {

template <class C>
concept GroupedConstraint = requires(const C& constraint) {
  requires Grouping<std::remove_cvref_t<decltype(constraint.grouping())>>;
};

// Throws, before anything is written, where a constraint does not fit the weights: by its grouping,
// by what its check_length(length) says of the length of their vectors, or by what its
// check_weights(weights) says.
template <class W, class C>
void check_constraint(W& weights, const C& constraint) {
  if constexpr (GroupedConstraint<C>) {
    const auto view = make_view(weights, constraint.grouping());
    if constexpr (requires { constraint.check_length(view.length()); }) {
      constraint.check_length(view.length());
    }
  }
  if constexpr (requires { constraint.check_weights(weights); }) constraint.check_weights(weights);
}

}  // namespace rein::detail
