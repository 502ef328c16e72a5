#include <algorithm>
#include <cstdio>

#include <rein/rein.hpp>

template <class Limit>
void train(const char* name, const Limit& limit) {
  Eigen::MatrixXd W{{0.6, 0.8}};
  rein::Sgd sgd{W, {.learning_rate = 1.0}, rein::MaxNorm{limit(0), rein::per_row}};
  std::printf("%s", name);
  for (int step = 0; step < 6; ++step) {
    sgd.constraint() = rein::MaxNorm{limit(step), rein::per_row};
    sgd.step(W, -W);  // a gradient that doubles the norm
    std::printf("%7.2f", W.norm());
  }
  std::printf("\n");
}

int main() {
  train("growing limit  ", [](int step) { return std::min(1.5 + 0.5 * step, 3.0); });
  train("shrinking limit", [](int step) { return std::max(12.0 / (1 + step), 3.0); });
}
