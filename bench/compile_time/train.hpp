#pragma once

#include <Eigen/Core>

// What both units define, on three types of matrix: steps of Adam, after each of which no row of W
// has a norm over 1; then no column has one over 1/2.

using RowMajorXf = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace with_rein {

void train(Eigen::MatrixXf& weights, const Eigen::MatrixXf& gradient, int steps);
void train(Eigen::MatrixXd& weights, const Eigen::MatrixXd& gradient, int steps);
void train(RowMajorXf& weights, const RowMajorXf& gradient, int steps);

}  // namespace with_rein

namespace by_hand {

void train(Eigen::MatrixXf& weights, const Eigen::MatrixXf& gradient, int steps);
void train(Eigen::MatrixXd& weights, const Eigen::MatrixXd& gradient, int steps);
void train(RowMajorXf& weights, const RowMajorXf& gradient, int steps);

}  // namespace by_hand
