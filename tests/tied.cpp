#include <rein/max_norm.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/only.hpp>
#include <rein/tied.hpp>
#include <rein/unit_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;

// The bias of a changed vector must be multiplied by its exact factor, any other keep its bits.
std::string bias_follows(const oracle::Weights& before, const oracle::Weights& after,
                         const oracle::Grouping& grouping, const oracle::Rule& rule,
                         const oracle::Weights& bias_before, const oracle::Weights& bias_after) {
  const std::vector<oracle::Places> vectors = oracle::vectors_of(before, grouping);
  const double eps = before.format.epsilon();
  const double tolerance = laws::strict && before.format.judged() ? 4 * eps : 64 * eps;
  const long double largest = before.format.largest();
  const auto components = static_cast<std::size_t>(before.format.components);
  for (std::size_t v = 0; v < vectors.size(); ++v) {
    const bool kept = oracle::same_bits(before, after, vectors[v]);
    for (std::size_t place = v * components; place < (v + 1) * components; ++place) {
      const double b = bias_before.numbers[place], c = bias_after.numbers[place];
      if (kept) {
        if (oracle::bits(b) != oracle::bits(c)) return laws::name(v) + "was kept, its bias not";
        continue;
      }
      const long double norm = oracle::norm(before, vectors[v]);
      const long double exact = std::clamp(b * (rule.wanted(norm) / norm), -largest, largest);
      if (!(std::abs(c - exact) <= tolerance * std::abs(exact) + before.format.smallest())) {
        return laws::name(v) + "of norm " + laws::text(norm) + ": its bias " + laws::text(b) +
               " became " + laws::text(c) + ", not " + laws::text(exact);
      }
    }
  }
  return "";
}

template <class Scalar>
void bias_follows_everywhere(int plans) {
  laws::Random random(9);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const oracle::Rule rule{.low = 0.5, .high = 1.5};
  for (const laws::Plan& plan : laws::plans_for({rule}, plans, random)) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(
        plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
          laws::with_grouping(w, plan, [&](const auto& grouping) {
            INFO(oracle::format_of<Scalar>().name << " " << view);
            oracle::Weights before = oracle::copy_of(w);
            laws::fill(before, oracle::vectors_of(before, plan.grouping), rule, random);
            oracle::assign(w, before);
            before = oracle::copy_of(w);
            const rein::MinMaxNorm constraint{rule.low, rule.high, grouping};
            const rein::Report report = constraint(w);
            const oracle::Weights after = oracle::copy_of(w);

            Eigen::Vector<Scalar, Eigen::Dynamic> bias(plan.grouping.vectors(before));
            oracle::Weights bias_before = oracle::copy_of(bias);
            for (double& number : bias_before.numbers) number = random.between(-100, 100);
            oracle::assign(bias, bias_before);
            bias_before = oracle::copy_of(bias);
            oracle::assign(w, before);
            CHECK(constraint(w, rein::tied(bias)) == report);
            CHECK(oracle::same_bits(oracle::copy_of(w), after));
            CHECK(bias_follows(before, after, plan.grouping, rule, bias_before,
                               oracle::copy_of(bias)) == "");
          });
        });
  }
}

}  // namespace

TEST_CASE("tied: the bias follows the weights: float") { bias_follows_everywhere<float>(60); }
TEST_CASE("tied: the bias follows the weights: half") { bias_follows_everywhere<Eigen::half>(20); }
TEST_CASE("tied: the bias follows the weights: complex<double>") {
  bias_follows_everywhere<std::complex<double>>(20);
}

TEST_CASE("tied: the decision boundary does not move") {
  // w = 100, b = -3000: the boundary is at 30.
  Eigen::Matrix<double, 1, 1> w(100), b(-3000);
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b));
  CHECK(w[0] == 1);
  CHECK(b[0] == -30);
  CHECK(report.changed == 1);
  CHECK(rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b)).changed == 0);
  CHECK(b[0] == -30);
}

TEST_CASE("tied: a bias of any kind") {
  Eigen::Matrix<float, 3, 2> w;
  w << 3, 4, 0.3f, 0.4f, 0, 10;
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  const auto expect = [](const auto& b) {
    CHECK(std::abs(b[0] - 2) < 1e-6f);
    CHECK(b[1] == 10);
    CHECK(b[2] == 1);
  };
  SECTION("Vector") {
    Eigen::Vector3f b(10, 10, 10);
    max_norm(w, rein::tied(b));
    expect(b);
  }
  SECTION("RowVector") {
    Eigen::RowVectorXf b = Eigen::RowVectorXf::Constant(3, 10);
    max_norm(w, rein::tied(b));
    expect(b);
  }
  SECTION("Array") {
    Eigen::ArrayXf b = Eigen::ArrayXf::Constant(3, 10);
    max_norm(w, rein::tied(b));
    expect(b);
  }
  SECTION("Map with a stride") {
    std::vector<float> memory(7, 10.0f);
    Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>> b(memory.data() + 1, 3,
                                                           Eigen::InnerStride<>(2));
    max_norm(w, rein::tied(b));
    expect(b);
    for (const std::size_t between : {0u, 2u, 4u, 6u}) CHECK(memory[between] == 10);
  }
  SECTION("temporary Map") {
    std::vector<float> memory(3, 10.0f);
    max_norm(w, rein::tied(Eigen::Map<Eigen::VectorXf>(memory.data(), 3)));
    expect(memory);
  }
  SECTION("segment") {
    Eigen::VectorXf b = Eigen::VectorXf::Constant(5, 10);
    max_norm(w, rein::tied(b.segment(1, 3)));
    expect(b.segment(1, 3));
    CHECK(b[0] == 10);
    CHECK(b[4] == 10);
  }
  SECTION("column and row of a matrix") {
    Eigen::MatrixXf b = Eigen::MatrixXf::Constant(3, 3, 10);
    max_norm(w, rein::tied(b.col(1)));
    expect(b.col(1));
    w *= 20;
    max_norm(w, rein::tied(b.row(0)));
    CHECK(b(0, 0) < 1);
    CHECK(b(1, 0) == 10);
    CHECK(b(2, 2) == 10);
  }
  SECTION("Ref") {
    Eigen::VectorXf memory = Eigen::VectorXf::Constant(3, 10);
    Eigen::Ref<Eigen::VectorXf> b = memory;
    max_norm(w, rein::tied(b));
    expect(memory);
  }
  SECTION("reversed") {
    Eigen::VectorXf memory = Eigen::VectorXf::Constant(3, 10);
    max_norm(w, rein::tied(memory.reverse()));
    expect(memory.reverse());
  }
}

// Entries 3, 5, 7 and 9 of the memory are the weights'.
TEST_CASE("tied: a bias among the weights' entries, and before and after them, is none of them") {
  Eigen::VectorXf memory = Eigen::VectorXf::Constant(12, 10);
  Eigen::Map<Eigen::Matrix2f, 0, Eigen::Stride<4, 2>> w(memory.data() + 3);
  const Eigen::Index begin = GENERATE(2, 4);  // and 6 on
  Eigen::Map<Eigen::Vector2f, 0, Eigen::InnerStride<6>> bias(memory.data() + begin);
  rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(bias));
  CHECK(std::abs(w(0, 0) - std::sqrt(0.5f)) < 1e-6f);
  CHECK(std::abs(bias[0] - std::sqrt(0.5f)) < 1e-6f);
  CHECK(bias[1] == bias[0]);
  CHECK(memory[1] == 10);
}

TEST_CASE("tied: a bias between the columns of a single row is none of the weights") {
  Eigen::VectorXf memory = Eigen::VectorXf::Constant(12, 10);
  // From one row to the next would be 8, if there were two.
  Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<4, 8>> w(memory.data(), 1, 3);
  Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<4>> bias(memory.data() + 1, 3);
  rein::MaxNorm{1.0, rein::per_col}(w, rein::tied(bias));
  CHECK(w == Eigen::RowVector3f::Ones());
  CHECK(bias == Eigen::Vector3f::Ones());
  CHECK(memory[2] == 10);
}

TEST_CASE("tied: every norm constraint and grouping takes it") {
  Eigen::Matrix2d w;
  w << 3, 0, 4, 0.5;
  SECTION("UnitNorm per_col") {
    Eigen::Vector2d b(5, 5);
    rein::UnitNorm{rein::per_col}(w, rein::tied(b));
    CHECK(std::abs(b[0] - 1) < 1e-15);
    CHECK(b[1] == 10);
  }
  SECTION("MinMaxNorm at rate 1/2") {
    Eigen::Vector2d b(5, 5);
    rein::MinMaxNorm{1, 3, rein::per_col, 0.5}(w, rein::tied(b));
    CHECK(std::abs(b[0] - 4) < 1e-14);
    CHECK(b[1] == 7.5);
  }
  SECTION("whole") {
    Eigen::Matrix<double, 1, 1> b(2);
    w(1, 1) = 0;
    rein::MaxNorm{2.5, rein::whole}(w, rein::tied(b));
    CHECK(b[0] == 1);
  }
  SECTION("per_filter") {
    Eigen::Vector4d b(8, 8, 8, 8);
    rein::MaxNorm{0.25, rein::per_filter("o", {4})}(w, rein::tied(b));  // 3, 4, 0, 0.5
    CHECK(std::abs(b[0] - 2.0 / 3) < 1e-15);
    CHECK(b[1] == 0.5);
    CHECK(b[2] == 8);
    CHECK(b[3] == 4);
  }
}

TEST_CASE("tied: a complex bias") {
  Eigen::RowVector2cd w(std::complex<double>(0, 3), std::complex<double>(4, 0));
  Eigen::Matrix<std::complex<double>, 1, 1> b(std::complex<double>(10, -5));
  rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b));
  CHECK(std::abs(b[0] - std::complex<double>(2, -1)) < 1e-15);
}

TEST_CASE("tied: the bias of a vector left alone keeps its bits") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  Eigen::Matrix<double, 5, 2> w;
  w << nan, 100, 0, 0, 0.1, 0.2, 100, inf, 1, 0;
  Eigen::Vector<double, 5> b;
  b << 1, 1e300, nan, -2, -0.0;
  const oracle::Weights before = oracle::copy_of(b);
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b));
  CHECK(oracle::same_bits(oracle::copy_of(b), before));
  CHECK(report.nonfinite == 2);
  CHECK(report.changed == 0);
}

TEST_CASE("tied: zeros, NaN and Inf in the bias of a changed vector stay what they are") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  // The second time with weights that need the careful path.
  for (const double size : {100.0, 1e200}) {
    Eigen::Matrix<double, 4, 1> w = Eigen::Matrix<double, 4, 1>::Constant(size);
    Eigen::Vector4d b(-0.0, nan, inf, -inf);
    const oracle::Weights before = oracle::copy_of(b);
    const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(b));
    CHECK(report.changed == 4);
    CHECK(report.nonfinite == 0);
    CHECK((w.array() == 1).all());
    INFO("weights " << size);
    const oracle::Weights after = oracle::copy_of(b);
    CHECK(oracle::bits(after.numbers[0]) == oracle::bits(before.numbers[0]));
    CHECK((oracle::bits(after.numbers[1]) & ~(std::uint64_t{1} << 63)) >
          oracle::bits(inf));  // still a NaN
    CHECK(oracle::bits(after.numbers[2]) == oracle::bits(inf));
    CHECK(oracle::bits(after.numbers[3]) == oracle::bits(-inf));
  }
}

#ifndef __FAST_MATH__  // which has no subnormals
TEST_CASE("tied: factors that the scalar does not hold") {
  // The factor is about 2^1074; the bias is that of w = 5e-324.
  Eigen::Matrix<double, 1, 1> w(std::numeric_limits<double>::denorm_min()), b(w[0] / 1);
  rein::UnitNorm{rein::per_row}(w, rein::tied(b));
  CHECK(w[0] == 1);
  CHECK(b[0] == 1);
  // 2^-1024, and a bias as large as they get.
  w[0] = std::exp2(1023);
  b[0] = -std::exp2(1023);
  rein::MaxNorm{0.5, rein::per_row}(w, rein::tied(b));
  CHECK(w[0] == 0.5);
  CHECK(b[0] == -0.5);
  // Nor does a bias become Inf.
  w[0] = std::numeric_limits<double>::denorm_min();
  b[0] = 1;
  rein::UnitNorm{rein::per_row}(w, rein::tied(b));
  CHECK(b[0] == std::numeric_limits<double>::max());
}
#endif

TEST_CASE("tied: a bias of another size is refused, and nothing is written") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(4, 3, 9);
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  for (const Index size : {0, 3, 5}) {
    Eigen::VectorXf b = Eigen::VectorXf::Constant(size, 2);
    const std::string message = refusal([&] { max_norm(w, rein::tied(b)); });
    CHECK(names(message, "rein::tied", "bias", "size is " + std::to_string(size), "vectors, 4"));
    CHECK(names(refusal([&] { max_norm(w, rein::only({0}), rein::tied(b)); }), "rein::tied"));
    CHECK((w.array() == 9).all());
    CHECK((b.array() == 2).all());
  }
}
