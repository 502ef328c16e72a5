#pragma once

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/bias.hpp>

namespace rein {

/// A bias that goes along with the weights; see tied().
template <class Bias>
struct Tied {
  Bias bias;  // a reference, or a view held by value

  void check(Eigen::Index vectors) const { detail::check_bias("tied", bias, vectors); }

  template <class W>
  void check_apart(W& weights) const {
    detail::check_bias_apart("tied", weights, bias);
  }

  template <class Factor>
  void rescale(Eigen::Index v, const Factor& factor) const {
    detail::rescale_bias(bias, v, factor);
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
