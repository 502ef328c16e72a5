#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

template <class X>
std::uintptr_t address_of_entry(X& x, Index row, Index col) {
  return reinterpret_cast<std::uintptr_t>(&x.coeffRef(row, col));
}

// Calls visit(address) for each entry, until it says yes; whether it did.
template <class X, class Visit>
bool any_entry(X& x, const Visit& visit) {
  for (Index row = 0; row < x.rows(); ++row) {
    for (Index col = 0; col < x.cols(); ++col) {
      if (visit(address_of_entry(x, row, col))) return true;
    }
  }
  return false;
}

// Whether a matrix has an entry at this address. Where its strides are such that its own entries
// could overlap, all that lies between the first and the last counts as an entry.
template <class X>
bool has_entry_at(X& x, std::uintptr_t address) {
  if constexpr (has_strides<X>) {
    constexpr Index bytes = sizeof(typename X::Scalar);
    auto [wide, narrow] = storage_axes(x);
    if (wide.size == 1) wide.stride = 0;
    if (narrow.size == 1) narrow.stride = 0;
    if (wide.stride < narrow.stride) std::swap(wide, narrow);
    const auto last = address_of_entry(x, x.rows() - 1, x.cols() - 1);
    const auto first = address_of_entry(x, 0, 0);
    if (address < first || address > last) return false;

    const auto offset = static_cast<Index>(address - first);
    if (offset % bytes != 0 || wide.stride <= narrow.stride * (narrow.size - 1)) return true;
    const Index rest = offset / bytes % wide.stride;
    return narrow.stride > 0 ? rest % narrow.stride == 0 && rest / narrow.stride < narrow.size
                             : rest == 0;
  } else {
    return any_entry(x, [&](std::uintptr_t entry) { return entry == address; });
  }
}

// Whether two matrices of one scalar have an entry in common. A column beside the weights in one
// matrix with them has none. b has entries where a has.
template <class A, class B>
bool share_entries(A& a, B& b) {
  if (a.size() == 0) return false;
  if constexpr (has_strides<A> && has_strides<B>) {
    const auto last = [](auto& x) { return address_of_entry(x, x.rows() - 1, x.cols() - 1); };
    if (last(a) < address_of_entry(b, 0, 0) || last(b) < address_of_entry(a, 0, 0)) return false;
  }
  if constexpr (has_strides<B> && !has_strides<A>) {
    return any_entry(a, [&](std::uintptr_t entry) { return has_entry_at(b, entry); });
  } else {
    return any_entry(b, [&](std::uintptr_t entry) { return has_entry_at(a, entry); });
  }
}

}  // namespace rein::detail
