#pragma once

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/bias.hpp>

namespace rein {

/// A bias that counts with the weights; see joint().
template <class Bias>
struct Joint {
  Bias bias;  // a reference, or a view held by value

  void check(Eigen::Index vectors) const { detail::check_bias("joint", bias, vectors); }

  template <class W>
  void check_apart(W& weights) const {
    detail::check_bias_apart("joint", weights, bias);
  }

  /// Adds |bias(first + k)|^2 to the k-th sum.
  template <class Real>
  void add_squares(Eigen::Index first, Eigen::Index count, Real* square_sums) const {
    for (Eigen::Index k = 0; k < count; ++k) {
      square_sums[k] += detail::square<Real>(bias.coeff(first + k));
    }
  }

  template <class Factor>
  void rescale(Eigen::Index v, const Factor& factor) const {
    detail::rescale_bias(bias, v, factor);
  }
};

/// Counts bias(i) as one more entry of vector i: the norm that is constrained is that of (w_i,
/// bias(i)), and both are multiplied by the same factor, so that the boundary <w_i, x> + bias(i) =
/// 0 of a linear unit does not move. A vector whose bias is a NaN or an Inf is left alone.
///
/// The bias is a writable dense vector with one entry for each vector and the weights' scalar;
/// another size, or a bias that is part of the weights, is refused with std::invalid_argument
/// before anything is written. MaxRms counts the bias in the length, too. The report's norms are
/// those with the bias.
///
///     max_norm(W, rein::joint(b));   // row (3, 0) and b = 4, limit 1: (0.6, 0) and 0.8
template <class Bias>
auto joint(Bias&& bias) {
  constexpr bool writable = Weights<Bias>;
  static_assert(writable, "rein: a joint bias must be a writable dense Eigen vector");
  if constexpr (writable) {
    static_assert(detail::Dense<Bias>::IsVectorAtCompileTime,
                  "rein: a joint bias must be a vector, not a matrix");
  }
  return Joint<Bias>{bias};
}

}  // namespace rein
