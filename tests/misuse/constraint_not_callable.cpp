// refused: a constraint must be callable on the weights and return void or Report
#include <rein/rein.hpp>

void step(Eigen::MatrixXf& w, const Eigen::MatrixXf& gradient) {
#ifdef MISUSE
  rein::Adam adam{w, {.learning_rate = 0.1}, 3.0};
#else
  rein::Adam adam{w, {.learning_rate = 0.1}, rein::MaxNorm{3.0, rein::per_row}};
#endif
  adam.step(w, gradient);
}
