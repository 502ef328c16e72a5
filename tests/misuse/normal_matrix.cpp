// refused: a normal must be a vector, not a matrix
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, const Eigen::MatrixXf& normal) {
#else
void constrain(Eigen::MatrixXf& w, const Eigen::VectorXf& normal) {
#endif
  rein::Halfspace{normal, 1.0, rein::per_row}(w);
}
