// refused: a tied bias must be a vector, not a matrix
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, Eigen::MatrixXf& bias) {
#else
void constrain(Eigen::MatrixXf& w, Eigen::VectorXf& bias) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(bias));
}
