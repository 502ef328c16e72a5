#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include <rein/rein.hpp>

int main() {
  const rein::MaxNorm max_norm{3.0, rein::per_row};

  Eigen::MatrixXf inside{{0.06f, 0.08f}};
  for (int i = 0; i < 1'000'000; ++i) max_norm(inside);
  const bool same = inside == Eigen::MatrixXf{{0.06f, 0.08f}};
  std::printf("a million calls on a vector inside the limit: %s\n", same ? "same bits" : "changed");

  std::mt19937 random(1);
  const Eigen::MatrixXf W = Eigen::MatrixXf::NullaryExpr(
      100'000, 64, [&] { return static_cast<float>(random()) * 0x1p-31f - 1; });
  Eigen::MatrixXf projected = W;
  const rein::Report first = max_norm(projected);
  const rein::Report second = max_norm(projected);
  std::printf("first call changed %td vectors, second call %td\n", first.changed, second.changed);
  const double largest = projected.cast<double>().rowwise().norm().maxCoeff();
  std::printf("largest norm within 3 * (1 + 8 eps): %s\n",
              largest <= 3 * (1 + 8 * 0x1p-23) ? "yes" : "no");

  Eigen::MatrixXf extreme{{1e20f, 1e20f}, {1e-30f, 1e-30f}};
  max_norm(extreme);
  std::printf("1e20, 1e20 -> %g, %g\n", extreme(0, 0), extreme(0, 1));
  std::printf("1e-30, 1e-30 -> %g, %g\n", extreme(1, 0), extreme(1, 1));

  Eigen::MatrixXf broken{{std::numeric_limits<float>::quiet_NaN(), 100}, {30, 40}};
  const rein::Report r = max_norm(broken);
  std::printf("NaN, 100 -> %s, %g;  30, 40 -> %g, %g;  nonfinite %td\n",
              std::isnan(broken(0, 0)) ? "NaN" : "?", broken(0, 1), broken(1, 0), broken(1, 1),
              r.nonfinite);
}
