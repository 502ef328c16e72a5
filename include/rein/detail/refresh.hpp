#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

namespace rein::detail {

// What is done to entries before they are read for the first time: a fused optimizer step updates
// them then, and gives sums of their new squares, right to n roundings. One that is empty is not
// called. Its type does not say what it calls, so that the kernels are compiled once for each
// scalar. Several threads may call it at once.
template <class Entry>
class Refresh {
  using Real = typename ScalarTraits<std::remove_const_t<Entry>>::Real;

 public:
  constexpr Refresh() = default;
  template <class Update>
  explicit Refresh(const Update* update)
      : update_(update),
        call_([](const void* object, Entry* x, Index vectors, Index n, Real* square_sums) {
          (*static_cast<const Update*>(object))(x, vectors, n, square_sums);
        }) {}

  explicit operator bool() const { return call_ != nullptr; }

  // For so many vectors of n adjacent entries each, one after the other in the weights' own order,
  // the first one at x.
  void operator()(Entry* x, Index vectors, Index n, Real* square_sums) const {
    call_(update_, x, vectors, n, square_sums);
  }
  void operator()(Entry* x, Index n) const {
    Real square_sum;
    call_(update_, x, 1, n, &square_sum);
  }

 private:
  const void* update_ = nullptr;
  void (*call_)(const void*, Entry*, Index, Index, Real*) = nullptr;
};

template <class Entry>
inline constexpr Refresh<Entry> no_refresh{};

}  // namespace rein::detail
