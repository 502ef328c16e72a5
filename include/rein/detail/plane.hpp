#pragma once

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/project.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// The plane <normal, v> = offset, for vectors of the normal's length.
class Plane {
 public:
  template <class N>
  Plane(const char* owner, const Eigen::DenseBase<N>& normal, double offset)
      : owner_(owner), normal_(plain(normal)), offset_(offset) {
    require(is_finite(offset), owner, "offset", offset, "a finite number");
    for (const double entry : normal_) {
      require(is_finite(entry), owner, "an entry of normal", entry, "a finite number");
      largest_ = (std::max)(largest_, std::abs(entry));
    }
    require(largest_ > 0, owner, "the largest entry of normal", largest_, "other than 0");
  }

  const Eigen::VectorXd& normal() const { return normal_; }
  double offset() const { return offset_; }

  // Refuses vectors of another length than the normal's.
  void check_length(Index length) const {
    if (length != normal_.size()) {
      invalid_argument(owner_, {"the size of normal is ", text(normal_.size()),
                                "; it must be the length of the vectors, ", text(length)});
    }
  }

  // Moves vector v onto the plane, where it is not there already: within the slack of rounding, or
  // below it, where that will do. Says whether it changed. Entries whose normal is 0 take no part:
  // one that is large would take bits from the others by the scale.
  template <class View>
  bool project(const View& view, Index v, bool below_will_do) const {
    double largest = 0;
    Index i = 0;
    for_each_component(view, v, [&](const auto& x) {
      if (normal_[i++] != 0) largest = (std::max)(largest, std::abs(static_cast<double>(x)));
    });
    // Normal and vector are scaled so that neither the products nor the offset overflow.
    const Scaling normal_scaling(exponent_of(largest_));
    const Scaling scaling(
        (std::max)(exponent_of(largest), exponent_of(offset_) - exponent_of(largest_)));
    const double target = std::clamp(offset_ * normal_scaling.down * scaling.down, -1e300, 1e300);
    const auto normal = [&](Index k) { return normal_[k] * normal_scaling.down; };

    // Where nearly all of a vector is taken away, its rounding is large beside what is left, and
    // another round takes that away too.
    bool changed = false;
    for (int round = 0; round < 64; ++round) {
      CompensatedSum product, magnitudes, normal_norm, normal_square;
      i = 0;
      for_each_component(view, v, [&](const auto& x) {
        const double n = normal(i++);
        if (n == 0) return;
        const double term = n * (static_cast<double>(x) * scaling.down);
        product.add(term);
        magnitudes.add(std::abs(term));
        normal_norm.add(std::abs(n));
        normal_square.add(n * n);
      });
      const double excess = product.minus(target);
      const double slack = sum_slack<typename View::Scalar>(magnitudes.total() + std::abs(target),
                                                            normal_norm.total(), scaling);
      if (excess <= slack && (excess >= -slack || (below_will_do && round == 0))) break;

      const double step = excess / normal_square.total();
      i = 0;
      const bool moved = replace_entries(view, v, [&](double x) {
        const double part = normal(i++) * step;
        return part == 0 ? x : (x * scaling.down - part) * scaling.up;
      });
      if (!moved) break;
      changed = true;
    }
    return changed;
  }

 private:
  template <class N>
  static Eigen::VectorXd plain(const Eigen::DenseBase<N>& normal) {
    static_assert(N::IsVectorAtCompileTime, "rein: a normal must be a vector, not a matrix");
    static_assert(!Eigen::NumTraits<typename N::Scalar>::IsComplex,
                  "rein: a normal must be real, not complex");
    return normal.derived().reshaped().template cast<double>();
  }

  // The exponent of 0 is below all others.
  static int exponent_of(double x) { return x == 0 ? -3000 : scaled(x).exponent; }

  const char* owner_;
  Eigen::VectorXd normal_;
  double offset_;
  double largest_ = 0;  // magnitude of the normal's entries
};

// Applies the plane to each vector of real weights.
template <class W, class G>
Report project_on_plane(W&& weights, const G& grouping, const Plane& plane, bool below_will_do) {
  explain_weights<W>();
  if constexpr (Weights<W>) {
    static_assert(ScalarTraits<typename Dense<W>::Scalar>::components == 1,
                  "rein: a half-space or hyperplane is for real weights, not for complex ones");
    const auto view = make_view(weights, grouping);
    plane.check_length(view.length());
    return project_vectors(view,
                           [&](Index v, double) { return plane.project(view, v, below_will_do); });
  } else {
    return {};
  }
}

}  // namespace rein::detail
