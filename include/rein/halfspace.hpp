#pragma once

#include <utility>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/plane.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// A half-space: every vector v with <normal, v> > offset becomes the nearest one (in L2) within,
///
///     v <- v - normal * (<normal, v> - offset) / ||normal||_2^2
///
/// `normal` is a dense real Eigen vector, held as doubles; normal(i) goes with entry i of each
/// vector: along the row or column, in the order of the memory for whole and per_filter. Refused
/// with std::invalid_argument: a normal that holds a NaN or an Inf or nothing but zeros, an offset
/// that is not finite, and, before anything is written, weights whose vectors have another length.
///
/// A vector counts as inside up to 3 eps * (sum of |normal(i) * v_i| + |offset|), give or take half
/// a subnormal step for each entry, which is what rounding may leave after a call. Each entry is
/// right to eps of itself and 2e-15 of what it was and of |normal(i)| / ||normal||_2^2 times the
/// terms above. That holds where no entry of the normal but 0 is less than 1e-290 times the
/// largest. Boyd and Vandenberghe, "Convex Optimization" (2004), section 8.1.
///
///     rein::Halfspace halfspace{Eigen::Vector2d(1, 1), 2.0, rein::per_row};
///     halfspace(W);   // rows (3, 1) and (0, 1) become (2, 0) and (0, 1)
template <Grouping G>
class Halfspace final {
 public:
  template <class N>
  Halfspace(const Eigen::DenseBase<N>& normal, double offset, G grouping)
      : plane_("Halfspace", normal, offset), grouping_(grouping) {}

  const Eigen::VectorXd& normal() const { return plane_.normal(); }
  double offset() const { return plane_.offset(); }
  const G& grouping() const { return grouping_; }

  /// Throws unless the normal has this length.
  void check_length(Eigen::Index length) const { plane_.check_length(length); }

  template <class W>
  Report operator()(W&& weights) const {
    return detail::project_on_plane(std::forward<W>(weights), grouping_, plane_, true);
  }

 private:
  detail::Plane plane_;
  [[no_unique_address]] G grouping_;
};

/// A hyperplane: every vector v becomes the nearest one (in L2) with <normal, v> = offset, by the
/// same formula, with the same arguments, accuracy and errors as Halfspace.
///
///     rein::Hyperplane hyperplane{Eigen::Vector2d(1, 1), 2.0, rein::per_row};
///     hyperplane(W);   // rows (3, 1) and (0, 1) become (2, 0) and (0.5, 1.5)
template <Grouping G>
class Hyperplane final {
 public:
  template <class N>
  Hyperplane(const Eigen::DenseBase<N>& normal, double offset, G grouping)
      : plane_("Hyperplane", normal, offset), grouping_(grouping) {}

  const Eigen::VectorXd& normal() const { return plane_.normal(); }
  double offset() const { return plane_.offset(); }
  const G& grouping() const { return grouping_; }

  /// Throws unless the normal has this length.
  void check_length(Eigen::Index length) const { plane_.check_length(length); }

  template <class W>
  Report operator()(W&& weights) const {
    return detail::project_on_plane(std::forward<W>(weights), grouping_, plane_, false);
  }

 private:
  detail::Plane plane_;
  [[no_unique_address]] G grouping_;
};

}  // namespace rein
