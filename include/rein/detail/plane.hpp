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
    double largest = 0;
    for (Index i = 0; i < normal_.size(); ++i) {
      require(is_finite(normal_[i]), owner, "an entry of normal", normal_[i], "a finite number");
      largest = (std::max)(largest, std::abs(normal_[i]));
    }
    require(largest > 0, owner, "the largest entry of normal", largest, "other than 0");

    exponent_ = scaled(largest).exponent;
    const Scaling scaling(exponent_);
    target_ = offset * scaling.down;
    scaled_.resize(padding + normal_.size());
    double lost = 0;
    for (Index i = -padding; i < normal_.size(); ++i) {
      const double entry = i < 0 ? 0 : normal_[i] * scaling.down;
      scaled_[padding + i] = entry;
      add_keeping_error(square_, lost, entry * entry);
      norm_ += std::abs(entry);
    }
    square_ += lost;
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

  // Moves vector v, whose numbers are of this magnitude, onto the plane, where it is not there
  // already: within the slack of rounding, or below it, where that will do. Says whether it
  // changed. Entries whose normal is 0 take no part: one that is large would take bits from the
  // others by the scale.
  template <class Numbers>
  bool project(Index v, double magnitude, Numbers& numbers, bool below_will_do) const {
    using namespace Eigen::internal;
    // Where nearly all of a vector is taken away, its rounding is large beside what is left, and
    // another round takes that away too.
    bool changed = false;
    const bool is_large = (std::max)(magnitude, std::abs(target_)) >= 1e250;
    for (int round = 0; round < 64; ++round) {
      Excess excess{};
      if (!is_large) excess = excess_of(v, numbers, {});
      if (excess.terms < 1e-250) {  // or nothing was summed
        excess = excess_of(v, numbers, scaling_of_terms(v, numbers));
      }
      const bool is_below = excess.value <= excess.slack;
      if (is_below && (excess.value >= -excess.slack || (below_will_do && round == 0))) break;

      if (!move(v, numbers, excess)) break;
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

  struct Excess {
    double value;  // <normal, v> - offset, scaled
    double terms;  // the sum of the magnitudes of what is added for it
    double slack;
    Scaling scaling;
  };

  template <class Numbers>
  Excess excess_of(Index v, Numbers& numbers, const Scaling& scaling) const {
    using namespace Eigen::internal;
    const auto term = [&](const Doubles& x, Index i) {
      // No Inf from what takes no part.
      const Doubles value = pmax(pmin(pmul(x, pset1<Doubles>(scaling.down)), pset1<Doubles>(1e300)),
                                 pset1<Doubles>(-1e300));
      return pmul(normal_at<Doubles>(i), value);
    };
    const auto sums =
        numbers.template sums_of<2, Rounding::a_few_times>(v, 0, [&](const Doubles& x, Index i) {
          return Terms<2>{{term(x, i), pabs(term(x, i))}};
        });
    const double target = std::clamp(target_ * scaling.down, -1e300, 1e300);
    const double terms = sums[1].total() + std::abs(target);
    const double slack = numbers.sum_slack(terms, norm_, scaling);
    double value = sums[0].minus(target);
    if (value > -slack - doubt(terms)) value = numbers.difference(sums[0], target, v, 0, term);
    return {value, terms, slack, scaling};
  }

  // Takes the normal times the excess from the vector; says whether that changed it. Where they are
  // scaled, one number after the other: a comparison of packets is a NaN, which Clang does not
  // expect under -ffast-math.
  template <class Numbers>
  EIGEN_DONT_INLINE bool move(Index v, Numbers& numbers, const Excess& excess) const {
    using namespace Eigen::internal;
    const double step = excess.value / square_;
    const auto part = [&]<class P>(Index i, P) {
      const P product = pmul(normal_at<P>(i), pset1<P>(step));
      return padd(product, pset1<P>(0.0));  // no -0, which would make 0 of a -0
    };
    const Scaling scaling = excess.scaling;
    if (scaling.down == 1) {
      return numbers.replace(v, 0,
                             [&]<class P>(const P& x, Index i) { return psub(x, part(i, P{})); });
    }
    return numbers.replace(v, 0, [&]<class P>(const P& x, Index i) {
      constexpr Index lanes = unpacket_traits<P>::size;
      double y[lanes];
      pstoreu(y, x);
      for (Index k = 0; k < lanes; ++k) {
        const double part_k = part(i + k, 0.0);
        if (part_k != 0) y[k] = (y[k] * scaling.down - part_k) * scaling.up;
      }
      return ploadu<P>(y);
    });
  }

  // The exponent of 0 is below all others.
  static int exponent_of(double x) { return x == 0 ? -3000 : scaled(x).exponent; }

  // Brings the vector and the offset, beside the scaled normal, where neither products nor offset
  // overflow.
  template <class Numbers>
  Scaling scaling_of_terms(Index v, Numbers& numbers) const {
    using namespace Eigen::internal;
    Doubles magnitudes = pset1<Doubles>(0.0);
    numbers.for_each_packet(v, 0, [&](const Doubles& x, const Doubles& ones, Index i) {
      const Doubles takes_part = pmul(one_if_positive(pabs(normal_at<Doubles>(i))), ones);
      magnitudes = pmax(magnitudes, pmul(pabs(x), takes_part));
    });
    return Scaling(
        (std::max)(exponent_of(predux_max(magnitudes)), exponent_of(offset_) - exponent_));
  }

  // The scaled normal's packet from entry i on, at most `padding` before the first.
  template <class P>
  P normal_at(Index i) const {
    return Eigen::internal::ploadu<P>(scaled_.data() + padding + i);
  }

  static constexpr Index padding = packet_size<double>;

  const char* owner_;
  Eigen::VectorXd normal_, scaled_;  // the latter to entries below 1, after zeros
  double offset_, target_;           // the latter scaled as the normal is
  int exponent_;                     // of the normal's scale
  double norm_ = 0, square_ = 0;  // the L1 norm and the square of the L2 norm of the scaled normal
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
    return project_vectors(view, [&](Index v, double magnitude, auto& numbers) {
      return plane.project(v, magnitude, numbers, below_will_do);
    });
  } else {
    return {};
  }
}

}  // namespace rein::detail
