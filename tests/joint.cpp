#include <rein/joint.hpp>
#include <rein/max_norm.hpp>
#include <rein/max_rms.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/only.hpp>
#include <rein/unit_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;

// The weights together with a joint bias, which is their last column (or row), obey the laws of the
// weights that are all of it.
template <class Scalar>
void last_entry_as_bias_obeys_the_laws(int plans) {
  laws::Random random(11);
  const auto make = [](const auto& grouping, const oracle::Rule& rule) {
    return [constraint = rein::MinMaxNorm{rule.low, rule.high, grouping, rule.rate}](auto& w) {
      using Grouping = std::decay_t<decltype(constraint.grouping())>;
      if constexpr (std::is_same_v<Grouping, rein::PerRow>) {
        if (w.cols() != 0) {
          return constraint(w.leftCols(w.cols() - 1), rein::joint(w.col(w.cols() - 1)));
        }
      } else if constexpr (std::is_same_v<Grouping, rein::PerCol>) {
        if (w.rows() != 0) {
          return constraint(w.topRows(w.rows() - 1), rein::joint(w.row(w.rows() - 1)));
        }
      }
      return constraint(w);
    };
  };
  const std::vector<oracle::Rule> rules{
      {.high = 1.5}, {.low = 0.5, .high = 1.5}, {.high = 0}, {.low = 1, .high = 1, .rate = 0.25}};
  laws::obey_plans<Scalar>(laws::plans_for(rules, plans, random), make, random);
}

}  // namespace

TEST_CASE("joint: float") { last_entry_as_bias_obeys_the_laws<float>(30); }
TEST_CASE("joint: double") { last_entry_as_bias_obeys_the_laws<double>(15); }
TEST_CASE("joint: half") { last_entry_as_bias_obeys_the_laws<Eigen::half>(10); }
TEST_CASE("joint: complex<double>") { last_entry_as_bias_obeys_the_laws<std::complex<double>>(10); }

TEST_CASE("joint: the decision boundary does not move") {
  Eigen::MatrixXf w{{3, 0}, {0.3f, 0.4f}};
  Eigen::VectorXf b{{4, 0.5f}};
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w, rein::joint(b));
  CHECK(w.isApprox(Eigen::MatrixXf{{0.6f, 0}, {0.3f, 0.4f}}));
  CHECK(b.isApprox(Eigen::VectorXf{{0.8f, 0.5f}}));
  CHECK(report == rein::Report{.checked = 2, .changed = 1, .largest_norm = 5});
}

TEST_CASE("joint: MaxRms counts the bias in the length") {
  Eigen::MatrixXd w{{2, 2, 2}};
  Eigen::VectorXd b{{2}};
  rein::MaxRms{1.0, rein::per_row}(w, rein::joint(b));
  CHECK(w.isApprox(Eigen::MatrixXd{{1, 1, 1}}));
  CHECK(b[0] == Catch::Approx(1));
}

TEST_CASE("joint: with only(), the other vectors' biases are not read") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Eigen::MatrixXd w{{3, 0}, {3, 0}, {3, 0}};
  Eigen::VectorXd b{{nan, 4, 4}};
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(w, rein::only({1}), rein::joint(b));
  CHECK(report == rein::Report{.checked = 1, .changed = 1, .largest_norm = 5});
  CHECK(w.isApprox(Eigen::MatrixXd{{3, 0}, {0.6, 0}, {3, 0}}));
  CHECK(b.tail(2).isApprox(Eigen::VectorXd{{0.8, 4}}));
}

TEST_CASE("joint: vectors without entries are their biases") {
  Eigen::MatrixXf w(2, 0);
  Eigen::VectorXf b{{7, 0.5f}};
  CHECK(rein::MaxNorm{1.0, rein::per_row}(w, rein::joint(b)).changed == 1);
  CHECK(b.isApprox(Eigen::VectorXf{{1, 0.5f}}));
}

TEST_CASE("joint: a bias of another size is refused") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(3, 2, 9), before = w;
  Eigen::VectorXf b = Eigen::VectorXf::Ones(2);
  CHECK(names(refusal([&] { rein::UnitNorm{rein::per_row}(w, rein::joint(b)); }), "rein::joint",
              "size is 2", "number of vectors, 3"));
  CHECK(w == before);
}
