// refused: the weights must be writable
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& a, const Eigen::MatrixXf& b) {
  const rein::MaxNorm max_norm{1.0, rein::per_row};
#ifdef MISUSE
  max_norm(a + b);
#else
  a += b;
  max_norm(a);
#endif
}
