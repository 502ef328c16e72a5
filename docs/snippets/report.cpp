#include <cstdio>

#include <rein/rein.hpp>

int main() {
  // One limit per layer, and one report for all of them.
  Eigen::MatrixXf W1{{3, 4}, {0.3f, 0.4f}};
  Eigen::MatrixXf W2{{0, 2}};
  const rein::MaxNorm hidden{3.5, rein::per_row};
  const rein::MaxNorm output{1.0, rein::per_row};

  rein::Report r = hidden(W1);
  r += output(W2);
  std::printf("checked %td, changed %td, nonfinite %td, largest norm %g\n", r.checked, r.changed,
              r.nonfinite, r.largest_norm);
}
