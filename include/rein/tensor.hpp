#pragma once

#include <type_traits>
#include <utility>

#include <Eigen/Core>
#include <unsupported/Eigen/CXX11/Tensor>

#include <rein/grouping.hpp>

// Eigen's unsupported Tensor as weights. rein.hpp does not include this header, since the Tensor
// module takes half as long again to compile as Eigen/Core.

namespace rein {

namespace detail {

// Tensors that lie in memory, unlike expressions such as a + b.
template <class T>
inline constexpr bool is_tensor = false;
template <class Scalar, int Rank, int Options, class Index>
inline constexpr bool is_tensor<Eigen::Tensor<Scalar, Rank, Options, Index>> = Rank >= 1;
template <class Scalar, class Sizes, int Options, class Index>
inline constexpr bool is_tensor<Eigen::TensorFixedSize<Scalar, Sizes, Options, Index>> =
    Sizes::count >= 1;
template <class T, int Options, template <class> class Pointer>
inline constexpr bool is_tensor<Eigen::TensorMap<T, Options, Pointer>> =
    is_tensor<std::remove_const_t<T>>;

template <class T>
inline constexpr bool is_tensor_map = false;
template <class T, int Options, template <class> class Pointer>
inline constexpr bool is_tensor_map<Eigen::TensorMap<T, Options, Pointer>> = true;

template <class T>
concept Tensor = is_tensor<T>;

}  // namespace detail

/// The axes of a convolution kernel's tensor in index order, one letter each, as in FilterLayout.
/// Checked while compiling: another number of letters than the tensor has axes is refused too.
template <int Rank>
class TensorLayout {
 public:
  consteval TensorLayout(const char* axes) : filters_(axes) {  // NOLINT: converts on purpose
    if (filters_.axes().size() != Rank) {
      detail::refuse_layout("rein: the layout must have one letter for each axis of the tensor");
    }
  }

  constexpr FilterLayout filters() const { return filters_; }

 private:
  FilterLayout filters_;
};

/// Groups the convolution kernel in a Tensor, TensorFixedSize or TensorMap by output filter.
///
/// `layout` names the tensor's axes in index order, the first one first, whether it is ColMajor or
/// RowMajor: kernel(o, i, h, w) is "oihw". The filters of several adjacent os are numbered in the
/// order of the memory. Only the sizes are kept; the grouping is for as_matrix() of this tensor and
/// others of its size and storage order.
///
///     Eigen::Tensor<float, 4> kernel(64, 32, 3, 3);
///     rein::MaxNorm max_norm{3.0, rein::per_filter("oihw", kernel)};
///     max_norm(rein::as_matrix(kernel));
template <detail::Tensor T>
PerFilter per_filter(TensorLayout<T::NumIndices> layout, const T& tensor) {
  const Eigen::DSizes<Eigen::Index, T::NumIndices> dims(tensor.dimensions());
  PerFilter result = per_filter(layout.filters(), dims);
  // Of a column-major tensor's axes, the first is the fastest in memory.
  if (int{T::Layout} == Eigen::ColMajor) std::swap(result.outer, result.inner);
  return result;
}

/// A tensor's memory as a matrix, which constraints, optimizers, norms() and rescale() take: row i
/// holds the entries whose first index is i, in the order of the memory. Nothing is copied.
///
/// The matrix has the tensor's storage order, and is read-only where the tensor is const. It must
/// not outlive the tensor; a temporary that holds its entries itself does not compile. A gradient
/// needs the storage order of the weights, or its columns are other entries.
///
///     rein::Adam adam{rein::as_matrix(kernel), {}, max_norm};
///     adam.step(rein::as_matrix(kernel), rein::as_matrix(gradient));
template <class T>
auto as_matrix(T&& tensor) {
  using Tensor = std::remove_cvref_t<T>;
  static_assert(detail::is_tensor<Tensor>,
                "rein: as_matrix takes a Tensor, TensorFixedSize or TensorMap of Eigen's, with at "
                "least one axis");
  static_assert(std::is_lvalue_reference_v<T> || detail::is_tensor_map<Tensor>,
                "rein: a tensor that as_matrix views must not be a temporary");
  if constexpr (detail::is_tensor<Tensor>) {
    using Entry = std::remove_pointer_t<decltype(tensor.data())>;
    using Matrix = Eigen::Matrix<std::remove_const_t<Entry>, Eigen::Dynamic, Eigen::Dynamic,
                                 int{Tensor::Layout}>;
    const auto rows = static_cast<Eigen::Index>(tensor.dimensions()[0]);
    const auto size = static_cast<Eigen::Index>(tensor.size());
    return Eigen::Map<std::conditional_t<std::is_const_v<Entry>, const Matrix, Matrix>>(
        tensor.data(), rows, rows == 0 ? 0 : size / rows);
  }
}

}  // namespace rein
