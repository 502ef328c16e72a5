// refused: a norm constraint takes one bias and one only
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& w, Eigen::VectorXf& a, Eigen::VectorXf& b) {
  const rein::UnitNorm unit_norm{rein::per_row};
#ifdef MISUSE
  unit_norm(w, rein::tied(a), rein::tied(b));
#else
  unit_norm(w, rein::tied(a));
  b = a;
#endif
}
