#include <cmath>

#include <Eigen/Core>

#include "train.hpp"

namespace by_hand {
namespace {

template <class W>
class Adam {
  using Scalar = typename W::Scalar;

 public:
  Adam(const W& weights, double learning_rate)
      : learning_rate_(learning_rate),
        first_moment_(W::Zero(weights.rows(), weights.cols())),
        second_moment_(first_moment_) {}

  void step(W& weights, const W& gradient) {
    power1_ *= 0.9;
    power2_ *= 0.999;
    const auto rate = static_cast<Scalar>(learning_rate_ / (1 - power1_));
    const auto correction = static_cast<Scalar>(std::sqrt(1 - power2_));
    const auto g = gradient.array();
    auto m = first_moment_.array();
    auto v = second_moment_.array();
    m += Scalar(0.1) * (g - m);
    v = Scalar(0.999) * v + Scalar(0.001) * g.square();
    weights.array() -= rate * m / (v.sqrt() / correction + Scalar(1e-8));
  }

 private:
  double learning_rate_, power1_ = 1, power2_ = 1;
  W first_moment_, second_moment_;
};

template <class W>
void max_norm_of_rows(W& weights, typename W::Scalar limit) {
  using Scalar = typename W::Scalar;
  const Eigen::Array<Scalar, Eigen::Dynamic, 1> norms = weights.rowwise().norm();
  if ((norms > limit).any()) {
    weights.array().colwise() *= (norms > limit).select(limit / norms, Scalar(1)).eval();
  }
}

template <class W>
void max_norm_of_cols(W& weights, typename W::Scalar limit) {
  using Scalar = typename W::Scalar;
  const Eigen::Array<Scalar, 1, Eigen::Dynamic> norms = weights.colwise().norm();
  if ((norms > limit).any()) {
    weights.array().rowwise() *= (norms > limit).select(limit / norms, Scalar(1)).eval();
  }
}

template <class W>
void train_any(W& weights, const W& gradient, int steps) {
  using Scalar = typename W::Scalar;
  Adam<W> adam(weights, 0.01);
  for (int i = 0; i < steps; ++i) {
    adam.step(weights, gradient);
    max_norm_of_rows(weights, Scalar(1));
  }
  max_norm_of_cols(weights, Scalar(0.5));
}

}  // namespace

void train(Eigen::MatrixXf& weights, const Eigen::MatrixXf& gradient, int steps) {
  train_any(weights, gradient, steps);
}

void train(Eigen::MatrixXd& weights, const Eigen::MatrixXd& gradient, int steps) {
  train_any(weights, gradient, steps);
}

void train(RowMajorXf& weights, const RowMajorXf& gradient, int steps) {
  train_any(weights, gradient, steps);
}

}  // namespace by_hand
