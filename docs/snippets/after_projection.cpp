#include <cstdio>

#include <rein/rein.hpp>

namespace {

void run(const char* name, rein::Momentum what) {
  Eigen::MatrixXd W{{3, 4}};
  const Eigen::MatrixXd outwards{{-0.5, -1}}, back{{0.5, 1}};
  const rein::MaxNorm max_norm{5, rein::per_row};
  rein::Sgd sgd{W, {.learning_rate = 0.1, .momentum = 0.9, .after_projection = what}, max_norm};

  for (int step = 0; step < 10; ++step) sgd.step(W, outwards);
  std::printf("%-8s W (%.3f, %.3f), momentum (%6.3f, %6.3f); ", name, W(0), W(1), sgd.momentum()(0),
              sgd.momentum()(1));

  int steps = 1;
  while (sgd.step(W, back).changed != 0) ++steps;
  std::printf("inside %d step%s later\n", steps, steps == 1 ? "" : "s");
}

}  // namespace

int main() {
  run("keep", rein::Momentum::keep);
  run("reset", rein::Momentum::reset);
  run("tangent", rein::Momentum::tangent);
}
