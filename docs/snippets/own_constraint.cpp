#include <iostream>

#include <rein/rein.hpp>

// A functor: no unit feeds itself. Reports how many entries it changed.
struct ZeroDiagonal {
  template <class W>
  rein::Report operator()(W& weights) const {
    const auto nonzero = (weights.diagonal().array() != 0).count();
    weights.diagonal().setZero();
    return {.checked = weights.diagonal().size(), .changed = nonzero};
  }
};

// A functor with state: a weight that was once below the threshold stays zero. Reports nothing.
struct Prune {
  float threshold;
  Eigen::ArrayXX<bool> pruned{};

  template <class W>
  void operator()(W& weights) {
    if (pruned.size() == 0) pruned.setConstant(weights.rows(), weights.cols(), false);
    pruned = pruned || weights.array().abs() < threshold;
    weights = pruned.select(0.0f, weights);
  }
};

int main() {
  Eigen::MatrixXf W{{1, 2}, {3, 4}};
  const Eigen::MatrixXf gradient{{-1, -1}, {-1, -1}};

  rein::Sgd sgd{W, {.learning_rate = 0.5}, ZeroDiagonal{}};
  const rein::Report r = sgd.step(W, gradient);
  std::cout << W << "\nchanged " << r.changed << "\n\n";

  // A lambda: a fixed pattern of zeros, then a limit on what is left.
  const Eigen::MatrixXf mask{{0, 1}, {1, 1}};
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  const auto masked = [&](auto& weights) {
    weights.array() *= mask.array();
    return max_norm(weights);
  };
  rein::Adam adam{W, {.learning_rate = 0.5}, masked};
  adam.step(W, gradient);
  std::cout << W << "\n\n";

  Eigen::MatrixXf V{{0.1f, 2}, {3, -0.6f}};
  rein::Sgd pruning{V, {.learning_rate = 0.5}, Prune{.threshold = 0.25f}};
  for (int step = 1; step <= 2; ++step) {
    pruning.step(V, gradient);
    std::cout << V << "\npruned " << pruning.constraint().pruned.count() << '\n';
  }
}
