#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <Eigen/Core>
#include <Eigen/Jacobi>

#include <rein/detail/scalar.hpp>

namespace rein::detail {

// The largest singular value of a matrix: the largest ||B x|| of a unit vector x. Each step takes
// the best combination of x, the gradient and the last step (the locally optimal gradient method:
// Knyazev, SIAM J. Sci. Comput. 23, 2001), which converges like Lanczos' method and holds three
// vectors. B is the matrix or its transpose, whichever has its columns along the memory; a complex
// number is a pair of reals here. Real is double; a template, because a class whose Eigen types are
// compiled with the header took a third of the time of <Eigen/Core>.
template <class Real>
class SpectralNorm {
 public:
  using Vector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;

  // The spectral norm of scale * weights, whose largest entry is to be about 1. Starts from the
  // last call's x. Allocates where the shape is not the last call's.
  template <class W>
  Real operator()(const W& weights, Real scale) {
    constexpr Index reals = ScalarTraits<typename W::Scalar>::components;
    start(reals * weights.outerSize(), reals * weights.innerSize());
    auto& [x, gradient, step] = basis_;
    auto& [image, gradient_image, step_image] = images_;

    multiply(weights, scale, 0);
    for (int k = 0; k < most_steps; ++k) {
      const Real square = image.squaredNorm();
      multiply_transposed(weights, scale);
      gradient -= square * x;
      const Real residual = gradient.norm();
      if (residual <= tolerance * square) break;
      gradient /= residual;
      multiply(weights, scale, 1);
      make_orthogonal(1, 0);
      make_orthogonal(2, 0);
      make_orthogonal(2, 1);

      const Eigen::Matrix<Real, 3, 1> part = best_combination();
      step = part[1] * gradient + part[2] * step;
      step_image = part[1] * gradient_image + part[2] * step_image;
      x = part[0] * x + step;
      image = part[0] * image + step_image;
      const Real length = x.norm();
      x /= length;
      image /= length;
    }
    vector_ = x;
    return image.norm();
  }

  Vector& vector() { return vector_; }
  const Vector& vector() const { return vector_; }

 private:
  // The norm's error is of the order of this squared, or of this where singular values crowd. So
  // small because a new largest value a part g above the last one shows in the residual as 0.001 g.
  static constexpr Real tolerance = 1e-10;
  static constexpr int most_steps = 1000;  // 200 were the most measured

  void start(Index n, Index m) {
    if (vector_.size() != n) vector_.setZero(n);
    for (Vector& vector : basis_) vector.resize(n);
    for (Vector& image : images_) image.resize(m);
    // A little of every direction, as if at random: the last call's x may belong to a singular
    // value that is no longer the largest.
    const Real size = 0.01 / std::sqrt(static_cast<Real>(n));
    for (Index j = 0; j < n; ++j) basis_[0][j] = vector_[j] + size * fixed_random(j);
    basis_[0] /= basis_[0].norm();
    basis_[2].setZero();
    images_[2].setZero();
  }

  // A sequence without a pattern, of either sign and magnitudes in [0.5, 1): none is small.
  static Real fixed_random(Index j) {
    std::uint64_t bits = (static_cast<std::uint64_t>(j) + 1) * 0x9E3779B97F4A7C15u;
    bits = (bits ^ (bits >> 29)) * 0xBF58476D1CE4E5B9u;
    const Real magnitude =
        std::ldexp(static_cast<Real>((bits >> 11) | (std::uint64_t{1} << 52)), -53);
    return bits & sign_bit ? -magnitude : magnitude;
  }

  template <class W>
  using Number = std::conditional_t<ScalarTraits<typename W::Scalar>::components == 2,
                                    std::complex<Real>, Real>;

  template <class W>
  static auto column(const W& weights, Index j) {
    if constexpr (W::IsRowMajor) {
      return weights.row(j).transpose().matrix().template cast<Number<W>>();
    } else {
      return weights.col(j).matrix().template cast<Number<W>>();
    }
  }

  template <class W>
  static auto numbers(Vector& reals) {
    constexpr Index parts = sizeof(Number<W>) / sizeof(Real);
    return Eigen::Map<Eigen::Matrix<Number<W>, Eigen::Dynamic, 1>>(
        reinterpret_cast<Number<W>*>(reals.data()), reals.size() / parts);
  }

  // Image k = B * basis vector k.
  template <class W>
  void multiply(const W& weights, Real scale, Index k) {
    const auto x = numbers<W>(basis_[k]);
    auto product = numbers<W>(images_[k]);
    product.setZero();
    const Real root = std::sqrt(scale);  // half of it at a time: no product is subnormal
    for (Index j = 0; j < x.size(); ++j) product += column(weights, j) * (root * x[j]);
    product *= root;
  }

  // Basis vector 1 = B^T * image 0.
  template <class W>
  void multiply_transposed(const W& weights, Real scale) {
    const auto image = numbers<W>(images_[0]);
    auto product = numbers<W>(basis_[1]);
    const Real root = std::sqrt(scale);
    for (Index j = 0; j < product.size(); ++j) {
      product[j] = root * (root * column(weights, j)).dot(image);
    }
  }

  // Takes from basis vector k its part along another one, and makes it a unit vector; or zero,
  // where little is left but rounding.
  void make_orthogonal(Index k, Index other) {
    const Real before = basis_[k].norm();
    const Real part = basis_[k].dot(basis_[other]);
    basis_[k] -= part * basis_[other];
    images_[k] -= part * images_[other];
    const Real length = basis_[k].norm();
    const Real to_unit = length > 1e-6 * before ? 1 / length : 0;
    basis_[k] *= to_unit;
    images_[k] *= to_unit;
  }

  // The combination of the basis with the longest image: an eigenvector, by Jacobi's method.
  Eigen::Matrix<Real, 3, 1> best_combination() const {
    Eigen::Matrix<Real, 3, 3> gram;
    for (Index i = 0; i < 3; ++i) {
      for (Index j = 0; j < 3; ++j) gram(i, j) = images_[i].dot(images_[j]);
    }
    Eigen::Matrix<Real, 3, 3> vectors = Eigen::Matrix<Real, 3, 3>::Identity();
    for (int sweep = 0; sweep < 8; ++sweep) {
      for (const auto& [p, q] : {std::pair<Index, Index>{0, 1}, {0, 2}, {1, 2}}) {
        Eigen::JacobiRotation<Real> rotation;
        rotation.makeJacobi(gram, p, q);
        gram.applyOnTheLeft(p, q, rotation.adjoint());
        gram.applyOnTheRight(p, q, rotation);
        vectors.applyOnTheRight(p, q, rotation);
      }
    }
    Index longest = 0;
    gram.diagonal().maxCoeff(&longest);
    return vectors.col(longest);
  }

  Vector vector_;
  Vector basis_[3], images_[3];  // x, gradient, step; each one's image under B
};

}  // namespace rein::detail
