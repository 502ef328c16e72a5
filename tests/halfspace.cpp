#include <rein/halfspace.hpp>
#include <rein/sgd.hpp>

#include "projection_laws.hpp"
#include "projection_sets.hpp"
#include "refusal.hpp"

namespace {

Eigen::VectorXd some_normal(Eigen::Index length) {
  Eigen::VectorXd normal(length);
  for (Eigen::Index i = 0; i < length; ++i) normal(i) = static_cast<double>(i * 7 % 11 - 4) / 3;
  return normal;
}

template <class Scalar>
void obeys_the_laws() {
  for (const double offset : {0.0, 1.0, -300.0}) {
    INFO("offset " << offset);
    laws::obey_set_everywhere<Scalar>(
        3, 25, [&](Eigen::Index n) { return laws::plane(some_normal(n), offset, true); },
        [&](const auto& grouping, Eigen::Index n) {
          return rein::Halfspace{some_normal(n), offset, grouping};
        },
        1);
    laws::obey_set_everywhere<Scalar>(
        3, 25, [&](Eigen::Index n) { return laws::plane(some_normal(n), offset, false); },
        [&](const auto& grouping, Eigen::Index n) {
          return rein::Hyperplane{some_normal(n), offset, grouping};
        },
        1);
  }
}

}  // namespace

TEST_CASE("halfspace obeys the laws: float") { obeys_the_laws<float>(); }
TEST_CASE("halfspace obeys the laws: double") { obeys_the_laws<double>(); }
TEST_CASE("halfspace obeys the laws: bfloat16") { obeys_the_laws<Eigen::bfloat16>(); }

TEST_CASE("halfspace: a vector outside moves along the normal, onto the plane") {
  Eigen::Matrix2d w{{3, 1}, {0, 1}};
  const rein::Halfspace halfspace{Eigen::Vector2d(1, 1), 2.0, rein::per_row};
  CHECK(halfspace(w) == rein::Report{.checked = 2, .changed = 1});
  CHECK(w == Eigen::Matrix2d{{2, 0}, {0, 1}});
  CHECK(halfspace(w).changed == 0);
  CHECK(halfspace.normal().matrix() == Eigen::Vector2d(1, 1));
  CHECK(halfspace.offset() == 2);
}

TEST_CASE("hyperplane: every vector moves along the normal, onto the plane") {
  Eigen::Matrix2f w{{3, 0}, {1, 1}};
  const rein::Hyperplane hyperplane{Eigen::RowVector2f(1, 1), 2.0, rein::per_col};
  CHECK(hyperplane(w) == rein::Report{.checked = 2, .changed = 2});
  CHECK(w == Eigen::Matrix2f{{2, 0.5f}, {0, 1.5f}});
  CHECK(hyperplane(w).changed == 0);
}

TEST_CASE("hyperplane: entries that take no part keep their sign") {
  if (!laws::strict) return;
  for (const double x : {1.0, 3.0, 1e300}) {
    Eigen::RowVector2d w(x, -0.0);
    CHECK(rein::Hyperplane{Eigen::Vector2d(1, 0), 2.0, rein::whole}(w).changed == 1);
    CHECK(w(0) == 2);
    CHECK(std::signbit(w(1)));
  }
}

// In one round, 1e300 - (1e300 - 1) would be 0.
TEST_CASE("hyperplane: little is left of a long vector, and it is right") {
  for (const double x : {1e300, -1e300, 1e17, 1e-300, 0.0}) {
    Eigen::Matrix<double, 1, 1> w(x);
    const rein::Hyperplane hyperplane{Eigen::Matrix<double, 1, 1>(1), 1.0, rein::whole};
    hyperplane(w);
    CHECK(w(0) == 1);
    CHECK(hyperplane(w).changed == 0);
  }
  Eigen::Matrix<double, 1, 1> w(1e300);
  rein::Halfspace{Eigen::Matrix<double, 1, 1>(3), 3.0, rein::whole}(w);
  CHECK(w(0) == 1);
}

// The first entry stays at the largest half, and the second one makes up for it by 1% of what is
// missing in each round: the rounds end all the same.
TEST_CASE("hyperplane: a plane beyond the scalar's largest number is approached") {
  using Eigen::half;
  Eigen::Matrix<half, 1, 2> w(half(1), half(1));
  const rein::Hyperplane hyperplane{Eigen::Vector2d(1, 0.1), 70000.0, rein::per_row};
  double last = 1.1;
  for (int k = 0; k < 3; ++k) {
    CHECK(hyperplane(w) == rein::Report{.checked = 1, .changed = 1});
    CHECK(w(0) == half(65504));
    const double product = static_cast<double>(w(0)) + 0.1 * static_cast<double>(w(1));
    CHECK(product > last);
    CHECK(product < 70000);
    last = product;
  }
}

TEST_CASE("hyperplane: normals, offsets and entries at the ends of double") {
  if (!laws::strict) return;
  const auto onto = [](double normal, double offset, double x) {
    Eigen::Vector2d w(x, -x);
    const rein::Hyperplane hyperplane{Eigen::Vector2d(normal, 0), offset, rein::whole};
    hyperplane(w);
    CHECK(w(1) == -x);
    CHECK(hyperplane(w).changed == 0);
    return w(0);
  };
  CHECK(std::abs(onto(1e300, 1e300, 1e300) - 1) < 1e-15);
  CHECK(std::abs(onto(1e-300, 1e-300, 1e300) - 1) < 1e-15);
  CHECK(onto(1e-310, 0, 1e308) == 0);
  CHECK(onto(1e308, 0, 1e-310) == 0);
  CHECK(std::abs(onto(1e-5, 1e300, 1) / 1e305 - 1) < 1e-15);
  CHECK(std::abs(onto(1e5, 1e-300, 1) / 1e-305 - 1) < 1e-15);
  CHECK(onto(1e-300, 1e300, 1) == std::numeric_limits<double>::max());
  CHECK(onto(1, -1e308, 1e308) == -1e308);
}

TEST_CASE("hyperplane: a large entry that takes no part costs the others no bits at any place") {
  for (const Eigen::Index length : {2, 7, 16, 16744, 16745, 16751}) {
    INFO("length " << length);
    Eigen::VectorXd normal = Eigen::VectorXd::Ones(length);
    Eigen::VectorXd w = Eigen::VectorXd::LinSpaced(length, 1e-20, 2e-20);
    normal(length - 1) = 0;
    w(length - 1) = 1e300;
    const double mean = w.head(length - 1).mean();
    const Eigen::VectorXd expected = w.head(length - 1).array() - mean;
    CHECK(rein::Hyperplane{normal, 0.0, rein::whole}(w).changed == 1);
    CHECK(w(length - 1) == 1e300);
    CHECK((w.head(length - 1) - expected).cwiseAbs().maxCoeff() < 1e-15 * mean);
  }
}

TEST_CASE("hyperplane: an offset that is nothing beside the vector is reached at once") {
  if (!laws::strict) return;
  Eigen::Matrix<double, 1, 1> w(1.79769e308);
  const rein::Hyperplane hyperplane{Eigen::Matrix<double, 1, 1>(1.88079e-37), 4.38669e-150,
                                    rein::whole};
  hyperplane(w);
  CHECK(std::abs(w(0) / (4.38669e-150 / 1.88079e-37) - 1) < 1e-15);
  CHECK(hyperplane(w).changed == 0);
}

TEST_CASE("halfspace: for whole, the normal goes with the order of the memory") {
  Eigen::Matrix<float, 2, 2, Eigen::RowMajor> rows;
  rows << 0, 1, 2, 3;
  Eigen::Matrix2f cols = rows;
  const rein::Hyperplane hyperplane{Eigen::Vector4f(0, 1, 0, 0), 5.0, rein::whole};
  hyperplane(rows);
  hyperplane(cols);
  CHECK(rows(0, 1) == 5);
  CHECK(cols(1, 0) == 5);
}

TEST_CASE("halfspace: after an optimizer's step, on filters") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Zero(2, 4);
  const Eigen::MatrixXf gradient{{-1, 0, 0, -4}, {-3, 0, 0, -8}};
  const Eigen::Vector4f ones = Eigen::Vector4f::Ones();
  rein::Sgd sgd{
      w, {.learning_rate = 1}, rein::Halfspace{ones, 5.0, rein::per_filter("io", {4, 2})}};
  CHECK(sgd.step(w, gradient).changed == 1);  // column-major: the filters are the rows
  CHECK(w == Eigen::MatrixXf{{1, 0, 0, 4}, {1.5f, -1.5f, -1.5f, 6.5f}});
}

TEST_CASE("halfspace: a normal of another length is found out before the step") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Zero(2, 4);
  const Eigen::MatrixXf gradient = Eigen::MatrixXf::Ones(2, 4);
  rein::Sgd sgd{
      w, {.learning_rate = 1}, rein::Halfspace{Eigen::Vector2f(1, 1), 5.0, rein::per_row}};
  CHECK(names(refusal([&] { sgd.step(w, gradient); }), "size of normal is 2", "4"));
  CHECK(w == Eigen::MatrixXf::Zero(2, 4));
  CHECK(sgd.steps() == 0);
}

TEST_CASE("halfspace: invalid arguments are refused") {
  const auto with = [](const auto& normal, double offset) {
    return refusal([&] { rein::Halfspace(normal, offset, rein::per_row); });
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const Eigen::Vector2d ok(0, 1);
  CHECK(with(ok, 0) == "");
  CHECK(names(with(ok, nan), "rein::Halfspace", "offset is nan", "finite"));
  CHECK(names(with(ok, inf), "offset is inf"));
  CHECK(names(with(Eigen::Vector2d(1, nan), 0), "entry of normal is nan", "finite"));
  CHECK(names(with(Eigen::Vector2f(1, -std::numeric_limits<float>::infinity()), 0), "-inf"));
  CHECK(names(with(Eigen::Vector2d(0, 0), 0), "normal is 0", "other than 0"));
  CHECK(names(with(Eigen::VectorXd(), 0), "normal is 0"));
  CHECK(names(refusal([&] { rein::Hyperplane(ok, nan, rein::per_row); }), "rein::Hyperplane"));
}

TEST_CASE("halfspace: a normal of another length than the vectors is refused") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Ones(2, 3);
  const Eigen::MatrixXf before = w;
  const Eigen::Vector2d normal(1, 1);
  CHECK(names(refusal([&] {
                rein::Halfspace{normal, 0.0, rein::per_row}(w);
              }),
              "rein::Halfspace", "size of normal is 2", "length of the vectors, 3"));
  CHECK(names(refusal([&] {
                rein::Hyperplane{normal, 0.0, rein::whole}(w);
              }),
              "rein::Hyperplane", "6"));
  CHECK(w == before);
  CHECK(rein::Halfspace{normal, 0.0, rein::per_col}(w).changed == 3);
}
