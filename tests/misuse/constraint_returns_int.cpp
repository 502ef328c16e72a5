// refused: a constraint must be callable on the weights and return void or Report
#include <rein/rein.hpp>

void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#ifdef MISUSE
  const auto halve = [](auto& weights) { return (weights *= 0.5f).size() > 0 ? 1 : 0; };
#else
  const auto halve = [](auto& weights) { weights *= 0.5f; };
#endif
  rein::Sgd sgd{w, {.learning_rate = 0.1}, halve};
  sgd.step(w, gradient);
}
