#include <cstdio>

#include <rein/rein.hpp>

template <class C>
void show(const char* name, const C& constraint, Eigen::MatrixXd W) {
  const rein::Report r = constraint(W);
  std::printf("%-32s", name);
  for (const auto& row : W.rowwise()) std::printf(" (%g, %g, %g)", row(0), row(1), row(2));
  std::printf("; changed %td of %td\n", r.changed, r.checked);
}

int main() {
  const Eigen::MatrixXd W{{3, -2, 0.5}, {0.5, 0.25, 0.25}};
  const Eigen::Vector3d normal(1, 1, 0);
  using rein::per_row;
  show("before", rein::Unconstrained{}, W);
  show("L1Ball{2, per_row}", rein::L1Ball{2, per_row}, W);
  show("Simplex{1, per_row}", rein::Simplex{1, per_row}, W);
  show("Halfspace{normal, 0.75, ...}", rein::Halfspace{normal, 0.75, per_row}, W);
  show("Hyperplane{normal, 0.5, ...}", rein::Hyperplane{normal, 0.5, per_row}, W);
  show("ZeroMean{per_row}", rein::ZeroMean{per_row}, W);
}
