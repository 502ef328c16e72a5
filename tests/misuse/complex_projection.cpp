// refused: a simplex is for real weights
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXcf& w) {
#else
void constrain(Eigen::MatrixXf& w) {
#endif
  rein::Simplex{1.0, rein::per_row}(w);
}
