// refused: must be writable
#include <rein/rein.hpp>

#ifdef MISUSE
void clip(Eigen::MatrixXf& dw, const Eigen::VectorXf& db) {
#else
void clip(Eigen::MatrixXf& dw, Eigen::VectorXf& db) {
#endif
  rein::clip_gradient_norm(1.0, dw, db);
}
