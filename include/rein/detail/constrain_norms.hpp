#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/norm_pass.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/view.hpp>
#include <rein/joint.hpp>
#include <rein/only.hpp>
#include <rein/tied.hpp>

namespace rein::detail {

template <class T>
inline constexpr bool is_tied = false;
template <class Bias>
inline constexpr bool is_tied<Tied<Bias>> = true;
template <class T>
inline constexpr bool is_tied<const T> = is_tied<T>;

template <class T>
inline constexpr bool is_joint = false;
template <class Bias>
inline constexpr bool is_joint<Joint<Bias>> = true;
template <class T>
inline constexpr bool is_joint<const T> = is_joint<T>;

template <class T>
inline constexpr bool is_only = false;
template <class Indices>
inline constexpr bool is_only<Only<Indices>> = true;
template <class T>
inline constexpr bool is_only<const T> = is_only<T>;

// Whether With is no bias, or one with the weights' scalar.
template <class With, class W>
constexpr bool fits_scalar() {
  if constexpr (Weights<W> && (is_tied<With> || is_joint<With>)) {
    return std::is_same_v<typename Dense<decltype(With::bias)>::Scalar, typename Dense<W>::Scalar>;
  } else {
    return true;
  }
}

// What a norm constraint asks of the vectors of a view.
template <class C, class View>
auto rule_for(const C& constraint, const View& view) {
  return NormRule<typename View::Scalar>(band_for(constraint, view.length()), view.length());
}
// And of the vectors with a bias each.
template <class C, class View>
auto joint_rule_for(const C& constraint, const View& view) {
  using Scalar = typename View::Scalar;
  const Index length = view.length() + 1;
  return NormRule<Scalar>(band_for(constraint, length), length,
                          joint_norm_slack * ScalarTraits<Scalar>::epsilon);
}

inline const NoBias& joint_of() { return no_bias; }
template <class First, class... Rest>
const auto& joint_of([[maybe_unused]] const First& first, const Rest&... rest) {
  if constexpr (is_joint<First>) {
    return first;
  } else {
    return joint_of(rest...);
  }
}

template <class With, class Factor>
void tell([[maybe_unused]] const With& with, [[maybe_unused]] Index v,
          [[maybe_unused]] const Factor& factor) {
  if constexpr (is_tied<With>) with.rescale(v, factor);
}

template <class With, class W>
void check_apart([[maybe_unused]] const With& with, [[maybe_unused]] W& weights) {
  if constexpr (!is_only<With>) with.check_apart(weights);
}

// Applies a rule to the vectors that an only() among the arguments lists, or to all of them, each
// with its entry of a joint() bias, and their factors to what is tied() to them.
template <bool Fixed, class View, class... With>
EIGEN_ALWAYS_INLINE Report pass_over(const View& view, const NormRule<typename View::Scalar>& rule,
                                     const With&... with) {
  if constexpr (sizeof...(With) == 0) {
    return constrain_all<Fixed>(view, rule);
  } else {
    const auto rescale_tied = [&](Index v, const auto& factor) { (tell(with, v, factor), ...); };
    const auto& joint = joint_of(with...);
    if constexpr ((is_only<With> || ...)) {
      const NormPass pass(view, rule, rescale_tied, no_refresh<typename View::Scalar>, joint);
      Report report;
      const auto run_listed = [&](const auto& argument) {
        if constexpr (is_only<std::remove_cvref_t<decltype(argument)>>) {
          for (Index k = 0; k < argument.size(); ++k) {
            report += pass.some(argument[k], argument[k] + 1);
          }
        }
      };
      (run_listed(with), ...);
      return report;
    } else {
      return constrain_all<Fixed>(view, rule, rescale_tied, joint);
    }
  }
}

// What every norm constraint does: brings the norms of the grouping's vectors into the band. Each
// of `with` is a tied(), a joint() or an only(), all of them checked before anything is written.
template <class W, class G, class C, class... With>
Report constrain_norms(W&& weights, G grouping, const C& constraint, const With&... with) {
  explain_weights<W>();
  constexpr bool known = ((is_tied<With> || is_joint<With> || is_only<With>)&&...);
  static_assert(known,
                "rein: after the weights, a norm constraint takes tied(bias) or joint(bias), and "
                "only(indices)");
  static_assert(
      (0 + ... + (is_tied<With> || is_joint<With>)) <= 1 && (0 + ... + is_only<With>) <= 1,
      "rein: a norm constraint takes one bias and one only(indices) at most");
  constexpr bool fitting = (fits_scalar<With, W>() && ...);
  static_assert(fitting, "rein: a tied or joint bias must have the weights' scalar");
  if constexpr (Weights<W> && known && fitting) {
    constexpr bool fixed = Dense<W>::SizeAtCompileTime != Eigen::Dynamic;
    auto view = make_view(weights, grouping);
    (with.check(view.vectors), ...);
    (check_apart(with, weights), ...);
    if constexpr ((is_joint<With> || ...)) {
      return pass_over<fixed>(view, joint_rule_for(constraint, view), with...);
    } else {
      return pass_over<fixed>(view, rule_for(constraint, view), with...);
    }
  } else {
    return {};
  }
}

}  // namespace rein::detail
