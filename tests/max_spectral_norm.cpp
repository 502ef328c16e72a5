#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <Eigen/Core>

#include <rein/max_spectral_norm.hpp>
#include <rein/sgd.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// By squaring w^T w until nothing but the largest singular value is left in its columns.
double sigma_max(const MatrixXd& w) {
  const MatrixXd tall = w.rows() < w.cols() ? MatrixXd(w.transpose()) : w;
  const MatrixXd gram = tall.transpose().lazyProduct(tall);
  MatrixXd power = gram;
  for (int k = 0; k < 45; ++k) {
    power = (power / power.cwiseAbs().maxCoeff()).eval();
    power = power.lazyProduct(power).eval();
  }
  Index longest = 0;
  power.colwise().norm().maxCoeff(&longest);
  const VectorXd x = power.col(longest).normalized();
  return (tall * x).norm();
}

MatrixXd random_matrix(Index rows, Index cols, laws::Random& random) {
  MatrixXd w(rows, cols);
  for (double& entry : w.reshaped()) entry = random.between(-1, 1);
  return w;
}

MatrixXd with_singular_values(Index rows, Index cols, const VectorXd& values,
                              laws::Random& random) {
  // By Gram and Schmidt, twice.
  const auto orthonormal = [&](Index n) {
    MatrixXd q = random_matrix(n, values.size(), random);
    for (Index j = 0; j < q.cols(); ++j) {
      for (Index k = 0; k < 2 * j; ++k) q.col(j) -= q.col(k % j).dot(q.col(j)) * q.col(k % j);
      q.col(j).normalize();
    }
    return q;
  };
  const MatrixXd left = orthonormal(rows) * values.asDiagonal();
  return left.lazyProduct(orthonormal(cols).transpose());
}

struct Case {
  std::string name;
  MatrixXd w;
};

std::vector<Case> cases() {
  laws::Random random(11);
  std::vector<Case> all;
  for (const auto& [rows, cols] :
       {std::pair<Index, Index>{1, 1}, {1, 30}, {30, 1}, {3, 2}, {25, 25}, {15, 90}, {70, 31}}) {
    all.push_back({"random", random_matrix(rows, cols, random)});
  }
  const auto add = [&](const char* name, const VectorXd& values) {
    all.push_back({name, with_singular_values(45, 30, values, random)});
  };
  add("orthogonal", VectorXd::Ones(30));
  add("equidistant", VectorXd::LinSpaced(30, 0, 1));
  for (const double width : {1e-2, 1e-4, 1e-6, 1e-8}) {
    add("clustered", VectorXd::LinSpaced(30, 1 - width, 1));
    VectorXd pair = VectorXd::Constant(30, 0.5), one = VectorXd::Constant(30, 1 - width);
    pair(0) = 1, pair(1) = 1 - width;
    one(0) = 1;
    add("two close", pair);
    add("all but one the same", one);
  }
  add("rank 1", VectorXd::Ones(1));
  add("rank 3", VectorXd::Ones(3));
  add("falling", VectorXd::LinSpaced(30, 0, -300).array().exp());
  all.push_back({"diagonal", VectorXd::LinSpaced(24, 0, 1).asDiagonal()});
  all.push_back({"ones", MatrixXd::Ones(20, 30)});
  // Singular for the smaller values alone.
  all.push_back({"blocks", MatrixXd::Identity(30, 30) * 0.5});
  all.back().w.bottomRightCorner(4, 4).setOnes();
  return all;
}

// The constraint on a matrix of Scalars, in the way W stores it.
template <class W>
void obey(const Case& test, double scale) {
  using Scalar = typename W::Scalar;
  W w = (test.w * scale).cast<Scalar>();
  const MatrixXd before = w.template cast<double>();
  const double sigma = sigma_max(before / scale) * scale;
  const double eps = oracle::format_of<Scalar>().epsilon();
  INFO(oracle::format_of<Scalar>().name << " " << test.name << " " << w.rows() << " x " << w.cols()
                                        << ", scale " << scale << ", sigma " << sigma);

  rein::MaxSpectralNorm wide{sigma * (1 + 1e-7)}, tight{sigma * 0.6};
  CHECK(wide(w).changed == 0);
  CHECK(w.template cast<double>() == before);
  const rein::Report report = tight(w);
  CHECK(report.checked == 1);
  CHECK(report.changed == 1);
  CHECK(std::abs(report.largest_norm / sigma - 1) < 1e-8);

  const MatrixXd after = w.template cast<double>();
  const double left = sigma_max(after / scale) * scale;
  CHECK(left <= tight.limit() * (1 + 1e-6 + 8 * eps));
  CHECK((after - before * (tight.limit() / sigma)).cwiseAbs().maxCoeff() <=
        (1e-8 + eps) * before.cwiseAbs().maxCoeff());
  CHECK(tight(w).changed == 0);
  CHECK(w.template cast<double>() == after);
  CHECK(rein::MaxSpectralNorm{tight.limit()}(w).changed == 0);
}

}  // namespace

TEST_CASE("max_spectral_norm: right for every kind of spectrum") {
  for (const Case& test : cases()) {
    obey<MatrixXd>(test, 1);
    obey<MatrixXd>(test, 1e300);
    obey<MatrixXd>(test, 1e-290);
    obey<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(test, 3);
    obey<Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic>>(test, 4);
  }
}

// Singular values so close to the largest that the steps run out: it is right all the same.
TEST_CASE("max_spectral_norm: a crowd of singular values below the largest") {
  constexpr Index n = 300;
  const Eigen::ArrayXd part = Eigen::ArrayXd::LinSpaced(n, 0, 1);
  const VectorXd values = (1 - part.square()).sqrt();
  MatrixXd w = values.asDiagonal();
  CHECK(rein::MaxSpectralNorm{0.5}(w).changed == 1);
  CHECK(std::abs(w.diagonal().maxCoeff() - 0.5) <= 1e-8);
}

TEST_CASE("max_spectral_norm: the whole matrix is scaled") {
  MatrixXd w{{4, 0}, {0, 2}};
  rein::MaxSpectralNorm max_spectral_norm{1.0};
  const rein::Report report = max_spectral_norm(w);
  CHECK((w - MatrixXd{{1, 0}, {0, 0.5}}).norm() < 1e-9);
  CHECK(report.changed == 1);
  CHECK(std::abs(report.largest_norm - 4) < 1e-9);
}

TEST_CASE("max_spectral_norm: zero and empty matrices, and limit 0") {
  rein::MaxSpectralNorm zero{0.0};
  MatrixXd w = MatrixXd::Zero(3, 2);
  CHECK(zero(w) == rein::Report{.checked = 1});
  w(1, 1) = 1e-300;
  CHECK(zero(w).changed == 1);
  CHECK(w == MatrixXd::Zero(3, 2));
  MatrixXd empty(0, 3);
  CHECK(zero(empty) == rein::Report{.checked = 1});
}

TEST_CASE("max_spectral_norm: entries at the ends of double") {
  if (!laws::strict) return;
  const double top = std::numeric_limits<double>::max();
  MatrixXd w = MatrixXd::Constant(3, 3, top);
  rein::MaxSpectralNorm max_spectral_norm{3e-300};
  max_spectral_norm(w);
  CHECK((w / 1e-300 - MatrixXd::Ones(3, 3)).cwiseAbs().maxCoeff() < 1e-9);
  CHECK(max_spectral_norm(w).changed == 0);
  w.setConstant(1e-323);
  CHECK(rein::MaxSpectralNorm{top}(w).changed == 0);
}

TEST_CASE("max_spectral_norm: a matrix with a NaN or an Inf is left alone") {
  for (const double odd :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    MatrixXd w{{4, odd}, {0, 2}};
    rein::MaxSpectralNorm max_spectral_norm{1.0};
    CHECK(max_spectral_norm(w) == rein::Report{.checked = 1, .nonfinite = 1});
    CHECK(w(0, 0) == 4);
    w(0, 1) = 0;
    CHECK(max_spectral_norm(w).changed == 1);
    CHECK(std::abs(w(0, 0) - 1) < 1e-9);
  }
}

TEST_CASE("max_spectral_norm: complex matrices") {
  using Complex = std::complex<float>;
  // A unitary matrix, twice as large.
  const float root = std::sqrt(2.0f);
  Eigen::MatrixXcf w(2, 2);
  w << Complex(root, 0), Complex(0, root), Complex(0, root), Complex(root, 0);
  const Eigen::MatrixXcf before = w;
  rein::MaxSpectralNorm max_spectral_norm{1.0};
  CHECK(std::abs(max_spectral_norm(w.transpose()).largest_norm - 2) < 1e-6);
  CHECK((w - before / 2).norm() < 1e-6f);
  CHECK(max_spectral_norm(w).changed == 0);
}

// The vector that is kept is exactly singular, for what is now the smaller value.
TEST_CASE("max_spectral_norm: another direction becomes the largest") {
  for (const double value : {1.5, 1.01, 1.0001, 1.000001}) {
    MatrixXd w = VectorXd::Constant(300, 0.1).asDiagonal();
    w(7, 7) = 1;
    rein::MaxSpectralNorm max_spectral_norm{10.0};
    max_spectral_norm(w);
    w(20, 20) = value;
    INFO("value " << value);
    CHECK(std::abs(max_spectral_norm(w).largest_norm / value - 1) < 1e-8);
  }
}

TEST_CASE("max_spectral_norm: steps that resume from the vector have the same bits") {
  laws::Random random(12);
  MatrixXd w = random_matrix(20, 30, random);
  rein::MaxSpectralNorm max_spectral_norm{1.0};
  max_spectral_norm(w);
  w += 0.01 * random_matrix(20, 30, random);
  rein::MaxSpectralNorm resumed{1.0};
  resumed.vector() = max_spectral_norm.vector();
  MatrixXd copy = w;
  CHECK(max_spectral_norm(w) == resumed(copy));
  CHECK(w == copy);
  // Another shape starts anew.
  MatrixXd other = MatrixXd::Identity(4, 4) * 3;
  CHECK(std::abs(resumed(other).largest_norm - 3) < 1e-9);
}

TEST_CASE("max_spectral_norm: a block, and entries without addresses") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(4, 4, 7);
  w.block(1, 1, 2, 2) << 4, 0, 0, 2;
  rein::MaxSpectralNorm max_spectral_norm{1.0};
  max_spectral_norm(w.block(1, 1, 2, 2));
  CHECK(std::abs(w(1, 1) - 1) < 1e-6f);
  CHECK(std::abs(w(2, 2) - 0.5f) < 1e-6f);
  CHECK((w.row(0).array() == 7).all());
  Eigen::Matrix2f v{{0, 0}, {0, 3}};
  max_spectral_norm(v.reverse());
  CHECK(std::abs(v(1, 1) - 1) < 1e-6f);
}

TEST_CASE("max_spectral_norm: after an optimizer's step") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Zero(2, 2);
  const Eigen::MatrixXf gradient{{-4, 0}, {0, -2}};
  rein::Sgd sgd{w, {.learning_rate = 1}, rein::MaxSpectralNorm{2.0}};
  CHECK(sgd.step(w, gradient).changed == 1);
  CHECK((w - Eigen::MatrixXf{{2, 0}, {0, 1}}).norm() < 1e-6f);
}

TEST_CASE("max_spectral_norm: invalid limits are refused") {
  const auto with = [](double limit) { return refusal([&] { rein::MaxSpectralNorm{limit}; }); };
  CHECK(names(with(-1), "rein::MaxSpectralNorm", "limit is -1", "finite number >= 0"));
  CHECK(names(with(std::numeric_limits<double>::quiet_NaN()), "nan"));
  CHECK(names(with(std::numeric_limits<double>::infinity()), "inf"));
  CHECK(with(0) == "");
}
