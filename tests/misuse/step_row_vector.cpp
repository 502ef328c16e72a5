// refused: the weights must have the shape that the optimizer was made for
#include <rein/rein.hpp>

void step(Eigen::Matrix4f& w, const Eigen::Matrix4f& gradient) {
  rein::Sgd sgd{w, {.learning_rate = 0.1}, rein::MaxNorm{1.0, rein::per_row}};
#ifdef MISUSE
  sgd.step(w.row(0), gradient);
#else
  sgd.step(w, gradient);
#endif
}
