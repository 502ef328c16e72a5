// Weights of half or bfloat16 that are rounded from float ones: what docs/optimizers.md says of
// them.

#include <rein/rein.hpp>

#include "catch.hpp"
#include "laws.hpp"

namespace {

template <class Low>
using Matrix = Eigen::Matrix<Low, Eigen::Dynamic, Eigen::Dynamic>;

// Constrains random float rows of one length to `limit`, rounds them, and returns the largest norm.
// A call on the rounded ones, with the limit that they are meant to have, finds nothing to do.
template <class Low>
double largest_rounded_norm(double limit, double meant, Eigen::Index length, laws::Random& random) {
  Eigen::MatrixXf master = Eigen::MatrixXf::NullaryExpr(
      50, length, [&] { return static_cast<float>(random.between(-1, 1)); });
  for (auto row : master.rowwise()) {
    row *= static_cast<float>(random.between(0.9, 3) * meant) / row.norm();
  }
  rein::MaxNorm{limit, rein::per_row}(master);

  Matrix<Low> weights = master.cast<Low>();
  CHECK(rein::MaxNorm{meant, rein::per_row}(weights).changed == 0);

  const oracle::Weights rounded = oracle::copy_of(weights);
  long double largest = 0;
  for (const oracle::Places& row : oracle::vectors_of(rounded, {oracle::Grouping::rows})) {
    largest = std::max(largest, oracle::norm(rounded, row));
  }
  return static_cast<double>(largest);
}

template <class Low>
void rounding_keeps_the_limit() {
  const double eps = oracle::format_of<Low>().epsilon();
  laws::Random random(31);
  int beyond = 0;
  for (int k = 0; k < 40; ++k) {
    const double limit = random.between(0.25, 8);
    const Eigen::Index length = k < 10 ? 1 : 1 + random.index(200);
    INFO("limit " << limit << ", length " << length);

    const double norm = largest_rounded_norm<Low>(limit, limit, length, random);
    CHECK(norm <= limit * (1 + 0.51 * eps));
    beyond += norm > limit;

    CHECK(largest_rounded_norm<Low>(limit * (1 - eps), limit, length, random) <= limit);
  }
  CHECK(beyond > 20);  // or the lower limit would not be needed
}

// From 1, the next number of the format is eps / 2 below and eps above.
template <class Low>
void small_updates_vanish() {
  const double eps = oracle::format_of<Low>().epsilon();
  const auto one_step = [](double update) {
    Matrix<Low> weight = Matrix<Low>::Ones(1, 1);
    rein::Sgd sgd{weight, {.learning_rate = std::abs(update)}};
    sgd.step(weight, Matrix<Low>::Constant(1, 1, Low(update < 0 ? 1.0f : -1.0f)));
    return static_cast<double>(weight(0));
  };
  CHECK(one_step(-eps / 4) == 1);
  CHECK(one_step(-eps / 4 * 1.01) == 1 - eps / 2);
  CHECK(one_step(eps / 2) == 1);
  CHECK(one_step(eps / 2 * 1.01) == 1 + eps);

  Eigen::MatrixXf master = Eigen::MatrixXf::Ones(1, 1);
  rein::Sgd sgd{master, {.learning_rate = eps / 4}};
  const Matrix<Low> gradient = Matrix<Low>::Ones(1, 1);
  for (int i = 0; i < 4; ++i) sgd.step(master, gradient.template cast<float>());
  CHECK(static_cast<double>(Low(master(0))) == 1 - eps);
}

template <class Low>
double second_moment_of(float gradient) {
  Matrix<Low> weight = Matrix<Low>::Ones(1, 1);
  rein::Adam adam{weight};
  adam.step(weight, Matrix<Low>::Constant(1, 1, Low(gradient)));
  return static_cast<double>(adam.second_moment()(0));
}

}  // namespace

TEST_CASE("mixed_precision: rounded weights and the limit: half") {
  rounding_keeps_the_limit<Eigen::half>();
}
TEST_CASE("mixed_precision: rounded weights and the limit: bfloat16") {
  rounding_keeps_the_limit<Eigen::bfloat16>();
}

TEST_CASE("mixed_precision: small updates vanish in half and bfloat16, and add up in float") {
  small_updates_vanish<Eigen::half>();
  small_updates_vanish<Eigen::bfloat16>();
}

TEST_CASE("mixed_precision: the second moment of a small gradient vanishes in half") {
  CHECK(second_moment_of<Eigen::half>(1e-3f) == 0);
  CHECK(second_moment_of<Eigen::bfloat16>(1e-3f) > 0);
  CHECK(second_moment_of<float>(1e-3f) > 0);
}
