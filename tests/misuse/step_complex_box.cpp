// refused: complex weights have no order to clamp them by
#include <rein/rein.hpp>

#ifdef MISUSE
using W = Eigen::MatrixXcf;
#else
using W = Eigen::MatrixXf;
#endif

void step(W& w, const W& gradient) {
  rein::Sgd sgd{w, {.learning_rate = 0.1}, rein::Box{-1, 1}};
  sgd.step(w, gradient);
}
