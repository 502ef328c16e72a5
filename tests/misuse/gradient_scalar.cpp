// refused: the gradient must have the weights' scalar
#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::MatrixXf& w, const Eigen::MatrixXd& gradient) {
#else
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#endif
  rein::Adam adam{w, {.learning_rate = 0.1}, rein::MaxNorm{1.0, rein::per_row}};
  adam.step(w, gradient);
}
