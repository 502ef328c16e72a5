// refused: after the weights, a norm constraint takes tied
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& w, Eigen::VectorXf& bias) {
  const rein::MaxNorm max_norm{1.0, rein::per_row};
#ifdef MISUSE
  max_norm(w, bias);
#else
  max_norm(w, rein::tied(bias));
#endif
}
