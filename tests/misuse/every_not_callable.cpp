// refused: a constraint must be callable on the weights and return void or Report
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& w) {
#ifdef MISUSE
  const auto halve = [](Eigen::MatrixXd& weights) { weights *= 0.5; };
#else
  const auto halve = [](Eigen::MatrixXf& weights) { weights *= 0.5f; };
#endif
  rein::every(10, halve)(w);
}
