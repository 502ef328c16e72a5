// Ends with status 1 if the two units do not train to the same weights.

#include <iostream>

#include <Eigen/Core>

#include "train.hpp"

namespace {

template <class W>
bool trained_the_same() {
  const W gradient = W::Random(20, 30);
  W one = W::Random(20, 30);
  W other = one;
  with_rein::train(one, gradient, 10);
  by_hand::train(other, gradient, 10);
  return one.isApprox(other, typename W::Scalar(1e-5)) && one.colwise().norm().maxCoeff() < 0.501;
}

}  // namespace

int main() {
  const bool same = trained_the_same<Eigen::MatrixXf>() && trained_the_same<Eigen::MatrixXd>() &&
                    trained_the_same<RowMajorXf>();
  if (!same) std::cerr << "with_rein.cpp and by_hand.cpp do different things\n";
  return same ? 0 : 1;
}
