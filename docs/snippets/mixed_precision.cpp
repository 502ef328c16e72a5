#include <cstdint>
#include <cstdio>

#include <rein/rein.hpp>

template <class Low>
using Matrix = Eigen::Matrix<Low, Eigen::Dynamic, Eigen::Dynamic>;

// 1000 steps of 1e-4 down from 1. Adam makes no difference between large and small gradients.
template <class Low>
void walk_down(const char* name, float gradient) {
  const rein::AdamOptions options{.learning_rate = 1e-4};

  Matrix<Low> alone = Matrix<Low>::Ones(1, 1);
  rein::Adam low{alone, options};

  Eigen::MatrixXf master = Eigen::MatrixXf::Ones(1, 1);
  rein::Adam adam{master, options};

  const Matrix<Low> g = Matrix<Low>::Constant(1, 1, Low(gradient));
  for (int i = 0; i < 1000; ++i) {
    low.step(alone, g);
    adam.step(master, g.template cast<float>());
  }
  std::printf("%-9s gradients of %-5g  alone %5.2f, rounded from float %5.2f\n", name, gradient,
              static_cast<double>(alone(0)), static_cast<double>(Low(master(0))));
}

// 1000 rows that keep growing, under a limit on the float weights.
template <class Low>
void grow(const char* name, double limit, double eps) {
  std::uint32_t state = 1;
  Eigen::MatrixXf master = Eigen::MatrixXf::NullaryExpr(1000, 64, [&] {
    state = 1664525 * state + 1013904223;
    return static_cast<float>(state >> 8) * 0x1p-23f - 1;
  });

  Matrix<Low> weights = master.cast<Low>();  // what the network computes with
  rein::Adam adam{master, {.learning_rate = 1e-4}, rein::MaxNorm{limit, rein::per_row}};
  for (int step = 0; step < 5; ++step) {
    const Matrix<Low> gradient = -weights;
    adam.step(master, gradient.template cast<float>());
    weights = master.cast<Low>();
  }

  const Eigen::ArrayXd norms = weights.template cast<double>().rowwise().norm();
  std::printf("%-9s limit %.4f: %3.0f%% of the norms above 1, the largest 1 %+.1f eps; ", name,
              limit, 100 * (norms > 1).cast<double>().mean(), (norms.maxCoeff() - 1) / eps);
  std::printf("MaxNorm{1} changes %td\n", rein::MaxNorm{1.0, rein::per_row}(weights).changed);
}

int main() {
  for (const float gradient : {1.0f, 1e-3f}) walk_down<Eigen::half>("half", gradient);
  for (const float gradient : {1.0f, 1e-3f}) walk_down<Eigen::bfloat16>("bfloat16", gradient);

  constexpr double half_eps = 0x1p-10, bfloat16_eps = 0x1p-7;
  grow<Eigen::half>("half", 1, half_eps);
  grow<Eigen::half>("half", 1 - half_eps, half_eps);
  grow<Eigen::bfloat16>("bfloat16", 1, bfloat16_eps);
  grow<Eigen::bfloat16>("bfloat16", 1 - bfloat16_eps, bfloat16_eps);
}
