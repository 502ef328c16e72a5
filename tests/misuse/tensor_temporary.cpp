// refused: must not be a temporary
#include <rein/rein.hpp>
#include <rein/tensor.hpp>

Eigen::Tensor<float, 4> load();

void constrain() {
#ifdef MISUSE
  rein::UnitNorm{rein::per_row}(rein::as_matrix(load()));
#else
  Eigen::Tensor<float, 4> kernel = load();
  rein::UnitNorm{rein::per_row}(rein::as_matrix(kernel));
#endif
}
