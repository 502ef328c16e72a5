// refused: the gradient must have the weights' scalar
#include <vector>

#include <rein/rein.hpp>

#ifdef MISUSE
void step(Eigen::MatrixXf& w, const Eigen::MatrixXd& gradient, const std::vector<int>& rows) {
#else
void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient, const std::vector<int>& rows) {
#endif
  rein::Adam adam{w, {.learning_rate = 0.1}, rein::MaxNorm{1.0, rein::per_row}};
  adam.step_rows(w, gradient, rows);
}
