#include <iostream>

#include <rein/rein.hpp>

#include "near_unit_norm.hpp"

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

  const rein::NearUnitNorm near_unit_norm{2, rein::per_row};
  const rein::Report r = near_unit_norm(W, rein::tied(b));
  std::cout << W << "\nchanged " << r.changed << ", b = " << b.transpose() << "\n\n";

  EqualNorms{}(W);
  std::cout << rein::norms(W, rein::per_row).transpose() << '\n';

  // After a step, in the same pass over memory.
  rein::Sgd sgd{W, {.learning_rate = 1.0}, near_unit_norm};
  sgd.step(W, -W);
  std::cout << rein::norms(W, rein::per_row).transpose() << '\n';
}
