// refused: that of listed rows, their columns
#include <vector>

#include <rein/rein.hpp>

using Embedding = Eigen::Matrix<float, Eigen::Dynamic, 8, Eigen::RowMajor>;

#ifdef MISUSE
void step(Embedding& w, const Eigen::VectorXf& gradient, const std::vector<int>& rows) {
#else
void step(Embedding& w, const Embedding& gradient, const std::vector<int>& rows) {
#endif
  rein::Sgd sgd{w};
  sgd.step_rows(w, gradient, rows);
}
