#pragma once

#include <algorithm>

#include <rein/constraint.hpp>
#include <rein/detail/gathered_numbers.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// Calls project(v, magnitude, numbers) for each vector that holds neither a NaN nor an Inf;
// it says whether it changed the vector. Several threads may call it, for one vector each.
template <class View, class Project>
Report project_vectors(const View& view, const Project& project) {
  const auto project_range = [&](Index begin, Index end) {
    Report report{.checked = end - begin};
    if (view.length() == 0) return report;
    GatheredNumbers numbers(view);
    for (Index first = begin, count; first < end; first += count) {
      count = (std::min)(numbers.together(), end - first);
      numbers.gather(first, count);
      for (Index v = first; v < first + count; ++v) {
        const double magnitude = numbers.magnitude(v);
        if (!is_finite(magnitude)) {
          ++report.nonfinite;
        } else if (project(v, magnitude, numbers)) {
          ++report.changed;
          numbers.note_changed(v);
        }
      }
      numbers.scatter();
    }
    return report;
  };
  const Index together = view.inner < short_run ? short_run : 1;
  return report_in_parallel(view.vectors, together, bytes_to_share(view), project_range);
}

}  // namespace rein::detail
