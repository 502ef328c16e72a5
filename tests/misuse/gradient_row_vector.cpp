// refused: the gradient must have the weights' shape
#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::VectorXf& w, const Eigen::RowVectorXf& gradient) {
#else
void step(Eigen::VectorXf& w, const Eigen::VectorXf& gradient) {
#endif
  rein::Sgd sgd{w};
  sgd.step(w, gradient);
}
