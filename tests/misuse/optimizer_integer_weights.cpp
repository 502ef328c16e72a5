// refused: the weights' scalar must be float
#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::MatrixXi& w, const Eigen::MatrixXi& gradient) {
#else
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#endif
  rein::Adam adam{w};
  adam.step(w, gradient);
}
