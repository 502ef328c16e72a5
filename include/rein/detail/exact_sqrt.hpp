#pragma once

#include <cmath>

#include <Eigen/Core>

#include <rein/detail/packet.hpp>

namespace rein::detail {

// The root of one number. Under -ffast-math Clang takes an estimate for that of a float, which was
// off by more than 1 eps on an Intel processor; it takes none for a double.
template <class Real>
Real exact_root_of(Real x) {
#if defined(__FAST_MATH__)
  return static_cast<Real>(std::sqrt(opaque(static_cast<double>(x))));
#else
  return std::sqrt(x);
#endif
}

// Eigen's psqrt of floats is an estimate on x86: an ulp off, and a NaN for Inf, which would then be
// written into the weights. The instruction for the right root takes no longer here, as the
// division next to it is the bottleneck.
template <class P>
P exact_root(const P& x) {
  return Eigen::internal::psqrt(x);
}
#if defined(EIGEN_VECTORIZE_SSE)
inline Eigen::internal::Packet4f exact_root(const Eigen::internal::Packet4f& x) {
  return _mm_sqrt_ps(x);
}
#endif
#if defined(EIGEN_VECTORIZE_AVX)
inline Eigen::internal::Packet8f exact_root(const Eigen::internal::Packet8f& x) {
  return _mm256_sqrt_ps(x);
}
#endif
#if defined(EIGEN_VECTORIZE_AVX512)
inline Eigen::internal::Packet16f exact_root(const Eigen::internal::Packet16f& x) {
  return _mm512_sqrt_ps(x);
}
inline Eigen::internal::Packet8d exact_root(const Eigen::internal::Packet8d& x) {
  return _mm512_sqrt_pd(x);
}
#endif

// The roots of n >= 1 numbers. One by one under -ffast-math, where Clang takes estimates for the
// packets' instructions as well.
template <class Real>
void roots(const Real* x, Index n, Real* y) {
#if defined(__FAST_MATH__)
  for (Index i = 0; i < n; ++i) y[i] = exact_root_of(x[i]);
#else
  using namespace Eigen::internal;
  over_lanes_at_least_once<Real>(
      n, [=]<class P>(Index i, P) { pstoreu(y + i, exact_root(ploadu<P>(x + i))); });
#endif
}

}  // namespace rein::detail
