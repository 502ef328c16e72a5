// refused: the weights must be writable
#include <rein/rein.hpp>

void step(Eigen::MatrixXf& a, const Eigen::MatrixXf& b, const Eigen::MatrixXf& gradient) {
  rein::Adam adam{a};
#ifdef MISUSE
  adam.step(a + b, gradient);
#else
  a += b;
  adam.step(a, gradient);
#endif
}
