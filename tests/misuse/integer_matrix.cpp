// refused: the weights' scalar must be float
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXi& w) {
#else
void constrain(Eigen::MatrixXd& w) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w);
}
