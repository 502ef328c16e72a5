#pragma once

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/error.hpp>

namespace rein {

namespace detail {

template <class Indices>
concept HasSizeAndBrackets = requires(const Indices& indices) {
  indices[static_cast<decltype(std::size(indices))>(0)];
};

template <class Indices>
constexpr bool is_list() {
  if constexpr (DenseExpression<const Indices>) {
    return Indices::IsVectorAtCompileTime;
  } else {
    return HasSizeAndBrackets<Indices>;
  }
}

// States in a sentence each what a list of indices must be.
template <class Indices>
constexpr void explain_indices() {
  constexpr bool list = is_list<Indices>();
  static_assert(list, "rein: indices must be a list with size() and [], such as a std::vector");
  if constexpr (list) {
    using Entry = std::remove_cvref_t<decltype(std::declval<const Indices&>()[0])>;
    constexpr bool integers = !std::is_same_v<Entry, bool> && !std::is_floating_point_v<Entry> &&
                              std::is_constructible_v<Eigen::Index, Entry>;
    static_assert(integers, "rein: indices must be integers, not a mask and not real numbers");
  }
}

}  // namespace detail

/// The vectors a norm constraint looks at; see only().
template <class Indices>
struct Only {
  Indices indices;

  Eigen::Index size() const { return static_cast<Eigen::Index>(std::size(indices)); }

  Eigen::Index operator[](Eigen::Index k) const {
    if constexpr (detail::is_list<std::remove_cvref_t<Indices>>()) {
      return static_cast<Eigen::Index>(indices[static_cast<decltype(std::size(indices))>(k)]);
    } else {
      return 0;  // refused by only()
    }
  }

  void check(Eigen::Index vectors, const char* owner = "only") const {
    for (Eigen::Index k = 0; k < size(); ++k) {
      const Eigen::Index v = (*this)[k];
      if (v < 0 || v >= vectors) {
        detail::invalid_argument(
            owner, {"an index is ", detail::text(v),
                    "; it must be >= 0 and below the number of vectors, ", detail::text(vectors)});
      }
    }
    refuse_duplicates(vectors, owner);
  }

 private:
  // Without allocating: a bit for each vector, a window of vectors at a time.
  void refuse_duplicates(Eigen::Index vectors, const char* owner) const {
    bool ascending = true;
    for (Eigen::Index k = 1; k < size() && ascending; ++k) ascending = (*this)[k - 1] < (*this)[k];
    if (ascending) return;

    constexpr Eigen::Index window = 1 << 17;
    for (Eigen::Index begin = 0; begin < vectors; begin += window) {
      std::uint64_t seen[window / 64] = {};
      for (Eigen::Index k = 0; k < size(); ++k) {
        const Eigen::Index place = (*this)[k] - begin;
        if (place < 0 || place >= window) continue;
        const std::uint64_t bit = std::uint64_t{1} << (place % 64);
        if (seen[place / 64] & bit) {
          detail::invalid_argument(owner, {"the index ", detail::text(place + begin),
                                           " is listed twice; each must be listed once"});
        }
        seen[place / 64] |= bit;
      }
    }
  }
};

/// Limits a norm constraint to the listed vectors, for example the rows of an embedding that a
/// batch touched; the others are not even read. `indices` is anything with size() and [], such as
/// an Eigen vector or a std::vector. An index that is out of range or listed twice is refused with
/// std::invalid_argument before anything is written.
///
///     max_norm(embedding, rein::only(batch_rows));
template <class Indices>
auto only(Indices&& indices) {
  detail::explain_indices<std::remove_cvref_t<Indices>>();
  return Only<Indices>{std::forward<Indices>(indices)};
}

// Index is never deduced; a template, so that the span's checks are not compiled with the header.
template <class Index = Eigen::Index>
auto only(std::initializer_list<std::type_identity_t<Index>> indices) {
  return Only<std::span<const Index>>{std::span(indices.begin(), indices.size())};
}

}  // namespace rein
