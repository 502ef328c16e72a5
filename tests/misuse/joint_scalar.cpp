// refused: a tied or joint bias must have the weights' scalar
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, Eigen::VectorXd& bias) {
#else
void constrain(Eigen::MatrixXf& w, Eigen::VectorXf& bias) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w, rein::joint(bias));
}
