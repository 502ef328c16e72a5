// refused: indices must be integers
#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient, const Eigen::VectorXf& rows) {
#else
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient, const Eigen::VectorXi& rows) {
#endif
  rein::Sgd sgd{w};
  sgd.step_rows(w, gradient, rows);
}
