#include <iostream>
#include <vector>

#include <rein/rein.hpp>

int main() {
  using Embedding = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Embedding embedding{{3, 4}, {6, 8}, {0, 9}};
  rein::Adam adam{embedding, {.learning_rate = 0.5}, rein::MaxNorm{5, rein::per_row}};

  const std::vector<int> batch{2, 0};        // the rows that a batch looked up,
  const Embedding gradient{{1, 0}, {0, 1}};  // and their gradients
  const rein::Report r = adam.step_rows(embedding, gradient, batch);
  std::cout << embedding << "\nchecked " << r.checked << ", changed " << r.changed << '\n';
}
