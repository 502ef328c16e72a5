#pragma once

#include <algorithm>
#include <concepts>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

namespace rein {

/// What one application of a constraint did.
struct Report {
  Eigen::Index checked = 0;    ///< vectors looked at (entries, for an element-wise constraint)
  Eigen::Index changed = 0;    ///< of these, the ones with at least one changed bit
  Eigen::Index nonfinite = 0;  ///< of these, the ones left alone because of a NaN or an Inf
  double largest_norm = 0;     ///< before the call, over the finite vectors (norm constraints)

  Report& operator+=(const Report& other) {
    checked += other.checked;
    changed += other.changed;
    nonfinite += other.nonfinite;
    largest_norm = (std::max)(largest_norm, other.largest_norm);
    return *this;
  }

  friend Report operator+(Report a, const Report& b) { return a += b; }
  friend bool operator==(const Report&, const Report&) = default;
};

namespace detail {

template <class W>
using Dense = std::remove_cvref_t<W>;

template <class D>
concept DenseExpression = requires(D& d) {
  []<class Derived>(const Eigen::DenseBase<Derived>&) {}(d);
  typename D::Scalar;
};

template <class W>
concept DenseWeights = DenseExpression<Dense<W>>;

// Whether storing an entry through W compiles, and the result outlives the call.
template <class W>
concept Writable =
    DenseWeights<W> && !std::is_const_v<std::remove_reference_t<W>> &&
    (Eigen::internal::traits<Dense<W>>::Flags & Eigen::LvalueBit) != 0 &&
    (std::is_lvalue_reference_v<W> || !std::same_as<Dense<W>, typename Dense<W>::PlainObject>);

template <class W>
concept SupportedScalar = DenseWeights<W> && ScalarTraits<typename Dense<W>::Scalar>::supported;

// States in a sentence each what Weights asks for.
template <class W>
constexpr void explain_weights() {
  static_assert(DenseWeights<W>, "rein: the weights must be a dense Eigen matrix or array");
  if constexpr (DenseWeights<W>) {
    constexpr bool writable = Writable<W>;  // a bool, for a short message
    constexpr bool supported = SupportedScalar<W>;
    static_assert(
        writable,
        "rein: the weights must be writable: not const, and not a temporary such as a + b");
    static_assert(supported,
                  "rein: the weights' scalar must be float, double, Eigen::half, Eigen::bfloat16, "
                  "std::complex<float> or std::complex<double>");
  }
}

}  // namespace detail

/// What a constraint can be applied to: any writable dense Eigen expression (Matrix, Array, Map,
/// Block, Transpose, Ref, ...) of float, double, half, bfloat16 or complex entries.
template <class W>
concept Weights = detail::Writable<W> && detail::SupportedScalar<W>;

/// A constraint is anything that can be called on the weights and returns nothing or a Report. It
/// changes the weights in place. Where it has a member check_weights(weights) const that throws,
/// optimizers, in_order() and every() call that before anything is written.
///
///     auto halve = [](auto& W) { W *= 0.5f; };
///     rein::Sgd sgd{W, {.learning_rate = 0.1}, halve};
template <class C, class W>
concept Constraint = Weights<W&> && requires(C& constraint, W& weights) {
  requires std::same_as<decltype(constraint(weights)), Report> ||
      std::same_as<decltype(constraint(weights)), void>;
};

namespace detail {

// States in a sentence what Constraint asks for.
template <class C, class W>
constexpr void explain_constraint() {
  constexpr bool callable = Constraint<C, W>;
  static_assert(callable,
                "rein: a constraint must be callable on the weights and return void or Report");
}

}  // namespace detail

/// Asks for nothing.
struct Unconstrained {
  template <class W>
  Report operator()(W&&) const {
    return {};
  }
};

namespace detail {

// Applies a constraint; one that returns nothing gives an empty Report.
template <class W, class C>
Report apply_constraint(C& constraint, W& weights) {
  if constexpr (std::is_void_v<decltype(constraint(weights))>) {
    constraint(weights);
    return {};
  } else {
    return constraint(weights);
  }
}

}  // namespace detail

}  // namespace rein
