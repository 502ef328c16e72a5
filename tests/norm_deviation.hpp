#pragma once
// What norms() promises of every norm.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "laws.hpp"
#include "oracle.hpp"

namespace laws {

/// Whether norms are within 2 eps of the exact ones; says which is not.
template <class Norms>
std::string deviation(const Norms& norms, const oracle::Weights& w,
                      const oracle::Grouping& grouping) {
  using Real = typename Norms::Scalar;
  const double eps = static_cast<double>(std::numeric_limits<Real>::epsilon());
  const double tolerance = strict && w.format.judged() ? 2 * eps : 64 * eps;
  const std::vector<oracle::Places> vectors = oracle::vectors_of(w, grouping);
  if (norms.size() != std::ssize(vectors)) return "another number of norms";
  for (std::size_t v = 0; v < vectors.size(); ++v) {
    const double norm = static_cast<double>(norms[static_cast<Index>(v)]);
    if (!oracle::finite(w, vectors[v])) {
      bool has_nan = false;
      for (const std::size_t place : vectors[v]) {
        const std::uint64_t magnitude = oracle::bits(w.numbers[place]) << 1;
        has_nan = has_nan || magnitude > oracle::bits(std::numeric_limits<double>::infinity()) << 1;
      }
      const std::uint64_t infinity = oracle::bits(std::numeric_limits<double>::infinity());
      const bool right = has_nan ? !oracle::finite(norm) && oracle::bits(norm) << 1 > infinity << 1
                                 : oracle::bits(norm) == infinity;
      if (!right) return name(v) + "has norm " + text(norm);
      continue;
    }
    const long double exact = oracle::norm(w, vectors[v]);
    const bool overflows = exact > static_cast<long double>(std::numeric_limits<Real>::max());
    const bool right =
        overflows
            ? !oracle::finite(norm)
            : std::abs(norm - exact) <=
                  tolerance * exact + static_cast<double>(std::numeric_limits<Real>::denorm_min());
    if (!right) return name(v) + "has norm " + text(norm) + ", not " + text(exact);
  }
  return "";
}

}  // namespace laws
