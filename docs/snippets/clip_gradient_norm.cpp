#include <cmath>
#include <cstdio>
#include <limits>

#include <rein/rein.hpp>

int main() {
  Eigen::MatrixXf W{{1, 1}};
  Eigen::VectorXf b{{1}};
  rein::Sgd step_W{W, {.learning_rate = 1}};
  rein::Sgd step_b{b, {.learning_rate = 1}};

  const auto train = [&](Eigen::MatrixXf dW, Eigen::VectorXf db) {
    const double norm = rein::clip_gradient_norm(1.0, dW, db);
    if (std::isfinite(norm)) {
      step_W.step(W, dW);
      step_b.step(b, db);
    }
    std::printf("norm %.4g: W = (%g, %g), b = %g\n", norm, W(0), W(1), b(0));
  };
  train(Eigen::MatrixXf{{0.5, 0}}, Eigen::VectorXf{{0.25}});
  train(Eigen::MatrixXf{{6, 0}}, Eigen::VectorXf{{8}});
  train(Eigen::MatrixXf{{3e20f, 0}}, Eigen::VectorXf{{4e20f}});
  train(Eigen::MatrixXf{{std::numeric_limits<float>::quiet_NaN(), 0}}, Eigen::VectorXf{{1}});
}
