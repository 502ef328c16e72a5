// refused: indices must be integers
#include <vector>

#include <rein/rein.hpp>

#ifdef MISUSE
void constrain(Eigen::MatrixXf& w, const std::vector<bool>& rows) {
#else
void constrain(Eigen::MatrixXf& w, const std::vector<int>& rows) {
#endif
  rein::MaxNorm{1.0, rein::per_row}(w, rein::only(rows));
}
