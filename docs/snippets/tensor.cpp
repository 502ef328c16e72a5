#include <iostream>

#include <rein/rein.hpp>
#include <rein/tensor.hpp>

int main() {
  Eigen::Tensor<float, 4> kernel(2, 3, 2, 2);  // kernel(o, i, h, w)
  kernel.setConstant(1);
  kernel.chip(1, 0).setConstant(0.25f);

  const auto grouping = rein::per_filter("oihw", kernel);
  const rein::MaxNorm max_norm{2.0, grouping};
  max_norm(rein::as_matrix(kernel));
  std::cout << rein::norms(rein::as_matrix(kernel), grouping).transpose() << '\n';

  Eigen::Tensor<float, 4> gradient(2, 3, 2, 2);
  gradient.setConstant(-1);
  rein::Sgd sgd{rein::as_matrix(kernel), {.learning_rate = 0.25}, max_norm};
  sgd.step(rein::as_matrix(kernel), rein::as_matrix(gradient));
  std::cout << rein::norms(rein::as_matrix(kernel), grouping).transpose() << '\n';

  // Memory of another library, in TensorFlow's order.
  float memory[] = {3, 0.1f, 4, 0.2f};
  Eigen::TensorMap<Eigen::Tensor<float, 4, Eigen::RowMajor>> hwio(memory, 2, 1, 1, 2);
  rein::MaxNorm{1.0, rein::per_filter("hwio", hwio)}(rein::as_matrix(hwio));
  std::cout << Eigen::Map<const Eigen::RowVector4f>(memory) << '\n';
}
