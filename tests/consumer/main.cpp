#include <cmath>
#include <cstdio>

#include <rein/rein.hpp>

#include "layer.hpp"

// Built as a user would build it. Rows of norms 5 and 1 under the limit 2: one changes. With an
// argument, a limit is refused, which ends the program.
int main(int argc, char**) {
  if (argc > 1) {
    const rein::MaxNorm refused{-1.0, rein::per_row};
    return 0;
  }
  const Eigen::MatrixXf before{{3.0f, 4.0f}, {0.6f, 0.8f}};

  Eigen::MatrixXf here = before;
  const rein::Report report = rein::MaxNorm{2.0, rein::per_row}(here);

  Eigen::MatrixXf there = before;
  constrain(there);

  const bool ok = report.checked == 2 && report.changed == 1 && here == there &&
                  std::abs(here.row(0).norm() - 2.0f) < 1e-6f && here.row(1) == before.row(1);
  std::printf("%d of %d rows changed, largest norm %g: %s\n", static_cast<int>(report.changed),
              static_cast<int>(report.checked), report.largest_norm, ok ? "ok" : "WRONG");
  return ok ? 0 : 1;
}
