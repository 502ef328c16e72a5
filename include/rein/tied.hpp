#pragma once

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/shared_entries.hpp>

namespace rein {

/// A bias that goes along with the weights; see tied().
template <class Bias>
struct Tied {
  Bias bias;  // a reference, or a view held by value

  template <class W>
  void check(Eigen::Index vectors) const {
    using B = detail::Dense<Bias>;
    constexpr bool same_scalar =
        std::is_same_v<typename B::Scalar, typename detail::Dense<W>::Scalar>;
    static_assert(same_scalar, "rein: a tied bias must have the weights' scalar");
    if (bias.size() != vectors) {
      detail::invalid_argument("rein::tied: the bias' size is " + detail::text(bias.size()) +
                               "; it must be the number of vectors, " + detail::text(vectors));
    }
  }

  template <class W>
  void check_apart(W& weights) const {
    if constexpr (Weights<Bias>) {
      if (detail::share_entries(weights, const_cast<Bias&>(bias))) {
        detail::invalid_argument(
            "rein::tied: the bias lies in the weights' memory; it must be apart");
      }
    }
  }

  template <class Factor>
  void rescale(Eigen::Index v, const Factor& by) const {
    const detail::ScaledNumber factor = detail::scaled(by);
    if constexpr (Weights<Bias>) {
      using Scalar = typename detail::Dense<Bias>::Scalar;
      Scalar& entry =
          const_cast<Bias&>(bias).coeffRef(v);  // a view's constness is not its entries'
      if constexpr (detail::ScalarTraits<Scalar>::components == 2) {
        entry = Scalar(detail::careful_product(entry.real(), factor),
                       detail::careful_product(entry.imag(), factor));
      } else {
        entry = detail::careful_product(entry, factor);
      }
    }
  }
};

/// Ties a bias to the weights of a norm constraint: bias(i) is multiplied by the factor of vector
/// i, so that the boundary <w_i, x> + bias(i) = 0 of a linear unit does not move.
///
/// The bias is a writable dense vector with one entry for each vector and the weights' scalar;
/// another size, or a bias that is part of the weights, is refused with std::invalid_argument
/// before anything is written. It may lie beside them in one matrix.
///
///     max_norm(W, rein::tied(b));   // w = 100, b = -3000, limit 1: w = 1, b = -30
template <class Bias>
auto tied(Bias&& bias) {
  constexpr bool writable = Weights<Bias>;
  static_assert(writable, "rein: a tied bias must be a writable dense Eigen vector");
  if constexpr (writable) {
    static_assert(detail::Dense<Bias>::IsVectorAtCompileTime,
                  "rein: a tied bias must be a vector, not a matrix");
  }
  return Tied<Bias>{bias};
}

}  // namespace rein
