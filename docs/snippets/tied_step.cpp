#include <cstdio>

#include <rein/rein.hpp>

int main() {
  Eigen::MatrixXd W{{3, 4}};
  Eigen::VectorXd b{{10.0}};
  const rein::MaxNorm max_norm{1.0, rein::per_row};

  // b takes its own step first; the constraint of W then rescales both.
  rein::Sgd step_b{b, {.learning_rate = 0.1}};
  rein::Sgd step_W{
      W, {.learning_rate = 0.1}, [&](auto& weights) { return max_norm(weights, rein::tied(b)); }};

  step_b.step(b, Eigen::VectorXd{{0.0}});
  step_W.step(W, Eigen::MatrixXd{{0.0, 0.0}});
  std::printf("W = (%g, %g), b = %g\n", W(0), W(1), b(0));
}
