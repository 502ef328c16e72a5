#include <cstdio>
#include <utility>
#include <vector>

#include <rein/rein.hpp>

// A layer: its weights, and an optimizer with a limit of its own.
struct Layer {
  Layer(Eigen::MatrixXf start, double limit)
      : W(std::move(start)), sgd{W, {.learning_rate = 0.1}, rein::MaxNorm{limit, rein::per_row}} {}

  Eigen::MatrixXf W;  // out x in
  rein::Sgd<Eigen::MatrixXf, rein::MaxNorm<rein::PerRow>> sgd;
};

int main() {
  std::vector<Layer> net;
  net.emplace_back(Eigen::MatrixXf::Constant(8, 16, 1.0f), 4.378);
  net.emplace_back(Eigen::MatrixXf::Constant(8, 8, 0.8f), 2.970);
  net.emplace_back(Eigen::MatrixXf::Constant(2, 8, 1.6f), 4.627);

  for (int step = 1; step <= 3; ++step) {
    rein::Report r;
    for (Layer& layer : net) {
      r += layer.sgd.step(layer.W, -layer.W);  // a gradient that makes every row 10% longer
      std::printf("%8.3f", rein::norms(layer.W, rein::per_row).maxCoeff());
    }
    std::printf("   %td of %td rows rescaled\n", r.changed, r.checked);
  }
}
