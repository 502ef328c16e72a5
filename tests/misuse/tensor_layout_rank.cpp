// refused: the layout must have one letter for each axis of the tensor
#include <rein/rein.hpp>
#include <rein/tensor.hpp>

void constrain(Eigen::Tensor<float, 4>& kernel) {
#ifdef MISUSE
  rein::MaxNorm{1.0, rein::per_filter("oiw", kernel)}(rein::as_matrix(kernel));
#else
  rein::MaxNorm{1.0, rein::per_filter("oihw", kernel)}(rein::as_matrix(kernel));
#endif
}
