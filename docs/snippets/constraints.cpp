#include <cstdio>

#include <rein/rein.hpp>

template <class C>
void show(const char* name, const C& constraint, Eigen::MatrixXd W) {
  const rein::Report r = constraint(W);
  std::printf("%-27s", name);
  for (const auto& row : W.rowwise()) std::printf(" (%g, %g)", row(0), row(1));
  std::printf("; changed %td of %td\n", r.changed, r.checked);
}

int main() {
  const Eigen::MatrixXd W{{3, 4}, {0.3, 0.4}, {0, 0}};
  using rein::per_row;
  show("before", rein::Unconstrained{}, W);
  show("MaxNorm{1, per_row}", rein::MaxNorm{1, per_row}, W);
  show("UnitNorm{per_row}", rein::UnitNorm{per_row}, W);
  show("MinMaxNorm{1, 2, per_row}", rein::MinMaxNorm{1, 2, per_row}, W);
  show("MinMaxNorm{1, 2, ..., 0.5}", rein::MinMaxNorm{1, 2, per_row, 0.5}, W);

  const Eigen::MatrixXd V{{-2, 0.1}, {1, 0}};
  std::printf("\n");
  show("before", rein::Unconstrained{}, V);
  show("NonNegative{}", rein::NonNegative{}, V);
  show("Box{-0.5, 0.5}", rein::Box{-0.5, 0.5}, V);
}
