// What optimizer_laws.hpp says of step_rows(), for the other kinds of weights.

#include <array>
#include <complex>
#include <vector>

#include "optimizer_laws.hpp"

namespace {

using Eigen::Index;

// The same rows of the same W with zeros as the gradient of the other rows: without momentum and
// weight decay that is the same step.
template <class Weights>
void equals_a_step_with_zeros(Weights&& w) {
  using Scalar = typename std::decay_t<Weights>::Scalar;
  using Matrix = laws::ColMajor<Scalar>;
  const std::vector<Index> listed{w.rows() - 1, 1};
  Matrix gradient = Matrix::Constant(w.rows(), w.cols(), Scalar(0.25f));
  for (Index i = 0; i < w.rows(); ++i) {
    if (i != listed[0] && i != listed[1]) gradient.row(i).setZero();
  }
  w.setConstant(Scalar(2.0f));
  Matrix expected = w;
  rein::Sgd rows_alone{w, {.learning_rate = 0.5}};
  rein::Sgd all{expected, {.learning_rate = 0.5}};
  for (int k = 0; k < 3; ++k) {
    rows_alone.step_rows(w, Matrix::Constant(2, w.cols(), Scalar(0.25f)), listed);
    all.step(expected, gradient);
  }
  CHECK(w.matrix() == expected);
  CHECK(w(1, 0) == Scalar(1.625f));
}

// Listed one by one, rows are summed in the order in which a step sums all of them.
template <class Scalar>
void all_rows_are_a_step(Index rows, Index cols) {
  using Matrix = laws::ColMajor<Scalar>;
  INFO(rows << " x " << cols);
  Matrix w = laws::filled<Matrix>(rows, cols, 3), expected = w;
  std::vector<Index> listed;
  for (Index i = rows; i > 0; --i) listed.push_back(i - 1);
  const rein::MaxNorm constraint{0.5, rein::per_row};
  rein::Sgd by_rows{w, {.learning_rate = 0.5}, constraint};
  rein::Sgd all{expected, {.learning_rate = 0.5}, constraint};
  for (int k = 0; k < 5; ++k) {
    const Matrix gradient = laws::filled<Matrix>(rows, cols, 4 + k);
    const rein::Report report = by_rows.step_rows(w, gradient.colwise().reverse(), listed);
    CHECK(all.step(expected, gradient) == report);
    CHECK(report.changed == rows);
  }
  CHECK(w == expected);
}

}  // namespace

#ifndef __FAST_MATH__  // which adds up in another order
TEST_CASE("step_rows: all rows are a step") {
  for (const Index rows : {1, 3, 6, 10, 31, 40}) {
    for (const Index cols : {20, 100, 784, 1100}) {
      all_rows_are_a_step<float>(rows, cols);
      all_rows_are_a_step<double>(rows, cols);
    }
  }
}
#endif

TEST_CASE("step_rows: every kind of W") {
  laws::for_each_view<double>([](const char* name, auto&& w) {
    INFO(name);
    equals_a_step_with_zeros(w);
  });
}

TEST_CASE("step_rows: vectors, half and complex weights, Eigen's reverse()") {
  Eigen::VectorXf vector(7);
  equals_a_step_with_zeros(vector);
  equals_a_step_with_zeros(laws::RowMajor<Eigen::half>(5, 9).topRows(4));
  equals_a_step_with_zeros(laws::RowMajor<std::complex<float>>(5, 1030).topRows(4));
  equals_a_step_with_zeros(laws::ColMajor<float>(5, 9).reverse());
}

TEST_CASE("step_rows: a list of any type, a gradient that is an expression") {
  laws::RowMajor<float> w = laws::RowMajor<float>::Ones(6, 3), expected = w;
  const laws::RowMajor<float> left = laws::filled<laws::RowMajor<float>>(2, 4, 1);
  const laws::ColMajor<float> right = laws::filled<laws::ColMajor<float>>(4, 3, 2);
  rein::Sgd sgd{w}, same{w};
  sgd.step_rows(w, left * right, Eigen::Vector2i(4, 0));
  const std::array<unsigned char, 2> bytes{4, 0};
  same.step_rows(expected, (left * right).eval(), bytes);
  CHECK(w == expected);
  CHECK(w.row(1) == Eigen::RowVector3f::Ones());
  CHECK(w.row(4) != Eigen::RowVector3f::Ones());

  // Eigen evaluates rows picked from W before W is written.
  const std::vector<int> rows{3, 5};
  sgd.step_rows(w, 2 * w(rows, Eigen::seqN(0, 3)), std::vector<int>{5, 3});
  CHECK(w(3, 1) == 1 - 0.01f * 2);
}

// A buffer of fixed size has no memory to set up, and is there without momentum too.
TEST_CASE("step_rows: fixed-size state starts with zeros") {
  Eigen::Matrix<double, 3, 2> w = Eigen::Matrix<double, 3, 2>::Ones();
  rein::Adam adam{w};
  const Eigen::Matrix<double, 1, 2> gradient(0.5, -0.5);
  adam.step_rows(w, gradient, std::vector<int>{1});
  CHECK(adam.max_second_moment() == w.Zero());
  adam.options().amsgrad = true;
  adam.step_rows(w, gradient, std::vector<int>{1});
  CHECK(adam.max_second_moment()(0, 0) == 0);
  CHECK(adam.max_second_moment().row(1) == adam.second_moment().row(1));
}
