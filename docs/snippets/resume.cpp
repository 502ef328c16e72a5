#include <cstdio>

#include <rein/rein.hpp>

int main() {
  const auto gradient = [](const Eigen::MatrixXd& weights) {
    return Eigen::MatrixXd(weights.array().sin());
  };
  const rein::AdamOptions options{.learning_rate = 0.1};
  const rein::MaxNorm max_norm{2.0, rein::per_row};

  Eigen::MatrixXd W{{3, 4}, {0.3, -0.4}};
  rein::Adam adam{W, options, max_norm};
  for (int i = 0; i < 10; ++i) adam.step(W, gradient(W));

  // What to save: the weights, the moments and the number of steps.
  const Eigen::MatrixXd saved_W = W;
  const Eigen::MatrixXd saved_first = adam.first_moment();
  const Eigen::MatrixXd saved_second = adam.second_moment();
  const Eigen::Index saved_steps = adam.steps();

  for (int i = 0; i < 10; ++i) adam.step(W, gradient(W));

  Eigen::MatrixXd resumed = saved_W;
  rein::Adam again{resumed, options, max_norm};
  again.first_moment() = saved_first;
  again.second_moment() = saved_second;
  again.steps() = saved_steps;
  for (int i = 0; i < 10; ++i) again.step(resumed, gradient(resumed));

  std::printf("%s after %td steps\n", resumed == W ? "same bits" : "different", again.steps());
}
