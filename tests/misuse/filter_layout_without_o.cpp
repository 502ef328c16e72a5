// refused: the layout must mark the filters' axis with the letter o
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& kernel) {
#ifdef MISUSE
  rein::MaxNorm{1.0, rein::per_filter("nihw", {8, 4, 3, 3})}(kernel);
#else
  rein::MaxNorm{1.0, rein::per_filter("oihw", {8, 4, 3, 3})}(kernel);
#endif
}
