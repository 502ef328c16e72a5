// refused: the weights must be writable
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(const Eigen::MatrixXf& w) {
#else
void constrain(Eigen::MatrixXf& w) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w);
}
