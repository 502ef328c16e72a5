#include <cstdio>
#include <random>

#include <rein/rein.hpp>

using Eigen::MatrixXd, Eigen::RowVectorXd, Eigen::VectorXd;

std::mt19937 random_bits(7);
const auto uniform = [] { return static_cast<double>(random_bits()) * 0x1p-31 - 1; };  // in [-1, 1)

struct Data {
  MatrixXd X;     // 2 x points
  RowVectorXd y;  // 1 inside the ring, 0 outside
};

Data make_data(Eigen::Index points, double wrong_labels) {
  Data data{MatrixXd::NullaryExpr(2, points, uniform), RowVectorXd(points)};
  for (Eigen::Index i = 0; i < points; ++i) {
    const double radius = data.X.col(i).norm();
    const bool label = radius > 0.4 && radius < 0.9;
    const bool wrong = (uniform() + 1) / 2 < wrong_labels;
    data.y(i) = label != wrong;
  }
  return data;
}

// 2 inputs, 64 ReLU units, one logistic output.
template <class Constraint>
void train(const char* name, const Data& data, const Data& test, Constraint constraint) {
  random_bits.seed(11);
  MatrixXd W1 = MatrixXd::NullaryExpr(64, 2, uniform);
  VectorXd b1 = VectorXd::NullaryExpr(64, uniform);
  MatrixXd W2 = MatrixXd::NullaryExpr(1, 64, uniform) / 8;
  VectorXd b2 = VectorXd::Zero(1);

  const rein::SgdOptions options{.learning_rate = 0.3, .momentum = 0.9};
  rein::Sgd step_W1{W1, options};
  rein::Sgd step_b1{b1, options};
  rein::Sgd step_W2{W2, options, constraint};
  rein::Sgd step_b2{b2, options};

  MatrixXd hidden;
  const auto probability = [&](const MatrixXd& X) {
    hidden = ((W1 * X).colwise() + b1).cwiseMax(0);
    return RowVectorXd(1 / (1 + (-(W2 * hidden).array() - b2(0)).exp()));
  };
  const auto accuracy = [&](const Data& d) {
    const RowVectorXd guess = (probability(d.X).array() > 0.5).template cast<double>();
    return 100 - 100 * (guess - d.y).cwiseAbs().mean();
  };

  std::printf("%s\n   step    loss   norm of W2   right on training   on test points\n", name);
  for (int step = 1; step <= 2000; ++step) {
    const RowVectorXd p = probability(data.X);
    const RowVectorXd error = (p - data.y) / static_cast<double>(data.y.size());
    const MatrixXd back = (W2.transpose() * error).array() * (hidden.array() > 0).cast<double>();

    step_W1.step(W1, back * data.X.transpose());
    step_b1.step(b1, back.rowwise().sum());
    step_b2.step(b2, error.rowwise().sum());
    step_W2.step(W2, error * hidden.transpose());

    if (step == 20 || step == 200 || step == 2000) {
      const double loss =
          -(data.y.array() > 0.5).select(p.array().log(), (1 - p.array()).log()).mean();
      std::printf("%7d  %6.3f %12.3f %16.2f%% %15.2f%%\n", step, loss, W2.norm(), accuracy(data),
                  accuracy(test));
    }
  }
}

int main() {
  const Data data = make_data(200, 0.15);  // 15% of the labels are wrong
  const Data test = make_data(2000, 0);
  train("without a constraint", data, test, rein::Unconstrained{});
  train("MaxNorm{3, per_row} on W2", data, test, rein::MaxNorm{3, rein::per_row});
}
