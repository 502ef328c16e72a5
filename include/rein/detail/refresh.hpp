#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

namespace rein::detail {

// What is done to n adjacent entries at x before they are read for the first time: a fused
// optimizer step updates them then, and gives the sum of their new squares, right to n roundings.
// One that is empty is not called. Its type does not say what it calls, so that the kernels are
// compiled once for each scalar. Several threads may call it at once.
template <class Entry>
class Refresh {
  using Real = typename ScalarTraits<std::remove_const_t<Entry>>::Real;

 public:
  constexpr Refresh() = default;
  template <class Update>
  explicit Refresh(const Update* update)
      : update_(update), call_([](const void* object, Entry* x, Eigen::Index n) {
          return (*static_cast<const Update*>(object))(x, n);
        }) {}

  explicit operator bool() const { return call_ != nullptr; }
  Real operator()(Entry* x, Eigen::Index n) const { return call_(update_, x, n); }

 private:
  const void* update_ = nullptr;
  Real (*call_)(const void*, Entry*, Eigen::Index) = nullptr;
};

template <class Entry>
inline constexpr Refresh<Entry> no_refresh{};

}  // namespace rein::detail
