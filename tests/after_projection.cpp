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

// The optimizers, with a momentum that stays as it is, or is halved, where the gradient is zero.
struct Sgd {
  template <class W, class... C>
  static auto make(const W& w, double learning_rate, Momentum after_projection, C... constraint) {
    return rein::Sgd{
        w,
        {.learning_rate = learning_rate, .momentum = 1, .after_projection = after_projection},
        constraint...};
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
  template <class W, class... C>
  static auto make(const W& w, double learning_rate, Momentum after_projection, C... constraint) {
    return rein::Adam{w,
                      {.learning_rate = learning_rate,
                       .beta1 = 0.5,
                       .beta2 = 0.5,
                       .after_projection = after_projection},
                      constraint...};
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
      // The sums are right to some eps of a double, which shows where all but nothing is left.
      const long double sums = 1e-14L * std::sqrt(momentum_square / square) *
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

// Two steps, of all rows or of listed ones, by an optimizer that was made for `made_for`, from a
// state that is read and restored.
template <class Kind, class W, class MadeFor, class G>
void steps_are_right(W&& w, const MadeFor& made_for, const laws::Plan& plan, const G& grouping,
                     laws::Random& random) {
  using Scalar = typename std::decay_t<W>::Scalar;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const auto vectors = oracle::vectors_of(oracle::copy_of(w), plan.grouping);
  oracle::Weights weights = oracle::copy_of(w);
  laws::fill(weights, vectors, plan.rule, random);
  oracle::assign(w, weights);

  const double rate = random.chance(0.5) ? 0 : 0.01;
  const rein::MinMaxNorm constraint{plan.rule.low, plan.rule.high, grouping, plan.rule.rate};
  auto keeping = Kind::make(made_for, rate, Momentum::keep, constraint);
  auto plain = Kind::make(made_for, rate, Momentum::tangent);
  weights = oracle::copy_of(w);
  oracle::Weights momentum = weights;
  fill_momentum(momentum, weights, vectors, random);
  oracle::assign(Kind::momentum(keeping), momentum);
  keeping.steps() = 1;
  const auto zeros = [](Index rows, Index cols) { return Matrix::Zero(rows, cols); };
  std::vector<Index> listed;
  for (Index i = w.rows(); i-- > 0;) {
    if (random.chance(0.5)) listed.push_back(i);
  }
  for (const bool all : {random.chance(0.5), true}) {
    const oracle::Weights before = oracle::copy_of(w);
    const auto step = [&](auto& optimizer) {
      oracle::assign(w, before);
      Kind::momentum(optimizer) = Kind::momentum(keeping);
      optimizer.steps() = keeping.steps();
      const rein::Report report =
          all ? optimizer.step(w, zeros(w.rows(), w.cols()))
              : optimizer.step_rows(w, zeros(std::ssize(listed), w.cols()), listed);
      return std::pair(report, oracle::copy_of(w));
    };
    auto treating = keeping, again = keeping;
    treating.options().after_projection = random.chance(0.75) ? Momentum::tangent : Momentum::reset;
    const oracle::Weights stepped = step(plain).second;
    const auto [treated_report, treated] = step(treating);
    const auto [report, kept] = step(again);
    std::vector<bool> changed;
    for (const oracle::Places& vector : vectors) {
      changed.push_back(!oracle::same_bits(stepped, kept, vector));
    }
    CHECK(oracle::same_bits(treated, kept));
    CHECK(treated_report == report);
    CHECK(report.changed == std::count(changed.begin(), changed.end(), true));
    CHECK(oracle::same_bits(oracle::copy_of(Kind::momentum(again)),
                            oracle::copy_of(Kind::momentum(plain))));
    CHECK(momentum_is_right(treating.options().after_projection, kept,
                            oracle::copy_of(Kind::momentum(again)),
                            oracle::copy_of(Kind::momentum(treating)), vectors, changed) == "");
    CHECK(oracle::same_bits(Kind::other_state(treating), Kind::other_state(again)));
    keeping = treating;
    keeping.options().after_projection = Momentum::keep;
  }
}

const oracle::Rule rules[] = {{.low = 0.5, .high = 1.5},
                              {.low = 0, .high = 1},
                              {.low = 0, .high = 0},
                              {.low = 1, .high = 1},
                              {.low = 0.5, .high = 1.5, .rate = 0.25}};

// Every grouping, shape and storage order.
template <class Kind, class Scalar>
void momentum_is_right_everywhere(int plans) {
  laws::Random random(21);
  INFO("REIN_TEST_SEED=" << laws::seed());
  std::vector<laws::Plan> all = laws::first_plans(rules[0]);
  for (int k = 0; k < plans; ++k) all.push_back(laws::random_plan(random.one_of(rules), random));
  for (const laws::Plan& plan : all) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(plan.rows, plan.cols, random.index(4),
                                 [&](const char* view, auto& w) {
                                   INFO(oracle::format_of<Scalar>().name << " " << view);
                                   laws::with_grouping(w, plan, [&](const auto& grouping) {
                                     steps_are_right<Kind>(w, w, plan, grouping, random);
                                   });
                                 });
  }
}

}  // namespace

TEST_CASE("after_projection: float") { momentum_is_right_everywhere<Sgd, float>(120); }
TEST_CASE("after_projection: double") { momentum_is_right_everywhere<Sgd, double>(120); }
TEST_CASE("after_projection: half") { momentum_is_right_everywhere<Sgd, Eigen::half>(60); }
TEST_CASE("after_projection: bfloat16") { momentum_is_right_everywhere<Sgd, Eigen::bfloat16>(60); }
TEST_CASE("after_projection: complex<double>") {
  momentum_is_right_everywhere<Sgd, std::complex<double>>(60);
}
TEST_CASE("after_projection: Adam, float") { momentum_is_right_everywhere<Adam, float>(120); }
TEST_CASE("after_projection: Adam, complex<float>") {
  momentum_is_right_everywhere<Adam, std::complex<float>>(60);
}

// An optimizer keeps its state in one storage order, and takes weights in the other one too.
TEST_CASE("after_projection: every kind of W, and a state in the other storage order") {
  laws::Random random(22);
  using oracle::Grouping;
  const oracle::Rule rule = rules[0];
  const laws::Plan plans[] = {
      {{Grouping::rows}, 5, 7, rule},
      {{Grouping::cols}, 1, 9, rule},
      {{Grouping::whole}, 9, 1, rule},
      {{Grouping::whole}, 12, 7, rule},
      {{Grouping::filters, "hwio", {2, 2, 3, 7}}, 12, 7, rule, &laws::layouts[2]},
      {{Grouping::filters, "iohw", {4, 7, 3, 1}}, 12, 7, rule, &laws::layouts[1]}};
  for (const laws::Plan& plan : plans) {
    laws::for_each_view<float>(plan.rows, plan.cols, [&](const char* view, auto&& w) {
      INFO(laws::describe(plan) << ", " << view);
      using W = std::decay_t<decltype(w)>;
      constexpr bool vector = W::IsVectorAtCompileTime;
      constexpr int other = vector == bool(W::IsRowMajor) ? Eigen::RowMajor : Eigen::ColMajor;
      laws::with_grouping(w, plan, [&](const auto& grouping) {
        for (int k = 0; k < 4; ++k) {
          steps_are_right<Sgd>(w, w, plan, grouping, random);
          using Other = Eigen::Matrix<float, W::RowsAtCompileTime, W::ColsAtCompileTime, other>;
          steps_are_right<Sgd>(w, Other(w.rows(), w.cols()), plan, grouping, random);
        }
      });
    });
  }
}
