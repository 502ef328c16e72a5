#pragma once

#include <algorithm>

#include <Eigen/Core>

#include <rein/detail/parallel.hpp>
#include <rein/detail/refresh.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// From this many adjacent entries on, a vector is worth taking on its own.
inline constexpr Index long_run = 64;

// Takes vectors that lie along the memory one after another.
template <class Entry>
class AlongVectors {
  using Scalar = std::remove_const_t<Entry>;
  using Traits = ScalarTraits<Scalar>;
  using Real = typename Traits::Real;

 public:
  AlongVectors(const StridedView<Entry>& view, const Refresh<Entry>& refresh = no_refresh<Entry>)
      : view_(view), refresh_(refresh), native_(is_native<Scalar> && view.inner_stride == 1) {}

  // Short vectors stay in the first cache between being summed and being scaled.
  bool are_short() const {
    return native_ && view_.outer == 1 && length() <= longest_short_vector<Real>;
  }

  // Whether a vector is better scaled while the next one is summed. Not from memory, which is read
  // faster without stores in between.
  bool scales_beside() const {
    constexpr Index cached = 16 << 20;
    return native_ && view_.vectors * bytes() <= cached;
  }

  // Calls use(square_sum) with the function that sums the squares of one short vector. Whole
  // packets are told apart here, once for all vectors: their branches took a quarter of the time.
  template <class Use>
  EIGEN_STRONG_INLINE auto with_short_square_sum(const Use& use) const {
    using Eigen::internal::predux;
    constexpr Index lanes = packet_size<Real>;
    const Index n = length();
    if (n == half_packet_size<Real>) {
      return use([](const Real* x) { return predux(sum_of_columns<1, HalfPacket<Real>>(x, 0)); });
    }
    if (n < lanes) return use([n](const Real* x) { return tiny_square_sum(x, n); });
    if (n == lanes) return use([](const Real* x) { return predux(sum_of_packets<1>(x)); });
    if (n == 2 * lanes) return use([](const Real* x) { return predux(sum_of_packets<2>(x)); });
    if (n <= longest_tiny_vector<Real>) {
      return use([n](const Real* x) { return predux(tree_square_sum(x, n)); });
    }
    return use([n](const Real* x) { return short_square_sum(x, n); });
  }

  // Short vectors to take together: 16 KiB of them, which stay in the first cache.
  static constexpr Index most_together = 256;
  Index together() const {
    constexpr Index reals = 16384 / static_cast<Index>(sizeof(Real));
    return (std::min)(reals / length(), most_together);
  }

  // The sums of squares of the short vectors [first, first + count).
  EIGEN_STRONG_INLINE void square_sums(Index first, Index count, Real* sums) const {
    refresh(first, count);
    with_short_square_sum([&](const auto& square_sum) {
      const Real* run = as_reals(view_.at(0, first));
      for (Index k = 0; k < count; ++k, run += view_.vector_stride * Traits::components) {
        sums[k] = square_sum(run);
      }
    });
  }

  // Multiplies the short vectors [first, first + count) by their factors; where that is 1, nothing
  // is written.
  void scale(Index first, Index count, const Real* factors) const {
    for (Index k = 0; k < count; ++k) {
      if (factors[k] != 1) scale_run(view_.at(0, first + k), view_.inner, factors[k]);
    }
  }

  // Refreshes the vectors [first, first + count).
  void refresh(Index first, Index count) const {
    if (!refresh_) return;
    if (view_.vector_stride == view_.inner) {
      refresh_(view_.at(0, first), count * view_.inner);
    } else {
      for (Index k = 0; k < count; ++k) refresh_(view_.at(0, first + k), view_.inner);
    }
  }

  // The sum of squares of vector v.
  Real square_sum(Index v) const {
    if (in_parts()) return square_sum_of_parts();
    if (are_short()) {
      return with_short_square_sum([&](const auto& sum) { return sum(as_reals(view_.at(0, v))); });
    }
    return square_sum(v, [](Index, Index, Index) {}).total();
  }

  // The same, while the entries of vector `last` are multiplied by a factor, part by part. That
  // takes 1.2 times a scale pass in the cache, where one after the other takes 1.7 times.
  Real square_sum_and_scale(Index v, Index last, Real factor) const {
    const auto scale_part = [=, this](Index o, Index i, Index n) {
      scale_run(view_.at(o, last) + i, n, factor);
    };
    return square_sum(v, scale_part).total();
  }

  void scale(Index v, Real factor) const {
    if (in_parts()) {
      scale_parts(factor);
    } else {
      scale_here(v, factor);
    }
  }

  void scale_here(Index v, Real factor) const {
    for (Index o = 0; o < view_.outer; ++o) {
      Entry* run = view_.at(o, v);
      if (view_.inner_stride == 1) {
        scale_run(run, view_.inner, factor);
      } else {
        for (Index i = 0; i < view_.inner; ++i) scale_entry(run[i * view_.inner_stride], factor);
      }
    }
  }

 private:
  // A single vector that is long enough to be shared among threads is always
  // summed in the same parts, so that the number of threads does not show in
  // the result.
  static constexpr Index parts = 64;

  bool in_parts() const {
    return view_.vectors == 1 && view_.length() * Traits::components >= 2048 * parts;
  }

  StridedView<Entry> part(Index p) const {
    StridedView<Entry> view = view_;
    const Index size = view.outer > 1 ? view.outer : view.inner;
    const Index step = (size + parts - 1) / parts;
    const Index begin = (std::min)(p * step, size);
    const Index count = (std::min)(step, size - begin);
    (view.outer > 1 ? view.outer : view.inner) = count;
    view.data += begin * (view_.outer > 1 ? view_.outer_stride : view_.inner_stride);
    return view;
  }

  // The Reals of a run.
  Index length() const { return view_.inner * Traits::components; }

  Index bytes() const { return view_.length() * static_cast<Index>(sizeof(Scalar)); }

  Real square_sum_of_parts() const {
    SquareSum<Real> sums[parts];
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        const StridedView<Entry> view = part(p);
        sums[p] = AlongVectors(view, refresh_).square_sum(0, [](Index, Index, Index) {});
      }
    });
    return SquareSum<Real>::total(sums, parts);
  }

  void scale_parts(Real factor) const {
    in_parallel(parts, 1, bytes(), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        const StridedView<Entry> view = part(p);
        AlongVectors(view, refresh_).scale_here(0, factor);
      }
    });
  }

  template <class Beside>
  SquareSum<Real> square_sum(Index v, const Beside& beside) const {
    SquareSum<Real> sum;
    for (Index o = 0; o < view_.outer; ++o) {
      Entry* run = view_.at(o, v);
      if (native_) {
        constexpr Index components = Traits::components;
        sum.add(
            as_reals(run), length(),
            [&](Index i, Index n) { refresh_(run + i / components, n / components); },
            [&](Index i, Index n) { beside(o, i / components, n / components); });
      } else {
        add_converted(run, sum);
      }
    }
    return sum;
  }

  // Entries that are not adjacent, or not Reals, go by way of a buffer.
  void add_converted(const Scalar* run, SquareSum<Real>& sum) const {
    constexpr Index size = 256 * packet_size<Real>;
    constexpr Index step = size / Traits::components;
    Real reals[size];
    const auto nothing = [](Index, Index) {};
    for (Index i = 0; i < view_.inner; i += step) {
      const Index n = (std::min)(step, view_.inner - i);
      load(run + i * view_.inner_stride, view_.inner_stride, n, reals);
      sum.add(reals, n * Traits::components, nothing, nothing);
    }
  }

  const StridedView<Entry>& view_;
  const Refresh<Entry>& refresh_;
  bool native_;
};

}  // namespace rein::detail
