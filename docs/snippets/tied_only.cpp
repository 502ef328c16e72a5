#include <iostream>
#include <vector>

#include <rein/rein.hpp>

int main() {
  {
    Eigen::MatrixXd W{{100.0}};
    Eigen::VectorXd b{{-3000.0}};  // the unit fires when 100 x > 3000: above x = 30
    rein::MaxNorm{1, rein::per_row}(W, rein::tied(b));
    std::cout << "w = " << W << ", b = " << b << ", boundary at x = " << -b(0) / W(0) << '\n';
  }
  {
    Eigen::MatrixXd W{{3.0, 0.0}};
    Eigen::VectorXd b{{4.0}};  // together a vector of norm 5
    const rein::Report r = rein::MaxNorm{1, rein::per_row}(W, rein::joint(b));
    std::cout << "w = " << W << ", b = " << b << ", largest norm " << r.largest_norm << '\n';
  }
  {
    Eigen::MatrixXf embedding{{3, 4}, {6, 8}, {0, 9}};
    const std::vector<int> batch{2, 0};  // the rows that this batch looked up
    const rein::Report r = rein::MaxNorm{1, rein::per_row}(embedding, rein::only(batch));
    std::cout << embedding << "\nchecked " << r.checked << ", changed " << r.changed << '\n';
  }
}
