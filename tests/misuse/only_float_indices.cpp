// refused: indices must be integers
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, const Eigen::VectorXf& rows) {
#else
void constrain(Eigen::MatrixXf& w, const Eigen::VectorXi& rows) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w, rein::only(rows));
}
