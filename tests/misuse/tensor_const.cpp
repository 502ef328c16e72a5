// refused: the weights must be writable
#include <rein/rein.hpp>
#include <rein/tensor.hpp>

#ifdef MISUSE
void constrain(const Eigen::Tensor<float, 4>& kernel) {
#else
void constrain(Eigen::Tensor<float, 4>& kernel) {
#endif
  rein::MaxNorm{1.0, rein::per_filter("oihw", kernel)}(rein::as_matrix(kernel));
}
