#include <iostream>

#include <rein/rein.hpp>

int main() {
  {
    Eigen::MatrixXd W{{3, 4}, {-1, 0.5}};
    auto constraint = rein::in_order(rein::NonNegative{}, rein::MaxNorm{1, rein::per_row});
    const rein::Report r = constraint(W);
    std::cout << W << "\nchecked " << r.checked << ", changed " << r.changed << '\n';
  }
  {
    Eigen::MatrixXd W{{3, 4}};
    auto third = rein::every(3, rein::MaxNorm{1, rein::per_row});
    for (int call = 1; call <= 3; ++call) {
      third(W);
      std::cout << "call " << call << ": " << W << '\n';
    }
  }
  {
    Eigen::MatrixXd W{{4, 0}, {0, 2}};
    rein::MaxSpectralNorm max_spectral_norm{1};
    const rein::Report r = max_spectral_norm(W);
    std::cout << "largest singular value " << r.largest_norm << ", then\n" << W << '\n';
  }
}
