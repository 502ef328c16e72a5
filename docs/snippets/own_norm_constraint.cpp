#include <iostream>
#include <utility>

#include <rein/rein.hpp>

namespace rein {

/// Keeps norms within a factor of a centre: centre / ratio <= ||v||_2 <= centre * ratio.
template <Grouping G>
class NormNear {
 public:
  NormNear(double centre, double ratio, G grouping)
      : centre_(centre), ratio_(ratio), grouping_(grouping) {
    detail::require(detail::is_finite(centre) && centre > 0, "NormNear", "centre", centre,
                    "a finite number > 0");
    detail::require(detail::is_finite(ratio) && ratio >= 1, "NormNear", "ratio", ratio,
                    "a finite number >= 1");
  }

  const G& grouping() const { return grouping_; }
  detail::NormBand band() const { return {.low = centre_ / ratio_, .high = centre_ * ratio_}; }

  template <class W, class... With>
  Report operator()(W&& weights, With&&... with) const {
    return detail::constrain_norms(std::forward<W>(weights), grouping_, *this, with...);
  }

 private:
  double centre_, ratio_;
  G grouping_;
};

}  // namespace rein

// With the public building blocks alone: every vector gets the mean of the norms.
struct EqualNorms {
  template <class W>
  rein::Report operator()(W& weights) const {
    const Eigen::ArrayXd norms = rein::norms(weights, rein::per_row).template cast<double>();
    return rein::rescale(weights, rein::per_row, (norms > 0).select(norms.mean() / norms, 1));
  }
};

int main() {
  Eigen::MatrixXd W{{3, 4}, {0.6, 0.8}, {0, 0.1}};
  Eigen::VectorXd b{{10, 10, 10}};

  const rein::NormNear near_one{1, 2, rein::per_row};
  const rein::Report r = near_one(W, rein::tied(b));
  std::cout << W << "\nchanged " << r.changed << ", b = " << b.transpose() << "\n\n";

  EqualNorms{}(W);
  std::cout << rein::norms(W, rein::per_row).transpose() << '\n';
}
