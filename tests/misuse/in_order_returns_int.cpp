// refused: a constraint must be callable on the weights and return void or Report
#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& w) {
#ifdef MISUSE
  const auto count = [](auto& weights) { return static_cast<int>(weights.size()); };
#else
  const auto count = [](auto& weights) { return rein::Report{.checked = weights.size()}; };
#endif
  rein::in_order(rein::NonNegative{}, count)(w);
}
