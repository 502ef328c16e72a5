#include <cstdio>

#include <rein/rein.hpp>

int main() {
  Eigen::MatrixXd W{{0.6, 0.8}};
  rein::Sgd sgd{W, {.learning_rate = 0.5}, rein::every(3, rein::MaxNorm{1.0, rein::per_row})};
  for (int step = 1; step <= 7; ++step) {
    const rein::Report r = sgd.step(W, -W);  // a gradient that makes the row 1.5 times as long
    std::printf("step %d: norm %.3f, checked %td\n", step, W.norm(), r.checked);
  }
  std::printf("calls to save with the state: %td\n", sgd.constraint().calls());
}
