// refused: per_filter needs weights that are contiguous in memory
#include <rein/rein.hpp>

void constrain(Eigen::VectorXf& kernel) {
  const rein::MaxNorm max_norm{1.0, rein::per_filter("oi", {2, 4})};
#ifdef MISUSE
  max_norm(kernel.reverse());
#else
  max_norm(kernel);
#endif
}
