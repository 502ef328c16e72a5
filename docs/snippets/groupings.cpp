#include <iostream>
#include <vector>

#include <rein/rein.hpp>

int main() {
  const Eigen::MatrixXf W{{3, 4}, {0, 5}, {8, 6}};
  std::cout << "per_row: " << rein::norms(W, rein::per_row).transpose() << '\n'
            << "per_col: " << rein::norms(W, rein::per_col).transpose() << '\n'
            << "whole:   " << rein::norms(W, rein::whole).transpose() << '\n';

  // The same eight numbers, read as two PyTorch filters and as two Keras filters.
  const std::vector<float> memory{3, 0, 0, 4, 6, 0, 0, 8};
  const Eigen::Map<const Eigen::VectorXf> kernel(memory.data(), 8);
  const auto oihw = rein::per_filter("oihw", {2, 1, 2, 2});
  const auto hwio = rein::per_filter("hwio", {2, 2, 1, 2});
  std::cout << "oihw:    " << rein::norms(kernel, oihw).transpose() << '\n'
            << "hwio:    " << rein::norms(kernel, hwio).transpose() << '\n';
}
