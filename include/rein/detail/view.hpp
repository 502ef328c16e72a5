#pragma once

#include <Eigen/Core>

#include <rein/detail/error.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/grouping.hpp>

namespace rein::detail {

// Bytes that stay in the first cache of a core for a second look.
inline constexpr Index first_cache = 32768;

// Shorter runs of entries share lines of a cache with their neighbours.
inline constexpr Index short_run = 64;

// The one view behind every grouping: entry i of part o of vector v is
// data[o * outer_stride + v * vector_stride + i * inner_stride].
template <class Entry>
struct StridedView {
  using Scalar = std::remove_const_t<Entry>;

  Entry* data;
  Index outer, vectors, inner;
  Index outer_stride, vector_stride, inner_stride;

  Index length() const { return outer * inner; }
  Entry* at(Index o, Index v) const { return data + o * outer_stride + v * vector_stride; }
  Entry& entry(Index o, Index v, Index i) const { return at(o, v)[i * inner_stride]; }
};

// From this many adjacent entries on, a vector is worth taking on its own.
inline constexpr Index long_run = 64;

// Whether vectors are taken one after another, or together in blocks.
template <class Entry>
bool lies_along(const StridedView<Entry>& view) {
  return view.inner >= long_run || (view.outer == 1 && view.inner > 1);
}

template <class View>
inline constexpr bool is_strided = false;
template <class Entry>
inline constexpr bool is_strided<StridedView<Entry>> = true;
template <class View>
inline constexpr bool is_strided<const View> = is_strided<View>;

// The same for an expression whose entries have no addresses that strides could tell: Eigen's
// reverse(), or rows picked by a list of indices.
template <class W, bool VectorsAreRows>
struct CoefficientView {
  using Scalar = typename W::Scalar;

  W& weights;
  Index outer, vectors, inner;

  Index length() const { return outer * inner; }
  Scalar& entry(Index o, Index v, Index i) const {
    return VectorsAreRows ? weights.coeffRef(v + o, i) : weights.coeffRef(i, v + o);
  }
};

// The bytes that threads may share; none where two entries of a view may be the same one.
template <class View>
Index bytes_to_share(const View& view) {
  if constexpr (is_strided<View>) {
    return view.vectors * view.length() * static_cast<Index>(sizeof(typename View::Scalar));
  } else {
    return 0;
  }
}

template <class W>
inline constexpr bool has_strides = (Eigen::internal::traits<std::remove_const_t<W>>::Flags &
                                     Eigen::DirectAccessBit) != 0;

struct Axis {
  Index size, stride;
};

// The axes of a matrix' memory: along the slower one first.
template <class W>
auto storage_axes(W& w) {
  struct Axes {
    Axis slow, fast;
  };
  const Axis rows{w.rows(), w.rowStride()};
  const Axis cols{w.cols(), w.colStride()};
  return W::IsRowMajor ? Axes{rows, cols} : Axes{cols, rows};
}

// Where the entries begin. Eigen's real() and imag() refer to an entry for it, which an empty
// matrix does not have.
template <class W>
auto first_entry(W& w) {
  return w.size() == 0 ? decltype(w.data())() : w.data();
}

// Adjacent runs are one run.
template <class View>
View joined(View view) {
  if (view.outer_stride == view.inner * view.inner_stride && view.vectors == 1) {
    view.inner *= view.outer;
    view.outer = 1;
  }
  return view;
}

template <class W>
auto strided_view(W& w, Whole) {
  const auto [slow, fast] = storage_axes(w);
  using Entry = std::remove_pointer_t<decltype(w.data())>;
  return joined(
      StridedView<Entry>{first_entry(w), slow.size, 1, fast.size, slow.stride, 0, fast.stride});
}

// The vectors lie along the fast axis of the memory, or across it.
template <bool AlongFastAxis, class W>
auto strided_view_of_lines(W& w) {
  const auto [slow, fast] = storage_axes(w);
  using Entry = std::remove_pointer_t<decltype(w.data())>;
  return AlongFastAxis ? StridedView<Entry>{first_entry(w), 1,          slow.size, fast.size, 0,
                                            slow.stride,    fast.stride}
                       : StridedView<Entry>{first_entry(w), slow.size,   fast.size, 1,
                                            slow.stride,    fast.stride, 1};
}

template <class W>
auto strided_view(W& w, PerRow) {
  return strided_view_of_lines<W::IsRowMajor>(w);
}

template <class W>
auto strided_view(W& w, PerCol) {
  return strided_view_of_lines<!W::IsRowMajor>(w);
}

template <class W>
auto strided_view(W& w, const PerFilter& kernel) {
  const Index size = kernel.outer * kernel.filters * kernel.inner;
  if (size != w.size()) {
    invalid_argument("per_filter", {"the product of dims is ", text(size),
                                    "; it must be the number of weights, ", text(w.size())});
  }
  const auto [slow, fast] = storage_axes(w);
  const bool contiguous =
      (fast.size <= 1 || fast.stride == 1) && (slow.size <= 1 || slow.stride == fast.size);
  if (size != 0 && !contiguous) {
    invalid_argument("per_filter", {"the weights' strides are ", text(slow.stride), " and ",
                                    text(fast.stride), "; they must be contiguous"});
  }
  using Entry = std::remove_pointer_t<decltype(w.data())>;
  return joined(StridedView<Entry>{first_entry(w), kernel.outer, kernel.filters, kernel.inner,
                                   kernel.filters * kernel.inner, kernel.inner, 1});
}

// The view of w's entries that the grouping asks for.
template <class W, class G>
auto make_view(W& w, const G& grouping) {
  if constexpr (has_strides<W>) {
    return strided_view(w, grouping);
  } else if constexpr (std::is_same_v<G, PerRow>) {
    return CoefficientView<W, true>{w, 1, w.rows(), w.cols()};
  } else if constexpr (std::is_same_v<G, PerCol>) {
    return CoefficientView<W, false>{w, 1, w.cols(), w.rows()};
  } else {
    constexpr bool contiguous = std::is_same_v<G, Whole>;
    static_assert(contiguous, "rein: per_filter needs weights that are contiguous in memory");
    return CoefficientView<W, true>{w, w.rows(), 1, w.cols()};
  }
}

}  // namespace rein::detail
