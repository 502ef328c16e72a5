#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/across.hpp>
#include <rein/detail/column_sums.hpp>
#include <rein/detail/masked.hpp>
#include <rein/detail/norm_rule.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/scale.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// To divide so few vectors, of most_at_once entries, into blocks and to choose a way for each took
// 30 to 50 ns, as long as summing 1000 entries.
inline constexpr Index most_vectors_at_once = 256;

// Multiplies the lanes of so few columns by their factors, of which so many are not 1. A function
// of its own: within its caller, half of 64 x 64 floats took 1.5 times as long with SSE2.
template <class Real>
EIGEN_DONT_INLINE void scale_few_columns(Real* x, Index stride, Index columns, const Real* factors,
                                         Index lanes, Index changed) {
  if (changed == lanes) {
    // 8 columns at a time: all of them, which a core may take for the same place, 64 x 64 floats
    // took 1.1 to 1.4 times as long.
    constexpr Index most = 8;
    for (Index c = 0; c < columns; c += most) {
      scale_columns(x + c * stride, stride, (std::min)(most, columns - c), factors, lanes);
    }
    return;
  }
  if constexpr (has_masks) {
    if (masks_pay<Real>(changed, lanes, lanes * columns)) {
      std::uint16_t masks[most_vectors_at_once / packet_size<Real>];
      note_masks(factors, lanes, masks);
      return scale_masked_columns(x, stride, columns, factors, masks, lanes);
    }
  }
  for (Index lane = 0; lane < lanes; ++lane) {
    if (factors[lane] != 1) scale_strided(x + lane, stride, columns, factors[lane]);
  }
}

// Applies a rule to all vectors of a few weights as NormPass does, with all sums before the first
// factor and all factors before the first write. Where there are more weights, or a vector needs
// the careful arithmetic, returns false and has written nothing. Within its caller, which knows the
// grouping and may know the sizes (`Fixed`): a whole 4 x 4 took 1.6 times as long in a function of
// its own.
template <bool Fixed, class Entry, class Changed, class Joint>
EIGEN_ALWAYS_INLINE bool constrain_at_once(const StridedView<Entry>& view,
                                           const NormRule<Entry>& rule, const Changed& tell,
                                           const Joint& joint, Report& report) {
  using Real = typename ScalarTraits<Entry>::Real;
  constexpr Index components = ScalarTraits<Entry>::components;
  const Index vectors = view.vectors, length = view.length();
  if (vectors < 1 || vectors > most_vectors_at_once) return false;
  if (length < 1 || vectors * length > most_at_once) return false;

  const Index n = view.inner * components, stride = view.vector_stride * components;
  const Index outer_stride = view.outer_stride * components;
  // Of n adjacent lanes for each vector.
  const Index lanes = vectors * n;
  const bool columns = !lies_along(view) && (view.inner == 1 || view.inner_stride == 1) &&
                       stride == n && lanes <= most_vectors_at_once &&
                       rows_to_join<Real>(lanes, view.outer, /*from_memory=*/false) == 1;
  const bool few_columns = view.outer <= (n == 1 ? most_plain_columns : most_plain_columns / 2);
  // More long vectors are better summed roughly.
  const bool runs = n > 1 && view.outer == 1 && view.inner_stride == 1 &&
                    (n <= 2 * longest_tree<Real> || vectors < fewest_rough);
  Real* const first = as_reals(view.data);
  Real sums[most_vectors_at_once], factors[most_vectors_at_once];
  Real* const losts = few_columns ? nullptr : factors;
  if (columns && !few_columns) {
    for (Index o = 0; o < view.outer; o += columns_to_fold) {
      add_columns(first + o * outer_stride, outer_stride,
                  (std::min)(columns_to_fold, view.outer - o), lanes, sums, losts, o == 0, true);
    }
  } else if (columns) {
    if constexpr (Fixed) {
      // Not inlined, the rows of fixed 4 x 4 to 16 x 16 took 1.2 to 1.5 times as long.
      sum_columns_inlined<most_plain_columns>(first, outer_stride, view.outer, lanes, sums);
    } else {
      sum_few_columns(first, outer_stride, view.outer, lanes, sums);
    }
  } else if (!runs) {
    return false;
  } else if constexpr (Fixed) {
    square_sums_inlined(first, stride, n, vectors, sums);
  } else {
    square_sums(first, stride, n, vectors, sums);
  }
  if (columns && n != 1) join_lanes<Real>(sums, losts, n, vectors);
  joint.add_squares(0, vectors, sums);

  // Of a few sums that have just been written one by one, no packet is loaded: 4 x 4 took 1.6 times
  // as long.
  const Extremes<Real> of =
      columns || vectors > 16 ? extremes(sums, vectors) : extremes<Real, Real>(sums, vectors);
  Index changed = 0;
  if (!rule.satisfied(of)) {
    // Copies, so that where all are satisfied those of above stay in registers: else a fixed 4 x 4
    // took 1.05 to 1.1 times as long.
    const NormRule<Entry> same_rule = rule;
    const Extremes<Real> same = of;
    if (!same_rule.factors(sums, vectors, same, factors, changed)) return false;
    for (Index v = 0; v < vectors; ++v) {
      if (factors[v] == 1) continue;
      joint.rescale(v, factors[v]);
      tell(v, factors[v]);
    }
    if (columns) {
      spread_factors(factors, n, vectors);
      scale_few_columns(first, outer_stride, view.outer, factors, lanes, changed * n);
    } else {
      scale_vectors(first, stride, n, vectors, factors);
    }
  }
  report = {.checked = vectors,
            .changed = changed,
            .largest_norm = std::sqrt(static_cast<double>(of.largest))};
  return true;
}

}  // namespace rein::detail
