// refused: the gradient must have the weights' shape
#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::Matrix3f& w, const Eigen::Matrix<float, 3, 4>& gradient) {
#else
void step(Eigen::Matrix3f& w, const Eigen::Matrix<float, 3, 3>& gradient) {
#endif
  rein::Adam adam{w, {.learning_rate = 0.1}, rein::MaxNorm{1.0, rein::per_row}};
  adam.step(w, gradient);
}
