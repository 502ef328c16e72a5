// What went wrong elsewhere, and must not here. Each test tells its story.

#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "oracle.hpp"
#include "refusal.hpp"

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  return oracle::same_bits(oracle::copy_of(a), oracle::copy_of(b));
}

}  // namespace

// Keras, TF.js and Lasagne multiply every vector by clip(n, 0, m) / (n + 1e-7), also those inside.
// A row of norm 1e-3 under limit 3 was 7e-7 after 10,000 applications, and one of norm 0.1 was
// 0.090 after 100,000. Here a row inside is not written to.
TEST_CASE("regressions: weights inside the ball do not shrink (Keras)") {
  Eigen::Matrix<float, 3, 2> w;
  w << 0.6e-3f, 0.8e-3f, 0.06f, -0.08f, 1e-20f, 0;
  const Eigen::Matrix<float, 3, 2> before = w;
  const rein::MaxNorm max_norm{3.0, rein::per_row};
  for (int k = 0; k < 100'000; ++k) max_norm(w);
  CHECK(same_bits(w, before));

  // The factor itself, so that the numbers of the story are no hearsay.
  float n = 1e-3f;
  for (int k = 0; k < 10'000; ++k) n *= n / (n + 1e-7f);
  CHECK(n < 1e-6f);
}

// float [1e20, 1]: the sum of squares is Inf, the factor 0, and the weights are [0, 0], lost in
// silence (Keras, torch.renorm, optax; pytorch#193006).
TEST_CASE("regressions: squares that overflow do not lose the weights (pytorch#193006)") {
  Eigen::RowVector2f w(1e20f, 1);
  const rein::Report report = rein::MaxNorm{3.0, rein::per_row}(w);
  CHECK(w[0] == 3);
  CHECK(std::abs(w[1] - 3e-20f) < 1e-26f);
  CHECK(report.changed == 1);
  CHECK(std::abs(report.largest_norm - 1e20) < 1e14);

  Eigen::Matrix2d all;
  all << 1e200, 1e200, 1e308, -1e308;
  rein::MaxNorm{1.0, rein::whole}(all);
  CHECK(std::abs(all(1, 1) + std::sqrt(0.5)) < 1e-15);
  CHECK(all(0, 0) > 0);
  CHECK(rein::UnitNorm{rein::per_row}(all).changed == 1);
  CHECK(std::abs(all(0, 1) - std::sqrt(0.5)) < 1e-15);
}

// float [1e-24, 1e-24]: the sum of squares is 0. Keras' factor is 0 / 1e-7, and the vector, far
// inside the ball, becomes [0, 0].
TEST_CASE("regressions: squares that underflow do not lose the weights (Keras)") {
  Eigen::RowVector2f w(1e-24f, 1e-24f);
  const Eigen::RowVector2f before = w;
  CHECK(rein::MaxNorm{3.0, rein::per_row}(w).changed == 0);
  CHECK(same_bits(w, before));
  CHECK(rein::MaxNorm{1e-24, rein::per_row}(w).changed == 1);
  CHECK(std::abs(w[0] / 1e-24f - std::sqrt(0.5f)) < 1e-6f);
  CHECK(rein::UnitNorm{rein::per_row}(w).changed == 1);
  CHECK(std::abs(w[1] - std::sqrt(0.5f)) < 1e-6f);
}

// [Inf, 1] became [NaN, 0] (Keras, torch). [NaN, 100] was left unclipped by torch together with the
// question which rows were (pytorch#46849): nothing said so. Here such a row is left as it is and
// counted, the others are clipped.
TEST_CASE("regressions: NaN and Inf do not spread, and are reported (pytorch#46849)") {
  for (const bool row_major : {false, true}) {
    Eigen::Matrix<float, 4, 2> w;
    w << infinity, 1, not_a_number, 100, 3, 4, -infinity, not_a_number;
    Eigen::Matrix<float, 4, 2> expected = w;
    rein::Report report;
    if (row_major) {
      Eigen::Matrix<float, 4, 2, Eigen::RowMajor> turned = w;
      report = rein::MaxNorm{2.5, rein::per_row}(turned);
      w = turned;
    } else {
      report = rein::MaxNorm{2.5, rein::per_row}(w);
    }
    expected.row(2) << 1.5f, 2;
    CHECK(same_bits(w, expected));
    CHECK(report == rein::Report{.checked = 4, .changed = 1, .nonfinite = 3, .largest_norm = 5});
  }
}

#ifndef __FAST_MATH__
// After one pass in torch.renorm's way, 15.6% of 100,000 random vectors of 64 floats still exceed
// the limit, by rounding, and the next pass changes them again, and so on.
TEST_CASE("regressions: one application is enough (torch.renorm)") {
  constexpr Eigen::Index vectors = 100'000, length = 64;
  Eigen::MatrixXf w(length, vectors);
  laws::Random random(11);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (float& entry : w.reshaped()) entry = static_cast<float>(random.between(-1, 1));
  const Eigen::MatrixXf before = w;
  constexpr double limit = 3;

  const rein::MaxNorm max_norm{limit, rein::per_col};
  const rein::Report first = max_norm(w);
  CHECK(first.changed > vectors / 2);
  const Eigen::MatrixXf once = w;
  CHECK(max_norm(w).changed == 0);
  CHECK(same_bits(w, once));
  // The same across the memory.
  Eigen::MatrixXf turned = before.transpose();
  CHECK(rein::MaxNorm{limit, rein::per_row}(turned).changed == first.changed);
  CHECK(rein::MaxNorm{limit, rein::per_row}(turned).changed == 0);

  // torch.renorm's way.
  Eigen::Index exceeding = 0;
  for (Eigen::Index j = 0; j < vectors; ++j) {
    Eigen::VectorXf v = before.col(j);
    const float n = v.norm();
    if (n > float(limit)) v *= float(limit) / (n + 1e-7f);
    exceeding += v.norm() > float(limit);
  }
  CHECK(exceeding > vectors / 50);
}
#endif

// torch.renorm along the strided axis of a 4096 x 4096 float matrix took 107 ms, 90 times as long
// as reading it, so people transpose, and get the axis wrong. Here a layout is taken as it is, and
// both ways through the memory must agree.
TEST_CASE("regressions: strided vectors are constrained like contiguous ones (torch.renorm)") {
  constexpr Eigen::Index rows = 4096, cols = 33;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> contiguous(rows, cols);
  laws::Random random(12);
  for (float& entry : contiguous.reshaped()) entry = static_cast<float>(random.between(-1, 1));
  contiguous.row(2047) *= 1e30f;
  contiguous(2048, 5) = not_a_number;
  Eigen::MatrixXf strided = contiguous;
  const rein::MaxNorm max_norm{3.3, rein::per_row};
  const rein::Report a = max_norm(contiguous), b = max_norm(strided);
  CHECK(a.checked == rows);
  CHECK(a.changed == b.changed);
  CHECK(a.changed > rows / 4);
  CHECK(a.nonfinite == 1);
  CHECK(b.nonfinite == 1);
  contiguous.row(2048).setZero();
  strided.row(2048).setZero();
  CHECK((contiguous - strided).cwiseAbs().maxCoeff() <= 1e-6f);
}

// Several systems take a negative limit; it reverses the weights (pytorch#31367).
TEST_CASE("regressions: negative limits are refused (pytorch#31367)") {
  CHECK(names(refusal([] { rein::MaxNorm(-1.0, rein::per_row); }), "limit is -1"));
  CHECK(names(refusal([] { rein::MinMaxNorm(-1.0, 1.0, rein::per_row); }), "low is -1"));
  CHECK(names(refusal([] { rein::MinMaxNorm(-2.0, -1.0, rein::per_row); }), "low is -2"));
}

// Deeplearning4j's MinMaxNorm adds (1 - rate) * n where it should add 1 - rate: the factor grows
// with the norm, and at rates below 1 the weights diverge.
TEST_CASE("regressions: at rates below 1 the norm converges (Deeplearning4j)") {
  for (const double rate : {0.9, 0.5, 0.1}) {
    Eigen::Matrix2d w;
    w << 60, 80, 0.003, -0.004;
    const rein::MinMaxNorm min_max_norm{1.0, 2.0, rein::per_row, rate};
    double above = 100, below = 0.005;
    for (int k = 0; k < 500; ++k) {
      min_max_norm(w);
      const double n0 = w.row(0).norm(), n1 = w.row(1).norm();
      CHECK(n0 <= above);
      CHECK(n1 >= below);
      above = n0, below = n1;
    }
    CHECK(std::abs(above - 2) < 1e-12);
    CHECK(std::abs(below - 1) < 1e-12);
  }
}

// optax's l2_sphere projection divides by zero at the zero vector.
TEST_CASE("regressions: zero vectors stay zero (optax)") {
  Eigen::Matrix<double, 3, 4> w = Eigen::Matrix<double, 3, 4>::Zero();
  w.row(1).setOnes();
  const auto check = [](auto constraint, Eigen::Matrix<double, 3, 4> weights,
                        Eigen::Index changed) {
    CHECK(constraint(weights).changed == changed);
    CHECK(weights.row(0).isZero(0));
    CHECK(weights.row(2).isZero(0));
    CHECK(weights.allFinite());
  };
  check(rein::UnitNorm{rein::per_row}, w, 1);
  check(rein::MinMaxNorm{3.0, 4.0, rein::per_row}, w, 1);
  check(rein::MinMaxNorm{3.0, 4.0, rein::per_row, 0.5}, w, 1);
  check(rein::MaxNorm{0, rein::per_row}, w, 1);
  check(rein::UnitNorm{rein::whole}, Eigen::Matrix<double, 3, 4>::Zero(), 0);
}

// Rescaling the weights alone moves a unit's decision boundary: with w = 100 and b = -3000 it lies
// at 30, with w = 1 and the old b at 3000.
TEST_CASE("regressions: the bias goes along where it is asked to") {
  Eigen::MatrixXf w(2, 2);
  w << 60, 80, 0.3f, 0.4f;
  Eigen::VectorXf b(2);
  b << -3000, 7;
  const Eigen::Vector2f on_boundary(18, 24);  // w_0 x + b_0 = 0
  CHECK(w.row(0).dot(on_boundary) + b[0] == 0);
  rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b));
  CHECK(std::abs(w.row(0).dot(on_boundary) + b[0]) < 1e-5f);
  CHECK(std::abs(b[0] + 30) < 1e-5f);
  CHECK(b[1] == 7);
}

// A constraint was accepted and never applied, or applied to a copy (Keras#18883, tfjs#3345,
// tfjs#3979). Whatever part of W is handed over, and however, W itself must change, and the report
// must tell.
TEST_CASE("regressions: a constraint is never silently not applied (Keras#18883)") {
  Eigen::MatrixXd w = Eigen::MatrixXd::Constant(6, 6, 2.0);
  const rein::MaxNorm max_norm{1.0, rein::whole};
  double expected = w.squaredNorm();
  const auto check = [&](const rein::Report& report, double norm_before) {
    CHECK(report.checked == 1);
    CHECK(report.changed == 1);
    CHECK(std::abs(report.largest_norm - norm_before) < 1e-14 * norm_before);
    expected += 1 - norm_before * norm_before;
    CHECK(std::abs(w.squaredNorm() - expected) < 1e-12 * expected);
  };
  check(max_norm(w.row(0)), std::sqrt(24.0));
  auto block = w.block(1, 0, 2, 2);
  check(max_norm(block), 4);
  check(max_norm(Eigen::Ref<Eigen::MatrixXd>(w.block(1, 2, 2, 2))), 4);
  check(max_norm(Eigen::Map<Eigen::VectorXd>(w.data() + 3, 1)), 2);
  check(max_norm(w.transpose().block(1, 3, 2, 1)), std::sqrt(8.0));
  check(max_norm(w.bottomRows(1).array()), std::sqrt(24.0));
  check(max_norm(w.block(4, 0, 1, 6).reverse()), std::sqrt(24.0));
  const auto by_reference = [&](Eigen::Ref<Eigen::MatrixXd> whole_of_w) {
    return max_norm(whole_of_w);
  };
  check(by_reference(w), std::sqrt(expected));
  CHECK(max_norm(w).changed == 0);
}

// -0 is a finite number >= 0, so it passed as a limit, and as the numerator of the factor it turned
// every zero's sign: (3, -2) became (-0, 0), at limit 0 (0, -0).
TEST_CASE("regressions: a limit of -0 is a limit of 0") {
  if (!laws::strict) return;
  const auto check = [](auto with_limit) {
    Eigen::Matrix<double, 2, 2> w, same;
    w << 3, -2, 1e-320, -1e200;
    same = w;
    with_limit(0.0)(w);
    with_limit(-0.0)(same);
    CHECK(same_bits(w, same));
    CHECK(!std::signbit(same(0, 0)));
  };
  check([](double limit) { return rein::MaxNorm{limit, rein::per_row}; });
  check([](double limit) { return rein::MinMaxNorm{limit, limit, rein::per_row}; });
  check([](double limit) { return rein::MaxRms{limit, rein::per_row}; });
  check([](double limit) { return rein::MaxSpectralNorm{limit}; });
  check([](double limit) { return rein::L1Ball{limit, rein::per_row}; });
  check([](double limit) { return rein::Simplex{limit, rein::per_row}; });
}

// A half vector of zeros and 65504s cannot be lengthened. It was written to with the same bits at
// every call, and each time reported as changed (found by fuzz_projection: MinMaxNorm with a low of
// 413538 for rows of 129). In float and double such factors overflow, and were looked at twice.
TEST_CASE("regressions: entries that cannot grow are not reported as changed (fuzzing)") {
  const auto check = [](auto scalar, double largest) {
    using Scalar = decltype(scalar);
    Eigen::Matrix<Scalar, 3, 3> w;
    w.setConstant(Scalar(0));
    w(0, 0) = w(1, 1) = w(1, 2) = static_cast<Scalar>(largest);
    w(2, 1) = Scalar(1);
    const rein::MinMaxNorm constraint{3 * largest, 4 * largest, rein::per_row};
    Eigen::Matrix<Scalar, 3, 3, Eigen::RowMajor> along = w;
    CHECK(constraint(w).changed == 1);
    CHECK(constraint(along).changed == 1);
    CHECK(w(2, 1) == static_cast<Scalar>(largest));
    CHECK(constraint(w).changed == 0);
    CHECK(constraint(along).changed == 0);
  };
  check(Eigen::half(), oracle::format_of<Eigen::half>().largest());
  check(Eigen::bfloat16(), oracle::format_of<Eigen::bfloat16>().largest());
  check(float(), oracle::format_of<float>().largest());
}

// Rounding subnormal entries may leave a norm short of its low by a step for each of them, which
// counts as satisfied; of a complex entry only one of the two numbers was counted. (1, 2) times the
// smallest number became (8, 17), and at the next call (8, 18) (found by fuzz_projection).
TEST_CASE("regressions: subnormal complex vectors are satisfied after one call (fuzzing)") {
  if (!laws::strict) return;
  const auto check = [](auto part, double low) {
    using Part = decltype(part);
    const double smallest = oracle::format_of<Part>().smallest();
    Eigen::Matrix<std::complex<Part>, 1, 1> w;
    w(0) = {static_cast<Part>(smallest), static_cast<Part>(2 * smallest)};
    const rein::MinMaxNorm constraint{low * smallest, 2 * low * smallest, rein::per_row};
    CHECK(constraint(w).changed == 1);
    const Eigen::Matrix<std::complex<Part>, 1, 1> once = w;
    CHECK(constraint(w).changed == 0);
    CHECK(w(0) == once(0));
  };
  check(double(), 19.99);
  check(float(), 19.99);
}

// Entries that do not count were scaled with: beside the largest double, 2.2e-16 lost half its
// bits. (0, 1.8e308, 2.2e-16) came to lie 1e-6 of its length off the hyperplane of normal (1, 0,
// 3), and each call reported a change (found by fuzz_projection).
TEST_CASE("regressions: an entry whose normal is 0 does not disturb the others (fuzzing)") {
  if (!laws::strict) return;
  const double tiny = oracle::format_of<double>().epsilon();
  const Eigen::Vector3d normal(128, 0, 384);
  const rein::Hyperplane constraint{normal, 0, rein::per_col};
  for (const double large : {oracle::format_of<double>().largest(), 1.0, 0.0}) {
    for (const double first : {0.0, -oracle::format_of<double>().smallest()}) {
      Eigen::Vector3d w(first, large, tiny);
      CHECK(constraint(w).changed == 1);
      CHECK(w[1] == large);
      CHECK(std::abs(w[0] + 0.3 * tiny) <= 1e-15 * tiny);
      CHECK(std::abs(w[2] - 0.1 * tiny) <= 1e-15 * tiny);
      CHECK(constraint(w).changed == 0);
    }
  }
}

// limit * sqrt(n) counts as the largest double where it is more; for some n, it rounded to Inf, and
// vectors of a norm beyond the largest double were left alone (found by fuzz_projection).
TEST_CASE("regressions: the largest limit is one for vectors of any length (fuzzing)") {
  const double largest = oracle::format_of<double>().largest();
  for (Eigen::Index n = 2; n <= 100; ++n) {
    Eigen::RowVectorXd w = Eigen::RowVectorXd::Constant(n, largest);
    const rein::MaxRms constraint{largest, rein::per_row};
    CHECK(constraint(w).changed == 1);
    CHECK(w[0] == Catch::Approx(largest / std::sqrt(static_cast<double>(n))));
    CHECK(constraint(w).changed == 0);
  }
}
