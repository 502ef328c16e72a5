#include <cmath>
#include <complex>
#include <limits>
#include <string>

#include <rein/clip_gradient_norm.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;

constexpr double largest = std::numeric_limits<double>::max();

template <class Matrix>
Matrix filled(Index rows, Index cols, int seed, double scale) {
  Matrix m(rows, cols);
  for (Index j = 0; j < cols; ++j) {
    for (Index i = 0; i < rows; ++i) {
      m(i, j) = static_cast<typename Matrix::Scalar>(
          static_cast<typename Eigen::NumTraits<typename Matrix::Scalar>::Real>(
              scale * golden::pattern(i, j, seed)));
    }
  }
  return m;
}

long double magnitude(const std::complex<float>& x) { return std::hypot(x.real(), x.imag()); }
template <class Real>
long double magnitude(const Real& x) {
  return std::abs(static_cast<long double>(x));
}

/// The norm over all gradients, in long double, whose range is that of 1e-4900 to 1e4900.
template <class... Gradients>
long double joint_norm(const Gradients&... gradients) {
  long double sum = 0;
  const auto add = [&](const auto& gradient) {
    for (Index i = 0; i < gradient.rows(); ++i) {
      for (Index j = 0; j < gradient.cols(); ++j) {
        const long double x = magnitude(gradient(i, j));
        sum += x * x;
      }
    }
  };
  (add(gradients), ...);
  return std::sqrt(sum);
}

template <class Scalar>
constexpr double eps = rein::detail::ScalarTraits<Scalar>::epsilon;

/// Clips gradients of two scalars to a part of their norm, and checks that norm, each entry against
/// limit / norm times it, and that the second call writes nothing.
template <class A, class B>
void check_clipping(const A& a, const B& b, double part) {
  const double e = std::max(eps<typename A::Scalar>, eps<typename B::Scalar>);
  const long double norm = joint_norm(a, b);
  const double limit = static_cast<double>(part * norm);
  INFO("norm " << static_cast<double>(norm) << ", limit " << limit);
  A clipped_a = a;
  B clipped_b = b;
  const double returned = rein::clip_gradient_norm(limit, clipped_a, clipped_b);
  CHECK(std::abs(returned - norm) <= 2 * e * norm);
  CHECK(joint_norm(clipped_a, clipped_b) <= limit * (1 + 8 * e));

  const long double factor = limit / norm;
  const auto deviation = [&](const auto& clipped, const auto& gradient) {
    using Scalar = typename std::decay_t<decltype(gradient)>::Scalar;
    const long double smallest =
        std::ldexp(1.0L, rein::detail::ScalarTraits<Scalar>::denorm_exponent);
    long double worst = 0;
    for (Index i = 0; i < gradient.rows(); ++i) {
      for (Index j = 0; j < gradient.cols(); ++j) {
        const long double expected = factor * magnitude(gradient(i, j));
        const long double off = std::abs(magnitude(clipped(i, j)) - expected);
        worst = std::max(worst, off / (4 * e * expected + smallest));
      }
    }
    return static_cast<double>(worst);
  };
  CHECK(deviation(clipped_a, a) <= 1);
  CHECK(deviation(clipped_b, b) <= 1);

  const A once_a = clipped_a;
  const B once_b = clipped_b;
  rein::clip_gradient_norm(limit, clipped_a, clipped_b);
  CHECK(clipped_a.matrix() == once_a.matrix());
  CHECK(clipped_b.matrix() == once_b.matrix());
}

template <class A, class B>
void check_clipping(double scale_a, double scale_b) {
  const A a = filled<A>(17, 23, 1, scale_a);
  const B b = filled<B>(300, 5, 2, scale_b);
  for (const double part : {0.9, 1e-3, 1e-30}) check_clipping(a, b, part);
}

using RowMajorFloats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Halves = Eigen::Array<Eigen::half, Eigen::Dynamic, Eigen::Dynamic>;

}  // namespace

TEST_CASE("clip_gradient_norm: one factor for all, and once is enough") {
  check_clipping<Eigen::MatrixXf, RowMajorFloats>(1, 3);
  check_clipping<Eigen::MatrixXd, Eigen::ArrayXXd>(1, 1e-3);
  check_clipping<Eigen::MatrixXd, Eigen::MatrixXf>(1e-2, 1);
  check_clipping<Eigen::MatrixXcf, Halves>(1, 10);
}

// A sum of squares that is Inf or 0 would make the gradients 0, or leave them as they are.
TEST_CASE("clip_gradient_norm: squares may overflow and underflow") {
  check_clipping<Eigen::MatrixXf, RowMajorFloats>(1e30, 1e37);
  check_clipping<Eigen::MatrixXf, RowMajorFloats>(1e-30, 1e-35);
  check_clipping<Eigen::MatrixXd, Eigen::ArrayXXd>(1e300, 1e302);
  check_clipping<Eigen::MatrixXd, Eigen::ArrayXXd>(1e-300, 1e-250);
  check_clipping<Eigen::MatrixXd, Eigen::MatrixXf>(1e200, 1e-20);
  check_clipping<Eigen::MatrixXd, Eigen::MatrixXf>(1e-200, 1e20);
}

TEST_CASE("clip_gradient_norm: a norm beyond the largest double") {
  Eigen::VectorXd a{{largest, -largest}}, b{{largest, largest}};
  CHECK(rein::clip_gradient_norm(2.0, a, b) == largest);
  CHECK(a.isApprox(Eigen::Vector2d(1, -1), 1e-15));
  CHECK(b.isApprox(Eigen::Vector2d(1, 1), 1e-15));
}

TEST_CASE("clip_gradient_norm: gradients within the limit keep their bits") {
  const Eigen::VectorXf a{{3.0f, -0.0f}};
  const Eigen::MatrixXd b{{4.0, 0.0}};
  for (const double limit : {5.0, 5.0000001, 1e300}) {
    Eigen::VectorXf clipped_a = a;
    Eigen::MatrixXd clipped_b = b;
    CHECK(rein::clip_gradient_norm(limit, clipped_a, clipped_b) == 5);
    CHECK(clipped_a == a);
    CHECK(std::signbit(clipped_a(1)));
    CHECK(clipped_b == b);
  }
}

TEST_CASE("clip_gradient_norm: a NaN or an Inf is returned, and nothing is written") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   inf = std::numeric_limits<double>::infinity();
  const auto check = [](double one, double other) {
    Eigen::VectorXf a{{1e3f, static_cast<float>(one)}};
    Eigen::MatrixXd b{{1e3, other}};
    const double norm = rein::clip_gradient_norm(1.0, a, b);
    CHECK(a(0) == 1e3f);
    CHECK(b(0) == 1e3);
    return norm;
  };
  CHECK(check(inf, 0) == inf);
  CHECK(check(0, -inf) == inf);
  CHECK(std::isnan(check(nan, 0)));
  CHECK(std::isnan(check(0, nan)));
  CHECK(std::isnan(check(inf, nan)));
  CHECK(std::isnan(check(nan, inf)));
}

TEST_CASE("clip_gradient_norm: zeros, nothing, a limit of zero") {
  Eigen::MatrixXf zeros = Eigen::MatrixXf::Zero(2, 3), none(0, 3),
                  ones = Eigen::MatrixXf::Ones(2, 2);
  CHECK(rein::clip_gradient_norm(0.0, zeros, none) == 0);
  CHECK(rein::clip_gradient_norm(1.0) == 0);
  CHECK(rein::clip_gradient_norm(1.0, zeros, none, ones) == 2);
  CHECK(ones == Eigen::MatrixXf::Constant(2, 2, 0.5f));
  CHECK(zeros == Eigen::MatrixXf::Zero(2, 3));
  CHECK(rein::clip_gradient_norm(0.0, ones, none) == 1);
  CHECK(ones == Eigen::MatrixXf::Zero(2, 2));
}

TEST_CASE("clip_gradient_norm: views, and what lies around them") {
  Eigen::MatrixXd around = Eigen::MatrixXd::Constant(6, 6, 77);
  around.block(1, 1, 3, 3).setConstant(1);
  around.col(5).setConstant(2);
  Eigen::MatrixXf reversed = Eigen::MatrixXf::Constant(2, 2, 1);
  // 9 entries of 1, 3 of 2, 4 of 1: a norm of 5.
  CHECK(rein::clip_gradient_norm(2.5, around.block(1, 1, 3, 3), around.row(0).tail(1).transpose(),
                                 around.col(5).tail(2), reversed.reverse()) == 5);
  Eigen::MatrixXd expected = Eigen::MatrixXd::Constant(6, 6, 77);
  expected.block(1, 1, 3, 3).setConstant(0.5);
  expected.col(5) << 1, 2, 2, 2, 1, 1;
  CHECK(around == expected);
  CHECK(reversed == Eigen::MatrixXf::Constant(2, 2, 0.5f));
}

TEST_CASE("clip_gradient_norm: the limit is finite and not negative") {
  const auto check = [](double limit, const char* value) {
    Eigen::VectorXd gradient{{3.0, 4.0}};
    const std::string message = refusal([&] { rein::clip_gradient_norm(limit, gradient); });
    INFO(message);
    CHECK(names(message, "rein::clip_gradient_norm", "limit", value, ">= 0"));
    CHECK(gradient == Eigen::Vector2d(3, 4));
  };
  check(-1, "-1");
  check(std::numeric_limits<double>::infinity(), "inf");
  check(std::numeric_limits<double>::quiet_NaN(), "nan");
}
