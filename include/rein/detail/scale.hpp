#pragma once

#include <cmath>
#include <cstdint>

#include <Eigen/Core>

#include <rein/detail/packet.hpp>
#include <rein/detail/prefetch.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

// One entry times a factor, rounded as careful_product() rounds: to nearest, but towards zero where
// a half is subnormal, and never to Inf. (float and double reach their subnormals only through the
// careful path.)
template <class Scalar>
void scale_entry(Scalar& entry, typename ScalarTraits<Scalar>::Real factor) {
  if constexpr (is_native<Scalar>) {
    entry *= factor;
  } else {
    constexpr float largest = static_cast<float>(largest_number<Scalar>);
    const float value = static_cast<float>(entry);
    float product = value * factor;
    if constexpr (std::is_same_v<Scalar, Eigen::half>) {
      if (std::abs(product) < 0x1p-14f) product = std::trunc(product * 0x1p24f) * 0x1p-24f;
    }
    if (std::abs(product) > largest && std::abs(value) <= largest) {
      product = std::copysign(largest, product);
    }
    entry = static_cast<Scalar>(product);
  }
}

// n adjacent numbers by one factor: by packets P where they fill one, the last of which, read
// first, may share numbers with the one before. Four at a time: one by one, 128 x 128 floats that
// all violate took 1.5 times as long with AVX2, 1.1 with AVX-512.
template <class Real, class P = Packet<Real>>
EIGEN_ALWAYS_INLINE void scale_numbers(Real* x, Index n, Real factor) {
  using namespace Eigen::internal;
  constexpr Index step = unpacket_traits<P>::size;
  if constexpr (step == 1) {
    for (Index i = 0; i < n; ++i) x[i] *= factor;
  } else if (n < step) {
    scale_numbers<Real, Narrower<Real, P>>(x, n, factor);
  } else {
    const P factors = pset1<P>(factor);
    const auto product = [&](Index i) { return pmul(ploadu<P>(x + i), factors); };
    const P last = product(n - step);
    Index i = 0;
    for (; i + 4 * step < n; i += 4 * step) {
      pstoreu(x + i, product(i));
      pstoreu(x + i + step, product(i + step));
      pstoreu(x + i + 2 * step, product(i + 2 * step));
      pstoreu(x + i + 3 * step, product(i + 3 * step));
    }
    for (; i + step < n; i += step) pstoreu(x + i, product(i));
    pstoreu(x + n - step, last);
  }
}

// n numbers, `stride` apart, by one factor. One to a round of the loop, a tenth of 64 x 64 doubles
// took up to 1.6 times as long (AVX2, Intel), of 3 x 2000 1.7 times. (Four read before one is
// written: doubles 0.8 to 1.1 times, floats up to 1.25 times as long.)
template <class Real>
EIGEN_DONT_INLINE void scale_strided(Real* x, Index stride, Index n, Real factor) {
  Index i = 0;
  for (; i + 4 <= n; i += 4, x += 4 * stride) {
    x[0] *= factor;
    x[stride] *= factor;
    x[2 * stride] *= factor;
    x[3 * stride] *= factor;
  }
  for (; i < n; ++i, x += stride) *x *= factor;
}

// n adjacent entries by one factor.
template <class Scalar>
EIGEN_ALWAYS_INLINE void scale_run(Scalar* x, Index n, typename ScalarTraits<Scalar>::Real factor) {
  using Traits = ScalarTraits<Scalar>;
  if constexpr (is_native<Scalar>) {
    scale_numbers(reinterpret_cast<typename Traits::Real*>(x), n * Traits::components, factor);
  } else {
    for (Index i = 0; i < n; ++i) scale_entry(x[i], factor);
  }
}

// The same, while the numbers so far `ahead` are prefetched, a line of the cache with each line.
template <class Real>
EIGEN_ALWAYS_INLINE void scale_run_prefetching(Real* x, Index n, Real factor, Index ahead) {
  constexpr Index size = static_cast<Index>(sizeof(Real)), line = 64 / size;
  const auto address = reinterpret_cast<std::intptr_t>(x) + ahead * size;
  Index i = 0;
  for (; i + line <= n; i += line) {
    prefetch_line(address + i * size);
    scale_run(x + i, line, factor);
  }
  if (i == n) return;
  prefetch_line(address + i * size);
  scale_run(x + i, n - i, factor);
}

// Vectors of n adjacent numbers, `stride` apart, by a factor for each; where that is 1, nothing is
// written. What one or two packets hold is told apart once for all vectors: 8 x 4096 floats
// took 1.4 times as long one by one, 16 x 4096 1.25 times.
template <class Real, class P = Packet<Real>>
EIGEN_DONT_INLINE void scale_vectors(Real* x, Index stride, Index n, Index vectors,
                                     const Real* factors) {
  using namespace Eigen::internal;
  constexpr Index step = unpacket_traits<P>::size;
  const auto each = [&](const auto& scale) {
    Real* run = x;
    for (Index k = 0; k < vectors; ++k, run += stride) {
      if (factors[k] != 1) scale(run, factors[k]);
    }
  };
  if constexpr (step > 1) {
    if (n < step) return scale_vectors<Real, Narrower<Real, P>>(x, stride, n, vectors, factors);
    if (n == step) {
      return each([](Real* run, Real by) { pstoreu(run, pmul(ploadu<P>(run), pset1<P>(by))); });
    }
    if (n <= 2 * step) {
      return each([n](Real* run, Real by) {
        const P factor = pset1<P>(by), last = pmul(ploadu<P>(run + n - step), factor);
        pstoreu(run, pmul(ploadu<P>(run), factor));
        pstoreu(run + n - step, last);
      });
    }
  }
  each([n](Real* run, Real by) { scale_numbers(run, n, by); });
}

// n lanes of columns, `stride` apart, by a factor for each lane.
template <class Real>
EIGEN_STRONG_INLINE void scale_columns(Real* x, Index stride, Index columns, const Real* factors,
                                       Index n) {
  using namespace Eigen::internal;
  over_lanes<Real>(n, [=]<class P>(Index lane, P) {
    const P factor = ploadu<P>(factors + lane);
    Real* place = x + lane;
    for (Index c = 0; c < columns; ++c, place += stride) {
      pstoreu(place, pmul(ploadu<P>(place), factor));
    }
  });
}

}  // namespace rein::detail
