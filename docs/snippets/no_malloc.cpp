// Eigen checks its allocations with assertions, which NDEBUG would turn off.
#undef NDEBUG
#define EIGEN_RUNTIME_NO_MALLOC

#include <cstdio>

#include <rein/rein.hpp>

int main() {
  Eigen::MatrixXf W = Eigen::MatrixXf::Random(64, 64);
  Eigen::VectorXf b = Eigen::VectorXf::Random(64);
  const Eigen::MatrixXf gradient = Eigen::MatrixXf::Random(64, 64);
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  rein::Adam adam{W, {.weight_decay = 0.01}, max_norm};  // allocates its two moments

  Eigen::internal::set_is_malloc_allowed(false);
  max_norm(W, rein::tied(b), rein::only({3, 1, 2}));
  adam.step(W, 2 * gradient);
  Eigen::internal::set_is_malloc_allowed(true);
  std::printf("no allocation\n");
}
