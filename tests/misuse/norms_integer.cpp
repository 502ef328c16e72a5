// refused: the weights' scalar must be float
#include <rein/rein.hpp>

#ifdef MISUSE
double norm(const Eigen::MatrixXi& w) {
#else
double norm(const Eigen::MatrixXf& w) {
#endif
  return rein::norms(w, rein::whole)(0);
}
