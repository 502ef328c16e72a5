// refused: the weights must be writable
#include <rein/rein.hpp>

#ifdef MISUSE
void step(const Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#else
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#endif
  rein::Sgd sgd{w, {.learning_rate = 0.1}};
  sgd.step(w, gradient);
}
