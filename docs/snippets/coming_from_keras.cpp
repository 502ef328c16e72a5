#include <cstdio>

#include <rein/rein.hpp>

void show(const char* name, const Eigen::MatrixXf& W) {
  std::printf("%-36s", name);
  for (const auto& col : W.colwise()) {
    for (const float w : col) std::printf("  %g", w);
  }
  std::printf("\n");
}

template <class C>
void apply(const char* name, const C& constraint, Eigen::MatrixXf W) {
  constraint(W);
  show(name, W);
}

int main() {
  using rein::per_col, rein::per_filter;
  const Eigen::MatrixXf dense{{3, 0.3f, 0.6f}, {4, 0.4f, 1.8f}};  // 2 inputs x 3 outputs
  apply("MaxNorm{1, per_col}", rein::MaxNorm{1, per_col}, dense);
  apply("UnitNorm{per_col}", rein::UnitNorm{per_col}, dense);
  apply("MinMaxNorm{1, 2, per_col}", rein::MinMaxNorm{1, 2, per_col}, dense);
  apply("MinMaxNorm{1, 2, per_col, 0.5}", rein::MinMaxNorm{1, 2, per_col, 0.5}, dense);
  apply("NonNegative{}", rein::NonNegative{}, Eigen::MatrixXf{{-1, 2, 0.5f, -3}});

  const Eigen::VectorXf memory{{1, 2, 3, 4, 5, 6, 7, 8}};
  apply("MaxNorm{5, per_filter(\"hwio\", ...)}", rein::MaxNorm{5, per_filter("hwio", {2, 2, 1, 2})},
        memory);
  apply("MaxNorm{5, per_filter(\"hwoo\", ...)}", rein::MaxNorm{5, per_filter("hwoo", {2, 1, 2, 2})},
        memory);
}
