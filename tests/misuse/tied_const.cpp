// refused: a tied bias must be a writable dense Eigen vector
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, const Eigen::VectorXf& bias) {
#else
void constrain(Eigen::MatrixXf& w, Eigen::VectorXf& bias) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(bias));
}
