#include <cstdio>

#include <rein/rein.hpp>

int main() {
  Eigen::MatrixXd W{{3, 4}};
  const Eigen::MatrixXd gradient{{-1, -1}};
  rein::Sgd sgd{W, {.learning_rate = 1.0, .momentum = 0.5}, rein::MaxNorm{5, rein::per_row}};

  for (int epoch = 0; epoch < 3; ++epoch) {
    sgd.constraint() = rein::MaxNorm{5.0 - epoch, rein::per_row};  // tighten the limit
    const rein::Report r = sgd.step(W, gradient);
    sgd.options().learning_rate *= 0.5;  // for the next step
    std::printf("norm before %.4f, after %.4f, momentum (%.2f, %.2f)\n", r.largest_norm, W.norm(),
                sgd.momentum()(0), sgd.momentum()(1));
  }
}
