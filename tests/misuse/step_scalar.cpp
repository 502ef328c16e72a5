// refused: the weights must have the scalar that the optimizer was made for
#include <rein/rein.hpp>

void step(Eigen::MatrixXf& w, Eigen::MatrixXd& other) {
  rein::Sgd sgd{w};
#ifdef MISUSE
  sgd.step(other, other);
#else
  sgd.step(w, other.cast<float>());
#endif
}
