#include <iostream>
#include <vector>

#include <rein/rein.hpp>

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

int main() {
  const rein::MaxNorm max_norm{1.0, rein::per_row};

  // Row-major memory, as LibTorch, MLX and TensorFlow hold it; here 2 outputs x 2 inputs.
  std::vector<float> row_major{3, 4, 0.3f, 0.4f};
  Eigen::Map<RowMajor> W(row_major.data(), 2, 2);
  max_norm(W);
  std::cout << W << "\n\n";

  // Column-major memory, as Armadillo and Fortran hold it: the same matrix, the same grouping.
  std::vector<float> col_major{3, 0.3f, 4, 0.4f};
  Eigen::Map<Eigen::MatrixXf> V(col_major.data(), 2, 2);
  max_norm(V);
  std::cout << V << "\n\n";

  // An optimizer on mapped memory. Its state is its own; only the maps are made anew.
  const std::vector<float> gradient{1, 0, 0, 1};
  rein::Sgd sgd{W, {.learning_rate = 0.5}, max_norm};
  sgd.step(Eigen::Map<RowMajor>(row_major.data(), 2, 2),
           Eigen::Map<const RowMajor>(gradient.data(), 2, 2));
  std::cout << W << "\n\n";

  // Part of a larger buffer: rows 4 apart, and an address that is no multiple of 16.
  std::vector<float> buffer{9, 3, 4, 9, 9, 6, 8, 9};
  max_norm(Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>(buffer.data() + 1, 2, 2,
                                                                        Eigen::OuterStride<>(4)));
  std::cout << Eigen::Map<const Eigen::RowVectorXf>(buffer.data(), 8) << '\n';
}
