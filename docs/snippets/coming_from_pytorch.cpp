#include <cstdio>

#include <rein/rein.hpp>

void show(const char* name, const Eigen::MatrixXf& W) {
  std::printf("%-36s", name);
  for (const auto& row : W.rowwise()) {
    for (const float w : row) std::printf("  %g", w);
  }
  std::printf("\n");
}

int main() {
  const Eigen::MatrixXf linear{{3, 4}, {0.3f, 0.4f}, {0.6f, 1.8f}};  // 3 outputs x 2 inputs

  Eigen::MatrixXf W = linear;
  rein::MaxNorm{1, rein::per_row}(W);
  show("MaxNorm{1, per_row}", W);

  W = linear;
  rein::MaxNorm{1, rein::per_col}(W);
  show("MaxNorm{1, per_col}", W);

  Eigen::MatrixXf embedding = linear;
  rein::MaxNorm{1, rein::per_row}(embedding, rein::only({2, 1}));
  show("MaxNorm{1, per_row}, only({2, 1})", embedding);

  Eigen::VectorXf conv{{1, 2, 3, 4, 5, 6, 7, 8}};  // 2 x 1 x 2 x 2 in memory
  rein::MaxNorm{5, rein::per_filter("oihw", {2, 1, 2, 2})}(conv);
  show("MaxNorm{5, per_filter(\"oihw\", ...)}", conv);
}
