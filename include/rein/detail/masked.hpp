#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include <Eigen/Core>

#include <rein/detail/packet.hpp>
#include <rein/detail/scalar.hpp>

// Scaling of some lanes of packets, without touching the others.

namespace rein::detail {

// Whether packets can be read and written in part as fast as whole: with AVX-512. To write a packet
// of AVX2 so takes an AMD EPYC 10 times as long.
inline constexpr bool has_masks = has_masks_for<float> && packet_size<float> == 16;

// Whether lanes are better scaled by masks than one by one, if so many of so many vectors are to be
// scaled: where one lane of a packet is, or more. With two or more, a tenth of 128 x 128 took 1.3
// times as long (Intel). Not of a few packets, of which each number may just have been written by
// itself and is slow to load so: 8 x 8 took 2.4 times as long.
template <class Real>
bool masks_pay(Index changed, Index vectors, Index entries) {
  constexpr Index packet = packet_size<Real>;
  return has_masks && entries >= 32 * packet && packet * changed >= vectors;
}

// The lanes of a packet as bits. Eigen has masks for packets of floats alone, so that a double is
// two bits.
template <class Real>
inline constexpr unsigned bits_of_lane = sizeof(Real) / sizeof(float);

// For each packet of n factors, which lanes are to be scaled: those with a factor that is not 1.
template <class Real>
void note_masks(const Real* factors, Index n, std::uint16_t* masks) {
  constexpr Index packet = packet_size<Real>;
  constexpr unsigned bits = bits_of_lane<Real>, lane_mask = (1u << bits) - 1;
  for (Index i = 0; i < n; i += packet) {
    unsigned mask = 0;
    for (Index k = (std::min)(packet, n - i) - 1; k >= 0; --k) {
      mask = mask << bits | (factors[i + k] == 1 ? 0 : lane_mask);
    }
    masks[i / packet] = static_cast<std::uint16_t>(mask);
  }
}

// The lanes in the mask, and zeros. Floats is a parameter, so that where its packets have no masks
// this compiles all the same.
template <class Real, class Floats>
EIGEN_ALWAYS_INLINE Packet<Real> load_masked(const Real* x, std::uint16_t mask) {
  const auto* floats = reinterpret_cast<const float*>(x);
  return std::bit_cast<Packet<Real>>(Eigen::internal::ploadu<Floats>(floats, mask));
}

// scale_columns() for the lanes in the masks, which may go on beyond n; the others are neither read
// nor written.
template <class Real, class Floats = Packet<float>>
EIGEN_STRONG_INLINE void scale_masked_columns(Real* x, Index stride, Index columns,
                                              const Real* factors, const std::uint16_t* masks,
                                              Index n) {
  using namespace Eigen::internal;
  constexpr Index packet = packet_size<Real>;
  for (Index lane = 0; lane < n; lane += packet, ++masks) {
    const auto lanes = static_cast<unsigned>((std::min)(packet, n - lane));
    const auto mask =
        static_cast<std::uint16_t>(*masks & ((1u << (bits_of_lane<Real> * lanes)) - 1));
    if (mask == 0) continue;
    const auto factor = load_masked<Real, Floats>(factors + lane, mask);
    Real* place = x + lane;
    for (Index c = 0; c < columns; ++c, place += stride) {
      const auto product = pmul(load_masked<Real, Floats>(place, mask), factor);
      pstoreu(reinterpret_cast<float*>(place), std::bit_cast<Floats>(product), mask);
    }
  }
}

}  // namespace rein::detail
