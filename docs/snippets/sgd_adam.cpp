#include <cstdio>

#include <rein/rein.hpp>

template <class Optimizer>
void run(const char* name, Optimizer optimizer) {
  Eigen::MatrixXd w{{1, -2}};
  const Eigen::MatrixXd gradient{{0.5, -0.25}};
  for (int step = 0; step < 3; ++step) optimizer.step(w, gradient * (step + 1));
  std::printf("%-24s%.10f  %.10f\n", name, w(0), w(1));
}

int main() {
  using namespace rein;
  const Eigen::MatrixXd w(1, 2);  // for its shape
  run("Sgd", Sgd{w, {.learning_rate = 0.1}});
  run("Sgd momentum", Sgd{w, {.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5}});
  run("Sgd nesterov, decay",
      Sgd{w, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}});
  run("Adam", Adam{w, {.learning_rate = 0.1}});
  run("Adam decay, amsgrad",
      Adam{w, {.learning_rate = 0.1, .weight_decay = 0.01, .amsgrad = true}});
  run("AdamW",
      Adam{w, {.learning_rate = 0.1, .weight_decay = 0.01, .decoupled_weight_decay = true}});
}
