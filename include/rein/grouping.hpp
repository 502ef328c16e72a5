#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include <Eigen/Core>

#include <rein/detail/error.hpp>

namespace rein {

namespace detail {

// Not constexpr: to reach it while compiling is an error, which shows the sentence.
inline void refuse_layout(const char*) {}

}  // namespace detail

// Groupings say which entries of the weights form one vector, that is, one unit's incoming weights.

/// Each row is one vector: PyTorch's Linear weight, outputs x inputs.
struct PerRow {};
inline constexpr PerRow per_row{};

/// Each column is one vector: Keras' Dense kernel, inputs x outputs.
struct PerCol {};
inline constexpr PerCol per_col{};

/// All entries form one vector; its L2 norm is the Frobenius norm.
struct Whole {};
inline constexpr Whole whole{};

/// The axes of a convolution kernel's linear memory, slowest first, one letter each. The letter o
/// marks the filters' axis. Checked while compiling: a layout without o, or whose os are not
/// adjacent, is refused.
class FilterLayout {
 public:
  consteval FilterLayout(const char* axes) : axes_(axes) {  // NOLINT: converts on purpose
    const std::size_t first = axes_.find('o');
    if (first == std::string_view::npos) {
      detail::refuse_layout("rein: the layout must mark the filters' axis with the letter o");
    }
    const std::size_t after = axes_.find_first_not_of('o', first);
    if (after != std::string_view::npos && axes_.find('o', after) != std::string_view::npos) {
      detail::refuse_layout("rein: the layout's os must be adjacent");
    }
  }

  constexpr std::string_view axes() const { return axes_; }

 private:
  std::string_view axes_;
};

/// Each output filter of a convolution kernel is one vector, whatever matrix holds the kernel's
/// memory. Made by per_filter().
struct PerFilter {
  Eigen::Index outer;    ///< product of the dims before the os
  Eigen::Index filters;  ///< product of the os' dims
  Eigen::Index inner;    ///< product of the dims after the os

  friend bool operator==(const PerFilter&, const PerFilter&) = default;
};

namespace detail {

// Takes a pointer: to make a span of a list compiles 1/60 of what <Eigen/Core> does.
inline PerFilter per_filter(FilterLayout layout, const Eigen::Index* dims, std::size_t count) {
  const std::string_view axes = layout.axes();
  if (count != axes.size()) {
    invalid_argument(
        "per_filter",
        {"the number of dims is ", text(static_cast<Eigen::Index>(count)), "; it must be ",
         text(static_cast<Eigen::Index>(axes.size())), ", one for each axis of \"", axes, "\""});
  }
  PerFilter result{1, 1, 1};
  Eigen::Index size = 1;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    const Eigen::Index dim = dims[axis];
    require(dim >= 0, "per_filter", "a dim", dim, ">= 0");
    require(dim == 0 || size <= Eigen::NumTraits<Eigen::Index>::highest() / dim, "per_filter",
            "a dim", dim, "small enough for the product of dims to fit");
    size *= dim;
    Eigen::Index& part = axes[axis] == 'o'       ? result.filters
                         : axis < axes.find('o') ? result.outer
                                                 : result.inner;
    part *= dim;
  }
  return result;
}

}  // namespace detail

/// Groups a convolution kernel by output filter.
///
/// `layout` names the axes of the weights' linear memory, slowest first, and `dims` gives their
/// sizes: "oihw" in PyTorch ("iohw" when transposed), "hwio" in Keras and TensorFlow, "ohwi" in
/// MLX, any rank. A run of adjacent os makes each combination a vector of its own (Keras' depthwise
/// kernel: "hwoo"). The weights must be contiguous and hold as many entries as the product of dims.
///
/// Throws std::invalid_argument if the number of dims is not the layout's or a dim is negative.
///
///     rein::MaxNorm max_norm{3.0, rein::per_filter("oihw", {64, 32, 3, 3})};
inline PerFilter per_filter(FilterLayout layout, std::span<const Eigen::Index> dims) {
  return detail::per_filter(layout, dims.data(), dims.size());
}
inline PerFilter per_filter(FilterLayout layout, std::initializer_list<Eigen::Index> dims) {
  return detail::per_filter(layout, dims.begin(), dims.size());
}

/// One of the types above.
template <class G>
concept Grouping = std::same_as<G, PerRow> || std::same_as<G, PerCol> || std::same_as<G, Whole> ||
    std::same_as<G, PerFilter>;

}  // namespace rein
