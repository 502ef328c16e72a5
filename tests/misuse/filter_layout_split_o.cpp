// refused: the layout's os must be adjacent
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& kernel) {
#ifdef MISUSE
  rein::MaxNorm{1.0, rein::per_filter("ohwo", {8, 3, 3, 4})}(kernel);
#else
  rein::MaxNorm{1.0, rein::per_filter("hwoo", {3, 3, 8, 4})}(kernel);
#endif
}
