#pragma once

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/constrain_norms.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/exact_sqrt.hpp>
#include <rein/detail/norm_pass.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// The L2 norms of the grouping's vectors, in order, as an Eigen array.
///
/// Right to 2 eps at any length, also where squares overflow or underflow. The array's scalar is
/// float for half, bfloat16, float and complex<float> weights and double otherwise; a norm beyond
/// its largest number is Inf. A vector that holds an Inf has norm Inf, one that holds a NaN has
/// norm NaN.
///
///     rein::norms(W, rein::per_row)   // rows (3, 4) and (0.1, 0): 5, 0.1
template <class W, Grouping G>
auto norms(const Eigen::DenseBase<W>& weights, const G& grouping) {
  using Real = typename detail::ScalarTraits<typename W::Scalar>::Real;
  detail::explain_weights<typename W::PlainObject&>();
  if constexpr (!detail::SupportedScalar<W>) {
    return Eigen::Array<Real, Eigen::Dynamic, 1>();
  } else if constexpr (!detail::has_strides<W>) {
    const typename W::PlainObject evaluated = weights.derived();
    return norms(evaluated, grouping);
  } else {
    const auto view = detail::make_view(weights.derived(), grouping);
    Eigen::Array<Real, Eigen::Dynamic, 1> result(view.vectors);
    detail::for_all_square_sums(
        view, [&](Eigen::Index first, Eigen::Index vectors, const Real* square_sums) {
          detail::roots(square_sums, vectors, &result[first]);
          for (Eigen::Index k = 0; k < vectors; ++k) {
            if (detail::NormRule<typename W::Scalar>::safe(square_sums[k])) continue;
            const double norm = detail::unscaled(detail::careful_norm(view, first + k).norm);
            result[first + k] = static_cast<Real>(norm);
          }
        });
    return result;
  }
}

/// Multiplies each vector of the grouping by its factor, a finite number; a vector whose factor is
/// 1 is not written to.
///
/// `factors` is a dense Eigen vector with one entry for each vector. Another size, or a factor that
/// is a NaN or an Inf, is refused with std::invalid_argument and nothing is written. A product
/// beyond the largest number is Inf in float and double; half and bfloat16 stop at that number. The
/// report's `changed` counts the factors other than 1.
///
///     rein::rescale(W, rein::per_row, Eigen::Array2f(2, 1));   // doubles the first of two rows
template <class W, Grouping G, class F>
Report rescale(W&& weights, const G& grouping, const Eigen::DenseBase<F>& factors) {
  detail::explain_weights<W>();
  constexpr bool real_vector =
      F::IsVectorAtCompileTime && !Eigen::NumTraits<typename F::Scalar>::IsComplex;
  static_assert(real_vector, "rein: the factors must be a vector of real numbers");
  if constexpr (Weights<W> && real_vector) {
    using Real = typename detail::ScalarTraits<typename detail::Dense<W>::Scalar>::Real;
    const auto view = detail::make_view(weights, grouping);
    if (factors.size() != view.vectors) {
      detail::invalid_argument(
          "rescale", {"the number of factors is ", detail::text(factors.size()),
                      "; it must be the number of vectors, ", detail::text(view.vectors)});
    }
    const Eigen::Array<Real, Eigen::Dynamic, 1> reals =
        factors.derived().reshaped().template cast<Real>();
    for (Eigen::Index v = 0; v < reals.size(); ++v) {
      const double given = static_cast<double>(factors.derived().coeff(v));
      detail::require(detail::is_finite(given), "rescale", "a factor", given, "a finite number");
      detail::require(detail::is_finite(reals[v]), "rescale", "a factor", given,
                      "a finite number in the weights' precision");
    }
    return {.checked = view.vectors, .changed = detail::rescale_vectors(view, reals.data())};
  } else {
    return {};
  }
}

}  // namespace rein
