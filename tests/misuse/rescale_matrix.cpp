// refused: the factors must be a vector of real numbers
#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, const Eigen::ArrayXXf& factors) {
#else
void constrain(Eigen::MatrixXf& w, const Eigen::ArrayXf& factors) {
#endif
  rein::rescale(w, rein::per_row, factors);
}
