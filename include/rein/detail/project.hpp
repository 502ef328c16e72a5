#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

// What the constraints share that move each vector onto a set by itself, entry by entry, with sums
// in double. Sums are scaled by powers of two, so that none overflows.

namespace rein::detail {

// 2^-exponent and back, both normal numbers, for a number of this exponent to come close to 1.
struct Scaling {
  explicit Scaling(int exponent)
      : down(std::ldexp(1.0, -std::clamp(exponent, -1000, 1000))), up(1 / down) {}

  double down, up;
};

// A sum that keeps its rounding errors: right to one rounding at any length.
class CompensatedSum {
 public:
  void add(double term) { add_keeping_error(sum_, lost_, term); }

  double total() const { return sum_ + lost_; }
  double minus(double x) const { return (sum_ - x) + lost_; }

 private:
  double sum_ = 0, lost_ = 0;
};

// What rounding n entries to the scalar may change their sum by, where their magnitudes add to
// this, and a bit more, all scaled. Up to there a sum counts as right, so that a second call finds
// nothing to do. Half a step for each entry is there for subnormal ones.
template <class Scalar>
double sum_slack(double magnitudes, double n, const Scaling& scaling) {
  using Traits = ScalarTraits<Scalar>;
  constexpr double step = power_of_two(Traits::denorm_exponent);
  const double half_step = step * scaling.down / 2;
  return 2 * Traits::epsilon * magnitudes + n * half_step;
}

// The magnitude of the largest stored number of vector v; Inf or NaN if it holds one.
template <class View>
double largest_magnitude(const View& view, Index v) {
  std::uint64_t largest = 0;  // the order of magnitudes is the order of their bits
  for_each_component(view, v, [&](const auto& x) {
    largest = (std::max)(largest, bits_of(static_cast<double>(x)) & ~sign_bit);
  });
  return std::bit_cast<double>(largest);
}

// Writes what wanted(x) gives in place of each number x of vector v, rounded to the scalar; beyond
// the scalar's largest number, that number. Says whether a number changed.
template <class View, class Wanted>
bool replace_entries(const View& view, Index v, const Wanted& wanted) {
  bool changed = false;
  for_each_component(view, v, [&](auto& x) {
    using Component = std::remove_reference_t<decltype(x)>;
    const double largest = largest_number<Component>;
    const auto value =
        static_cast<Component>(std::clamp(wanted(static_cast<double>(x)), -largest, largest));
    if (value != x) {
      x = value;
      changed = true;
    }
  });
  return changed;
}

// Component c of every entry (the real or the imaginary part of a complex one), as a view.
template <class View>
struct ComponentView {
  using Scalar = typename ScalarTraits<typename View::Scalar>::Component;

  const View& view;
  int component;
  Index outer = view.outer, inner = view.inner;

  Index length() const { return view.length(); }
  Scalar& entry(Index o, Index v, Index i) const {
    return reinterpret_cast<Scalar*>(&view.entry(o, v, i))[component];
  }
};
template <class View>
ComponentView(const View&, int) -> ComponentView<View>;

// Calls project(v, largest magnitude) for each vector that holds neither a NaN nor an Inf; it
// says whether it changed the vector. Several threads may call it, for one vector each.
template <class View, class Project>
Report project_vectors(const View& view, const Project& project) {
  const auto project_range = [&](Index begin, Index end) {
    Report report{.checked = end - begin};
    for (Index v = begin; v < end; ++v) {
      const double largest = largest_magnitude(view, v);
      if (!is_finite(largest)) {
        ++report.nonfinite;
      } else if (project(v, largest)) {
        ++report.changed;
      }
    }
    return report;
  };
  // Short runs of neighbours share lines of the cache.
  const Index together = view.inner < 64 ? 64 : 1;
  return report_in_parallel(view.vectors, together, bytes_to_share(view), project_range);
}

}  // namespace rein::detail
