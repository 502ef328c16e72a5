#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include <rein/rein.hpp>

void show(const char* name, Eigen::RowVector2f w, int calls = 1) {
  const rein::MaxNorm max_norm{3, rein::per_row};
  for (int i = 0; i < calls; ++i) max_norm(w);
  std::printf("%-36s", name);
  for (const float x : w) std::isnan(x) ? std::printf("  nan") : std::printf("  %g", x);
  std::printf("\n");
}

int main() {
  show("rein, inside, 100000 calls", {0.06f, 0.08f}, 100'000);
  show("rein, 1e20 1", {1e20f, 1});
  show("rein, 1e-24 1e-24", {1e-24f, 1e-24f});
  show("rein, Inf 1", {std::numeric_limits<float>::infinity(), 1});
  show("rein, NaN 100", {std::numeric_limits<float>::quiet_NaN(), 100});

  std::mt19937 random(1);
  Eigen::MatrixXf W = Eigen::MatrixXf::NullaryExpr(
      100'000, 64, [&] { return static_cast<float>(random()) * 0x1p-31f - 1; });
  const rein::MaxNorm max_norm{3, rein::per_row};
  std::printf("%-38s%td\n", "rein, vectors changed", max_norm(W).changed);
  std::printf("%-38s%td\n", "rein, by a second call", max_norm(W).changed);
}
