#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/norm_pass.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/view.hpp>
#include <rein/grouping.hpp>

namespace rein {

namespace detail {

struct SquaredNorm {
  bool finite;
  ScaledNumber square;  // where not finite, the mantissa is a NaN or an Inf
  double epsilon;       // of the scalar that it is the norm of
};

template <class W>
SquaredNorm squared_norm(W& gradient) {
  using Traits = ScalarTraits<typename W::Scalar>;
  using Real = typename Traits::Real;
  const auto view = make_view(gradient, whole);
  if constexpr (is_strided<std::remove_const_t<decltype(view)>>) {
    Real square = 0;
    for_all_square_sums(view, [&](Index, Index, const Real* square_sum) { square = *square_sum; });
    if (NormRule<typename W::Scalar>::safe(square)) {
      return {true, scaled(static_cast<double>(square)), Traits::epsilon};
    }
  }
  const CarefulNorm look = careful_norm(view, 0);
  if (!look.finite) return {false, look.norm, Traits::epsilon};
  ScaledNumber square = scaled(look.norm.mantissa * look.norm.mantissa);
  square.exponent += 2 * look.norm.exponent;
  return {true, square, Traits::epsilon};
}

// The norm of all gradients together, and the part of it by which it may exceed a limit and count
// as within: 5 eps as for one vector (NormRule), each gradient's eps by its share of the square.
struct JointNorm {
  bool finite = true;
  ScaledNumber norm{0, 0};  // where not finite, the mantissa is a NaN or an Inf
  double slack = 0;
};

inline JointNorm joint_norm(const SquaredNorm* parts, std::size_t count) {
  JointNorm joint;
  int exponent = (std::numeric_limits<int>::min)();
  for (const SquaredNorm* part = parts; part != parts + count; ++part) {
    if (!part->finite) {
      // An Inf is below a NaN in the order of their bits.
      const double& other = part->square.mantissa;
      if (joint.finite || bits_of(joint.norm.mantissa) < bits_of(other))
        joint.norm.mantissa = other;
      joint.finite = false;
    } else if (part->square.mantissa != 0) {
      exponent = (std::max)(exponent, part->square.exponent);
    }
  }
  if (!joint.finite || exponent == (std::numeric_limits<int>::min)()) return joint;

  exponent += exponent % 2 != 0;
  double sum = 0, lost = 0, rounding = 0;
  for (const SquaredNorm* part = parts; part != parts + count; ++part) {
    if (part->square.mantissa == 0) continue;
    const double square = std::ldexp(part->square.mantissa, part->square.exponent - exponent);
    add_keeping_error(sum, lost, square);
    rounding += part->epsilon * square;
  }
  joint.norm = {std::sqrt(sum + lost), exponent / 2};
  joint.slack = 5 * rounding / sum;
  return joint;
}

// Multiplies a gradient, whose squared norm is given, by a factor <= 1.
template <class W>
void shorten(W& gradient, const SquaredNorm& norm, const ScaledNumber& factor) {
  using Scalar = typename W::Scalar;
  using Real = typename ScalarTraits<Scalar>::Real;
  const auto view = make_view(gradient, whole);
  const double plain = unscaled(factor), before = unscaled(norm.square);
  const auto safe = [](double square) { return NormRule<Scalar>::safe(static_cast<Real>(square)); };
  if (factor.mantissa == 0 || (safe(before) && safe(before * plain * plain))) {
    const Real real_factor = static_cast<Real>(plain);
    rescale_vectors(view, &real_factor);
  } else {
    careful_rescale(view, 0, factor);
  }
}

}  // namespace detail

/// Scales all gradients by one factor, so that their norm together is at most the limit, and
/// returns that norm as it was before:
///
///     norm = sqrt(sum of ||g||_2^2 over the gradients)
///     g <- g * min(1, limit / norm) for every gradient
///
/// as torch.nn.utils.clip_grad_norm_ does, with three differences. There is no 1e-6 in the
/// denominator, and gradients whose norm is within the limit are not written to. The norm is right
/// also where squares overflow or underflow. And where an entry is a NaN or an Inf, the norm
/// returned is not finite and nothing is written: look at it before the step. (With finite entries
/// it always is finite; one beyond the largest double is returned as the largest double.)
///
/// Gradients are writable dense Eigen expressions, whose scalars may differ. `limit` is finite and
/// >= 0; anything else is refused with std::invalid_argument.
///
///     const double norm = rein::clip_gradient_norm(1.0, dW, db);  // dW = (6, 0), db = (8):
///                                                                 // 10; dW = (0.6, 0), db = (0.8)
///     if (std::isfinite(norm)) step_W.step(W, dW), step_b.step(b, db);
///
/// Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013.
template <class... Gradients>
double clip_gradient_norm(double limit, Gradients&&... gradients) {
  (detail::explain_weights<Gradients>(), ...);
  if constexpr ((Weights<Gradients> && ...)) {
    detail::require(detail::is_finite(limit) && limit >= 0, "clip_gradient_norm", "limit", limit,
                    "a finite number >= 0");
    constexpr std::size_t count = sizeof...(Gradients);
    const std::array<detail::SquaredNorm, count> squares{detail::squared_norm(gradients)...};
    const detail::JointNorm joint = detail::joint_norm(squares.data(), count);
    if (!joint.finite) return joint.norm.mantissa;

    const detail::ScaledNumber& norm = joint.norm;
    if (norm.mantissa > std::ldexp(limit, -norm.exponent) * (1 + joint.slack)) {
      detail::ScaledNumber factor = detail::scaled(limit);
      factor.mantissa /= norm.mantissa;
      factor.exponent -= norm.exponent;
      [[maybe_unused]] std::size_t k = 0;
      (detail::shorten(gradients, squares[k++], factor), ...);
    }
    return std::clamp(detail::unscaled(norm), 0.0, (std::numeric_limits<double>::max)());
  } else {
    return 0;
  }
}

}  // namespace rein
