#pragma once

#include <cmath>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/project.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/spectral_norm.hpp>
#include <rein/grouping.hpp>

namespace rein {

/// Limits the largest singular value of the whole matrix: W <- W * min(1, limit / sigma_max(W)), so
/// that ||W x||_2 <= limit * ||x||_2 for every x.
///
/// `limit` is finite and >= 0; anything else is refused with std::invalid_argument. A matrix that
/// holds a NaN or an Inf is left alone. The report counts the matrix as one vector; largest_norm is
/// sigma_max before the call.
///
/// sigma_max is found by iteration, each step reading the matrix twice, and is right to 1e-8
/// of itself in all tests, with repeated and clustered singular values too. A matrix counts as
/// within the limit up to limit * (1 + 5e-7 + 4 eps), so that a second call changes nothing; after
/// a call, sigma_max is within limit * (1 + 1e-6 + 8 eps).
///
/// The singular vector is kept for the next call, which then takes fewer steps: give each parameter
/// an object of its own. The first call for a shape allocates the memory for it, later ones
/// nothing. Gouk et al., "Regularisation of neural networks by enforcing Lipschitz continuity",
/// Machine Learning 110 (2021).
///
///     rein::MaxSpectralNorm max_spectral_norm{1.0};
///     max_spectral_norm(W);   // diag(4, 2) becomes diag(1, 0.5)
class MaxSpectralNorm final {
 public:
  explicit MaxSpectralNorm(double limit) : limit_(std::abs(limit)) {
    detail::require(detail::is_finite(limit) && limit >= 0, "MaxSpectralNorm", "limit", limit,
                    "a finite number >= 0");
  }

  double limit() const { return limit_; }

  /// Where the next call starts from, empty before the first. Assign it to resume a run.
  Eigen::VectorXd& vector() { return sigma_max_.vector(); }
  const Eigen::VectorXd& vector() const { return sigma_max_.vector(); }

  template <class W>
  Report operator()(W&& weights) {
    detail::explain_weights<W>();
    if constexpr (Weights<W>) {
      using Traits = detail::ScalarTraits<typename detail::Dense<W>::Scalar>;
      const auto view = detail::make_view(weights, whole);
      double sigma = 0;
      // There is one vector, and so one thread.
      Report report =
          detail::project_vectors(view, [&](Eigen::Index v, double magnitude, auto& numbers) {
            if (magnitude == 0) return false;
            const detail::Scaling scaling(detail::scaled(magnitude).exponent);
            const double scaled_sigma = sigma_max_(weights, scaling.down);
            sigma = scaled_sigma * scaling.up;
            // The entries' rounding, of subnormal ones by half a step, may bring sigma_max back up.
            constexpr double step = detail::power_of_two(Traits::denorm_exponent);
            const double half_step = step * scaling.down / 2;
            const double slack = std::sqrt(static_cast<double>(weights.size())) * half_step;
            const double bound = limit_ * scaling.down * (1 + 5e-7 + 4 * Traits::epsilon) + slack;
            const auto scaled_entry = [&]<class P>(const P& x, Eigen::Index) {
              using namespace Eigen::internal;
              const P part = pdiv(pmul(x, pset1<P>(scaling.down)), pset1<P>(scaled_sigma));
              return pmul(part, pset1<P>(limit_));
            };
            bool changed = false;
            for (int c = 0; c < Traits::components && scaled_sigma > bound; ++c) {
              changed |= numbers.replace(v, c, scaled_entry);
            }
            return changed;
          });
      report.largest_norm = sigma;
      return report;
    } else {
      return {};
    }
  }

 private:
  double limit_;
  detail::SpectralNorm<double> sigma_max_;
};

}  // namespace rein
