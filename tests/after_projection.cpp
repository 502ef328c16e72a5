// The option after_projection of Sgd and Adam: what becomes of the momentum of a vector that the
// constraint has changed.

#include <rein/adam.hpp>
#include <rein/max_norm.hpp>
#include <rein/max_rms.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/sgd.hpp>
#include <rein/unit_norm.hpp>

#include "laws.hpp"

namespace {

using Eigen::Index;
using rein::Momentum;

// The optimizers, at a learning rate of zero: with a gradient of zeros a step leaves the weights to
// the constraint, and the momentum stays as it is, or is halved.
struct Sgd {
  template <class W, class C>
  static auto make(const W& w, const C& constraint) {
    return rein::Sgd{w, {.learning_rate = 0, .momentum = 1}, constraint};
  }
  template <class Optimizer>
  static auto& momentum(Optimizer& optimizer) {
    return optimizer.momentum();
  }
  template <class Optimizer>
  static oracle::Weights other_state(const Optimizer&) {
    return {};
  }
};

struct Adam {
  template <class W, class C>
  static auto make(const W& w, const C& constraint) {
    return rein::Adam{w, {.learning_rate = 0, .beta1 = 0.5, .beta2 = 0.5}, constraint};
  }
  template <class Optimizer>
  static auto& momentum(Optimizer& optimizer) {
    return optimizer.first_moment();
  }
  template <class Optimizer>
  static oracle::Weights other_state(const Optimizer& optimizer) {
    return oracle::copy_of(optimizer.second_moment());
  }
};

// What is wrong with the momentum m of vectors of w, some of which have been changed; before this
// was done to the changed ones, it was `kept`.
std::string momentum_is_right(Momentum what, const oracle::Weights& w, const oracle::Weights& kept,
                              const oracle::Weights& m, const std::vector<oracle::Places>& vectors,
                              const std::vector<bool>& changed) {
  const double eps = w.format.epsilon();
  const long double largest = w.format.largest();
  const long double doubt = laws::strict && w.format.judged() ? 4 * eps : 64 * eps;
  for (std::size_t v = 0; v < vectors.size(); ++v) {
    if (!changed[v] || what == Momentum::keep) {
      if (!oracle::same_bits(kept, m, vectors[v])) return laws::name(v) + "was kept, its m not";
      continue;
    }
    if (what == Momentum::reset) {
      for (const std::size_t place : vectors[v]) {
        if (oracle::bits(m.numbers[place]) != 0) return laws::name(v) + "has not been reset";
      }
      continue;
    }
    long double product = 0, square = 0, momentum_square = 0;
    for (const std::size_t place : vectors[v]) {
      const long double x = w.numbers[place], y = kept.numbers[place];
      product += x * y, square += x * x, momentum_square += y * y;
    }
    if (square == 0 || !oracle::finite(kept, vectors[v])) {
      if (!oracle::same_bits(kept, m, vectors[v])) return laws::name(v) + "has another m";
      continue;
    }
    for (const std::size_t place : vectors[v]) {
      const long double along = product / square * w.numbers[place];
      const long double exact = std::clamp(kept.numbers[place] - along, -largest, largest);
      // Plain sums of n doubles, right to n roundings each, which shows where all but nothing is
      // left.
      const long double sums = static_cast<long double>(vectors[v].size() + 8) * 0x1p-52L *
                               std::sqrt(momentum_square / square) *
                               std::abs(static_cast<long double>(w.numbers[place]));
      const long double allowed =
          doubt * (std::abs(static_cast<long double>(kept.numbers[place])) + std::abs(along)) +
          sums + w.format.smallest();
      if (!(std::abs(m.numbers[place] - exact) <= allowed)) {
        return laws::name(v) + "has " + laws::text(m.numbers[place]) + ", not " +
               laws::text(exact) + " +- " + laws::text(allowed);
      }
    }
  }
  return "";
}

// Each vector's momentum in another way: of any size, zero, along the vector.
void fill_momentum(oracle::Weights& m, const oracle::Weights& w,
                   const std::vector<oracle::Places>& vectors, laws::Random& random) {
  const bool extremes = laws::strict && m.format.judged();
  const double top = extremes ? m.format.largest() : std::sqrt(m.format.largest()) / 4096;
  const double bottom = extremes ? m.format.smallest() : 1 / top;
  for (const oracle::Places& vector : vectors) {
    const double length = static_cast<double>(vector.size() + 1);
    const double sizes[] = {1, 1, 1, 0, std::sqrt(top) / length, top / length, 50 * bottom};
    const double size = random.one_of(sizes);
    const bool along = oracle::finite(w, vector) && random.chance(0.2);
    for (const std::size_t place : vector) {
      m.numbers[place] = along ? w.numbers[place] / 2 : size * random.between(-1, 1);
    }
  }
}

// Whether all numbers of a vector are equal, or both NaN: zeros of either sign are.
bool same_numbers(const oracle::Weights& a, const oracle::Weights& b,
                  const oracle::Places& vector) {
  return std::all_of(vector.begin(), vector.end(), [&](std::size_t place) {
    const double x = a.numbers[place], y = b.numbers[place];
    return oracle::bits(x) == oracle::bits(y) || (x == 0 && y == 0);
  });
}

// Takes a step with each of two copies of an optimizer that keeps the momentum, one of which is
// told to do otherwise, and goes on as that one.
template <class Kind, class Optimizer, class W, class Step>
void step_is_right(Optimizer& optimizer, W& w, const std::vector<oracle::Places>& vectors,
                   laws::Random& random, const Step& step) {
  const oracle::Weights before = oracle::copy_of(w);
  Optimizer keeping = optimizer;
  const rein::Report report = step(keeping);
  const oracle::Weights kept = oracle::copy_of(w);
  oracle::assign(w, before);
  optimizer.options().after_projection = random.chance(0.75) ? Momentum::tangent : Momentum::reset;
  CHECK(step(optimizer) == report);
  CHECK(oracle::same_bits(oracle::copy_of(w), kept));

  std::vector<bool> changed;
  for (const oracle::Places& vector : vectors) {
    changed.push_back(!same_numbers(before, kept, vector));
  }
  CHECK(report.changed == std::count(changed.begin(), changed.end(), true));
  CHECK(momentum_is_right(optimizer.options().after_projection, kept,
                          oracle::copy_of(Kind::momentum(keeping)),
                          oracle::copy_of(Kind::momentum(optimizer)), vectors, changed) == "");
  CHECK(oracle::same_bits(Kind::other_state(optimizer), Kind::other_state(keeping)));
  optimizer.options().after_projection = Momentum::keep;
}

// A step of all rows, in some plans after one of listed rows, by an optimizer that was made for
// `made_for`.
template <class Kind, bool WithRows, class W, class MadeFor, class G>
void steps_are_right(W&& w, const MadeFor& made_for, const laws::Plan& plan, const G& grouping,
                     laws::Random& random) {
  using Scalar = typename std::decay_t<W>::Scalar;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  oracle::Weights weights = oracle::copy_of(w);
  const auto vectors = oracle::vectors_of(weights, plan.grouping);
  laws::fill(weights, vectors, plan.rule, random);
  oracle::assign(w, weights);
  weights = oracle::copy_of(w);

  auto optimizer = Kind::make(
      made_for, rein::MinMaxNorm{plan.rule.low, plan.rule.high, grouping, plan.rule.rate});
  oracle::Weights momentum = weights;
  fill_momentum(momentum, weights, vectors, random);
  oracle::assign(Kind::momentum(optimizer), momentum);
  optimizer.steps() = 1;

  if constexpr (WithRows) {
    std::vector<Index> listed;
    for (Index i = w.rows(); i-- > 0;) {
      if (random.chance(0.5)) listed.push_back(i);
    }
    const Matrix zeros = Matrix::Zero(std::ssize(listed), w.cols());
    step_is_right<Kind>(optimizer, w, vectors, random,
                        [&](auto& taking) { return taking.step_rows(w, zeros, listed); });
  }
  const Matrix zeros = Matrix::Zero(w.rows(), w.cols());
  step_is_right<Kind>(optimizer, w, vectors, random,
                      [&](auto& taking) { return taking.step(w, zeros); });
}

const std::vector<oracle::Rule> rules{{.low = 0.5, .high = 1.5},
                                      {.low = 0, .high = 1},
                                      {.low = 0, .high = 0},
                                      {.low = 1, .high = 1},
                                      {.low = 0.5, .high = 1.5, .rate = 0.25}};

// Every grouping, shape and storage order.
template <class Kind, class Scalar, bool WithRows = false>
void momentum_is_right_everywhere(int plans) {
  laws::Random random(21);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const laws::Plan& plan : laws::plans_for(rules, plans, random)) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(plan.rows, plan.cols, random.index(4),
                                 [&](const char* view, auto& w) {
                                   INFO(oracle::format_of<Scalar>().name << " " << view);
                                   laws::with_grouping(w, plan, [&](const auto& grouping) {
                                     steps_are_right<Kind, WithRows>(w, w, plan, grouping, random);
                                   });
                                 });
  }
}

}  // namespace

TEST_CASE("after_projection: float") { momentum_is_right_everywhere<Sgd, float, true>(24); }
TEST_CASE("after_projection: double") { momentum_is_right_everywhere<Sgd, double>(24); }
TEST_CASE("after_projection: half") { momentum_is_right_everywhere<Sgd, Eigen::half>(12); }
TEST_CASE("after_projection: bfloat16") { momentum_is_right_everywhere<Sgd, Eigen::bfloat16>(12); }
TEST_CASE("after_projection: complex<double>") {
  momentum_is_right_everywhere<Sgd, std::complex<double>>(12);
}
TEST_CASE("after_projection: Adam") { momentum_is_right_everywhere<Adam, double, true>(24); }

// Entries that are strided, converted, without addresses.
TEST_CASE("after_projection: every kind of W") {
  laws::Random random(22);
  for (const auto& [rows, cols] : {std::pair<Index, Index>{5, 7}, {1, 9}, {9, 1}, {40, 30}}) {
    const laws::Plan plan{{oracle::Grouping::cols}, rows, cols, rules[0]};
    laws::for_each_view<float>(rows, cols, [&](const char* view, auto&& w) {
      INFO(laws::describe(plan) << ", " << view);
      for (int k = 0; k < 4; ++k) steps_are_right<Sgd, false>(w, w, plan, rein::per_col, random);
    });
  }
}

// An optimizer keeps its state in one storage order, and takes weights in the other one too.
TEST_CASE("after_projection: a state in the other storage order") {
  laws::Random random(23);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (int k = oracle::tries(60); k > 0; --k) {
    const laws::Plan plan = laws::random_plan(random.one_of(rules), random);
    INFO(laws::describe(plan));
    Eigen::MatrixXd w(plan.rows, plan.cols);
    const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> other = w;
    laws::with_grouping(w, plan, [&](const auto& grouping) {
      steps_are_right<Sgd, false>(w, other, plan, grouping, random);
    });
  }
  // Without addresses, a view goes by rows or by columns.
  Eigen::MatrixXf w(8, 11);
  steps_are_right<Sgd, false>(w.reverse(), w, {{oracle::Grouping::rows}, 8, 11, rules[0]},
                              rein::per_row, random);
  steps_are_right<Sgd, false>(w.reverse(), w, {{oracle::Grouping::whole}, 8, 11, rules[0]},
                              rein::whole, random);
}

// In numbers that a reader can check.
TEST_CASE("after_projection: the three choices") {
  const auto momentum_after = [](Momentum what) {
    Eigen::MatrixXd w{{6, 8}, {0.3, 0.4}};
    rein::Sgd sgd{w,
                  {.learning_rate = 0, .momentum = 0.5, .after_projection = what},
                  rein::MaxNorm{5.0, rein::per_row}};
    CHECK(sgd.step(w, Eigen::MatrixXd{{5, 0}, {7, 8}}).changed == 1);
    CHECK((w - Eigen::MatrixXd{{3, 4}, {0.3, 0.4}}).norm() < 1e-15);
    CHECK(sgd.momentum().row(1) == Eigen::RowVector2d(7, 8));
    return Eigen::RowVector2d(sgd.momentum().row(0));
  };
  CHECK(momentum_after(Momentum::keep) == Eigen::RowVector2d(5, 0));
  CHECK(momentum_after(Momentum::reset) == Eigen::RowVector2d(0, 0));
  CHECK((momentum_after(Momentum::tangent) - Eigen::RowVector2d(3.2, -2.4)).norm() < 1e-14);
}

// A vector's momentum gets shorter, but an entry may grow: here by a fifth.
TEMPLATE_TEST_CASE("after_projection: the largest numbers stay finite", "", float, double,
                   Eigen::half) {
  using W = Eigen::Matrix<TestType, 1, 2>;
  W w(TestType(3.83f), TestType(-9.24f));
  const double largest = oracle::format_of<TestType>().largest();
  rein::Sgd sgd{w,
                {.learning_rate = 0, .momentum = 1, .after_projection = Momentum::tangent},
                rein::MaxNorm{5.0, rein::per_row}};
  sgd.step(w, W(TestType(0), TestType(0)));
  sgd.momentum().setConstant(TestType(largest));
  w = W(TestType(3.83f), TestType(-9.24f));
  sgd.step(w, W(TestType(0), TestType(0)));
  CHECK(double(sgd.momentum()[0]) == largest);
  CHECK(std::abs(double(sgd.momentum()[1]) / largest - 0.5) < 0.01);
}

TEST_CASE("after_projection: every norm constraint tells what it changed") {
  const auto check = [](const auto& constraint) {
    Eigen::MatrixXf w{{3, 4}, {0.6f, 0.8f}};
    rein::Adam adam{w, {.after_projection = Momentum::reset}, constraint};
    adam.step(w, Eigen::MatrixXf{{-1, -1}, {0, 0}});
    CHECK(adam.first_moment() == Eigen::MatrixXf::Zero(2, 2));
    CHECK(adam.second_moment()(0, 0) > 0);
  };
  check(rein::MaxNorm{2.0, rein::per_row});
  check(rein::UnitNorm{rein::per_row});
  check(rein::MinMaxNorm{0.0, 2.0, rein::per_row});
  check(rein::MaxRms{1.0, rein::per_row});
}

// Such a momentum gives a step NaN weights, which are left alone; only one that is not in use can
// be with a vector that is changed.
TEST_CASE("after_projection: a momentum with a NaN or an Inf") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(3, 2, 9), start = w;
  const Eigen::MatrixXf zeros = Eigen::MatrixXf::Zero(3, 2);
  rein::Sgd sgd{w, {.momentum = 0.5}, rein::MaxNorm{1.0, rein::per_row}};
  sgd.step(w, zeros);
  sgd.options() = {.after_projection = Momentum::tangent};
  for (const float odd : {nan, inf, -inf}) {
    w = start;
    sgd.momentum() << 4, odd, 1, 3, odd, 0;
    CHECK(sgd.step(w, zeros).changed == 3);
    CHECK(sgd.momentum()(0, 0) == 4);
    CHECK(oracle::bits(double(sgd.momentum()(0, 1))) == oracle::bits(double(odd)));
    CHECK(std::abs(sgd.momentum()(1, 0) + 1) < 1e-6f);
    CHECK(sgd.momentum()(2, 1) == 0);
  }
  sgd.options().after_projection = Momentum::reset;
  w = start;
  sgd.step(w, zeros);
  CHECK(sgd.momentum() == zeros);
}
