#include <rein/rein.hpp>

#include "train.hpp"

namespace with_rein {
namespace {

template <class W>
void train_any(W& weights, const W& gradient, int steps) {
  rein::Adam adam{weights, {.learning_rate = 0.01}, rein::MaxNorm{1.0, rein::per_row}};
  for (int i = 0; i < steps; ++i) adam.step(weights, gradient);
  const rein::MaxNorm max_norm{0.5, rein::per_col};
  max_norm(weights);
}

}  // namespace

void train(Eigen::MatrixXf& weights, const Eigen::MatrixXf& gradient, int steps) {
  train_any(weights, gradient, steps);
}

void train(Eigen::MatrixXd& weights, const Eigen::MatrixXd& gradient, int steps) {
  train_any(weights, gradient, steps);
}

void train(RowMajorXf& weights, const RowMajorXf& gradient, int steps) {
  train_any(weights, gradient, steps);
}

}  // namespace with_rein
