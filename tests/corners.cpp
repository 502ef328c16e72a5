// The numerical contract at the ends of each scalar's range: where squares overflow and underflow,
// where norms exceed the largest number and limits are below the smallest one, signed zeros, and a
// NaN or an Inf at every place.

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "norm_deviation.hpp"
#include "oracle.hpp"

#ifndef __FAST_MATH__  // which has no subnormals and no signed zeros

namespace {

using Eigen::Dynamic;
using Eigen::Index;
using oracle::Grouping;

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Dynamic, Dynamic>;

// The values that LAPACK tries its nrm2 on, each against each, and the ends of the range: zero, the
// smallest numbers, where squares begin to underflow, ..., where they begin to overflow, the
// largest number.
std::vector<double> threshold_values(const oracle::Format& format) {
  return {0,
          format.smallest(),
          2 * format.smallest_normal(),
          std::sqrt(format.smallest_normal() / format.epsilon()),
          format.epsilon(),
          1,
          1 / format.epsilon(),
          std::sqrt(format.largest() * format.epsilon()),
          std::ldexp(1.0, -format.min_exponent - 1),
          format.largest()};
}

// Vectors of a and b: a and then b, b and then a, by turns with any factor and sign.
constexpr Index mixtures = 3;
void mix(oracle::Weights& w, const std::vector<oracle::Places>& vectors, double a, double b,
         laws::Random& random) {
  for (std::size_t v = 0; v < vectors.size(); ++v) {
    const oracle::Places& vector = vectors[v];
    for (std::size_t k = 0; k < vector.size(); ++k) {
      double x = k % 2 == 0 ? a * random.between(-1, 1) : b * random.between(-1, 1);
      if (v % 3 == 0) x = k == 0 ? a : b;
      if (v % 3 == 1) x = k + 1 == vector.size() ? -a : b;
      w.numbers[vector[k]] = x;
    }
  }
}

// Calls use(name, w) with a W of `mixtures` vectors along the memory, across it, and backwards.
template <class Scalar, class Use>
void for_each_direction(Index length, Index layout, const Use& use) {
  const auto each = [&](Index rows, Index cols, const auto& grouping, Grouping::Kind kind) {
    laws::for_each_order<Scalar>(rows, cols, layout, [&](const char* view, auto& w) {
      use(view, w, grouping, Grouping{kind});
    });
  };
  each(length, mixtures, rein::per_col, Grouping::cols);
  each(mixtures, length, rein::per_row, Grouping::rows);
  Matrix<Scalar> memory(mixtures, length);
  auto backwards = memory.reverse();
  use("reverse()", backwards, rein::per_row, Grouping{Grouping::rows});
}

template <class Scalar>
void values_about_the_thresholds() {
  const oracle::Format format = oracle::format_of<Scalar>();
  if (!format.judged()) return;
  laws::Random random(21);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const std::vector<double> values = threshold_values(format);
  const oracle::Rule rules[] = {{.high = 1},
                                {.low = 1, .high = 1},
                                {.high = values[2]},
                                {.low = values[3], .high = values[7]},
                                {.high = format.largest()}};
  Index turn = 0;
  for (const double a : values) {
    for (const double b : values) {
      for (const Index length : {1, 2, 5, 19, 70, 1031}) {
        if (!oracle::optimized && length > 19 && random.chance(0.8)) continue;
        for_each_direction<Scalar>(
            length, turn++ % 4,
            [&](const char* view, auto& w, const auto& grouping, const Grouping& plain) {
              INFO(format.name << " " << view << ", vectors of " << length << ": " << a << ", "
                               << b);
              oracle::Weights weights = oracle::copy_of(w);
              const std::vector<oracle::Places> vectors = oracle::vectors_of(weights, plain);
              mix(weights, vectors, a, b, random);
              oracle::assign(w, weights);
              weights = oracle::copy_of(w);
              CHECK(laws::deviation(rein::norms(w, grouping), weights, plain) == "");
              for (const oracle::Rule& rule : rules) {
                const bool all = length <= (oracle::optimized ? 70 : 2);
                if (!all && &rule != &rules[turn % std::ssize(rules)]) continue;
                INFO("low " << rule.low << ", high " << rule.high);
                oracle::assign(w, weights);
                const rein::MinMaxNorm constraint{rule.low, rule.high, grouping};
                const std::function<rein::Report()> call = [&] { return constraint(w); };
                laws::obey(w, plain, rule, call);
              }
            });
      }
    }
  }
}

// Limits that the scalar does not hold, or only as subnormal numbers.
template <class Scalar>
void limits_below_the_smallest_normal() {
  const oracle::Format format = oracle::format_of<Scalar>();
  if (!format.judged()) return;
  laws::Random random(22);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const double smallest = format.smallest(), normal = format.smallest_normal();
  const double sizes[] = {smallest, 100 * smallest, normal, 1, format.largest()};
  for (const double high :
       {0.0, -0.0, std::numeric_limits<double>::denorm_min(), smallest / 3, smallest,
        2.5 * smallest, 1000.3 * smallest, normal / 2, normal * (1 - format.epsilon() / 2)}) {
    for (const double size : sizes) {
      for (const Index length : {1, 2, 7, 33, 300}) {
        if (!oracle::optimized && length > 33 && random.chance(0.8)) continue;
        for_each_direction<Scalar>(
            length, length % 4,
            [&](const char* view, auto& w, const auto& grouping, const Grouping& plain) {
              INFO(format.name << " " << view << ", vectors of " << length << " about " << size
                               << ", limit " << high);
              oracle::Weights weights = oracle::copy_of(w);
              for (double& number : weights.numbers) {
                number = random.chance(0.2) ? -0.0 : size * random.between(-1, 1);
              }
              oracle::assign(w, weights);
              const rein::MinMaxNorm constraint{0, high, grouping};
              const std::function<rein::Report()> call = [&] { return constraint(w); };
              laws::obey(w, plain, {.high = high}, call);
            });
      }
    }
  }
}

// What comes out does not depend on where in memory the weights begin.
template <class Scalar>
void same_bits_at_any_alignment() {
  laws::Random random(24);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const auto& [rows, cols] :
       {std::pair<Index, Index>{7, 530}, {530, 7}, {37, 41}, {1, 2051}, {2051, 2}}) {
    Matrix<Scalar> start(rows, cols);
    oracle::Weights weights = oracle::copy_of(start);
    for (double& number : weights.numbers) number = random.between(-1, 1);
    oracle::assign(start, weights);
    std::vector<Scalar> memory(static_cast<std::size_t>(rows * cols) + 32);
    oracle::Weights first = weights;
    for (Index offset = 0; offset < 32; offset += 1 + offset / 8) {
      Eigen::Map<Matrix<Scalar>> w(memory.data() + offset, rows, cols);
      w = start;
      rein::MaxNorm{0.5, rein::per_row}(w);
      rein::MaxNorm{0.25, rein::per_col}(w);
      rein::MaxNorm{0.125, rein::whole}(w);
      if (offset == 0) first = oracle::copy_of(w);
      INFO(first.format.name << " " << rows << " x " << cols << ", " << offset << " entries on");
      CHECK(oracle::same_bits(oracle::copy_of(w), first));
    }
  }
}

// As in training: nearly all vectors inside their limits, and a few just outside. Where most are
// satisfied a quick look may do for those, but not for these.
template <class Scalar>
void a_few_just_outside() {
  const oracle::Format format = oracle::format_of<Scalar>();
  if (!format.judged()) return;
  laws::Random random(27);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const oracle::Rule& rule : {oracle::Rule{.high = 1.5}, oracle::Rule{.low = 0.5, .high = 1.5},
                                   oracle::Rule{.low = 0.5, .high = 1e4}}) {
    for (const Index length : {3, 9, 18, 35, 70, 144, 300, 511, 700}) {
      for (const Index vectors : {5, oracle::optimized ? 40 : 12, oracle::optimized ? 130 : 7}) {
        const auto check = [&](Index rows, Index cols, const auto& grouping, Grouping::Kind kind) {
          laws::for_each_order<Scalar>(rows, cols, random.index(4), [&](const char* view, auto& w) {
            INFO(format.name << " " << view << " " << rows << " x " << cols << ", low " << rule.low
                             << ", high " << rule.high);
            oracle::Weights weights = oracle::copy_of(w);
            for (const oracle::Places& vector : oracle::vectors_of(weights, {kind})) {
              const double outside = 1 + random.between(20, 200) * format.epsilon();
              const double norm = !random.chance(0.05) ? random.between(0.6, 1.2)
                                  : random.chance(0.5) ? rule.high * outside
                                                       : rule.low / outside;
              laws::fill_to_norm(weights, vector, norm, random);
            }
            oracle::assign(w, weights);
            const rein::MinMaxNorm constraint{rule.low, rule.high, grouping};
            const std::function<rein::Report()> call = [&] { return constraint(w); };
            laws::obey(w, Grouping{kind}, rule, call);
          });
        };
        check(vectors, length, rein::per_row, Grouping::rows);
        check(length, vectors, rein::per_col, Grouping::cols);
      }
    }
  }
}

// A vector comes out as it does alone, though sums of many may be decided on by a quick look: also
// where its norm is within some roundings of what counts as satisfied, as few or (high == 2) nearly
// all are, and where its entries are equal, so that many additions round the same way.
template <class Scalar>
void neighbours_do_not_matter() {
  const oracle::Format format = oracle::format_of<Scalar>();
  laws::Random random(28);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const Index length : {36, 100, 200, 700, 3000, 4000}) {
    INFO(format.name << ", length " << length);
    constexpr Index vectors = 203;
    Matrix<Scalar> w(length, vectors);
    oracle::Weights weights = oracle::copy_of(w);
    Index number = 0;
    for (const oracle::Places& vector : oracle::vectors_of(weights, {Grouping::cols})) {
      const double outside = 1 + random.between(2, 8) * format.epsilon();
      laws::fill_to_norm(weights, vector, number % 16 == 3 ? 3 * outside : 2, random);
      ++number;
    }
    oracle::assign(w, weights);
    for (Index j = 11; j < vectors; j += 16) {
      const double outside = 1 + random.between(2, 16) * format.epsilon();
      w.col(j).setConstant(
          static_cast<Scalar>(1 / outside / std::sqrt(static_cast<double>(length))));
    }
    w.col(0) *= Scalar(2);
    for (const double high : {3., 2.}) {
      const rein::MinMaxNorm constraint{1, high, rein::per_col};
      Matrix<Scalar> alone = w, together = w;
      rein::Report report;
      for (Index j = 0; j < vectors; ++j) report += constraint(alone.col(j));
      CHECK(constraint(together) == report);
      CHECK(oracle::same_bits(oracle::copy_of(together), oracle::copy_of(alone)));
      CHECK(report.changed > 1);
    }
  }
}

// A few weights, of a size that the compiler knows or not, come out as they do among so many that
// these are divided into blocks. Of vectors that need the careful arithmetic, too.
template <class Scalar, int Rows, int Cols>
void few_are_as_many() {
  using Real = typename Eigen::NumTraits<Scalar>::Real;
  constexpr Index copies = 4500 / (Rows * Cols) + 2;
  laws::Random random(29);
  INFO(Rows << " x " << Cols << ", REIN_TEST_SEED=" << laws::seed());
  const auto check = [](const auto& constraint, const auto& weights, Index down, Index across) {
    Eigen::Matrix<Scalar, Rows, Cols> fixed = weights;
    Matrix<Scalar> dynamic = weights, many = weights.replicate(down, across);
    const rein::Report report = constraint(fixed);
    CHECK(constraint(dynamic) == report);
    CHECK(oracle::same_bits(oracle::copy_of(dynamic), oracle::copy_of(fixed)));
    const rein::Report report_of_many = constraint(many);
    CHECK(report_of_many.largest_norm == report.largest_norm);
    CHECK(report_of_many.changed == down * across * report.changed);
    CHECK(report_of_many.nonfinite == down * across * report.nonfinite);
    const Matrix<Scalar> first = many.topLeftCorner(Rows, Cols);
    CHECK(oracle::same_bits(oracle::copy_of(first), oracle::copy_of(fixed)));
  };
  const auto check_all = [&](const auto& weights, double norm) {
    for (const double limit : {10 * norm, norm / std::sqrt(double(Rows)), norm / 100}) {
      INFO("limit " << limit);
      check(rein::MaxNorm{limit, rein::per_row}, weights, copies, 1);
      check(rein::MaxNorm{limit, rein::per_col}, weights, 1, copies);
      check(rein::MinMaxNorm{limit / 2, limit, rein::per_row, 0.5}, weights, copies, 1);
      check(rein::MinMaxNorm{limit / 2, limit, rein::per_col, 0.5}, weights, 1, copies);
    }
    check(rein::UnitNorm{rein::per_row}, weights, copies, 1);
    check(rein::UnitNorm{rein::per_col}, weights, 1, copies);
  };
  Eigen::Matrix<Scalar, Rows, Cols> weights;
  for (Index i = 0; i < weights.size(); ++i) {
    weights(i) = static_cast<Real>(random.between(-2, 2));
  }
  const auto norm = static_cast<double>(weights.norm());
  check_all(weights, norm);
  weights.row(0) *= static_cast<Real>(1e-30);
  check_all(weights, norm);
  weights(Rows - 1, Cols / 2) = std::numeric_limits<Real>::quiet_NaN();
  check_all(weights, norm);
}

// Every entry of vectors that all violate comes out as the limit over its vector's norm asks, and
// nothing changes after that.
template <class Scalar, class G>
void all_are_rescaled(const G& grouping, Index rows, Index cols) {
  laws::Random random(31);
  INFO(rows << " x " << cols << ", REIN_TEST_SEED=" << laws::seed());
  Matrix<Scalar> w(rows, cols);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<Scalar>(random.between(1, 2));
  constexpr bool by_row = std::is_same_v<G, rein::PerRow>;
  const Matrix<long double> wide = w.template cast<long double>();
  const Matrix<long double> norms = by_row ? Matrix<long double>(wide.rowwise().norm())
                                           : Matrix<long double>(wide.colwise().norm());
  const rein::MaxNorm constraint{0.5, grouping};
  CHECK(constraint(w).changed == norms.size());
  long double worst = 0;
  for (Index j = 0; j < cols; ++j) {
    for (Index i = 0; i < rows; ++i) {
      const long double wanted = wide(i, j) * (0.5L / norms(by_row ? i : j));
      worst = std::max(worst, std::abs(static_cast<long double>(w(i, j)) / wanted - 1));
    }
  }
  CHECK(worst <= 4 * static_cast<long double>(Eigen::NumTraits<Scalar>::epsilon()));
  CHECK(constraint(w).changed == 0);
}

// So many in twenty vectors, each of `width` rows of W, exceed their limit.
template <class Scalar, class G>
void a_part_is_rescaled(Index in_twenty, const G& grouping, Index vectors, Index width,
                        Index cols) {
  laws::Random random(35);
  INFO(in_twenty << " in 20 of " << vectors << " x " << width << " rows, " << cols << " columns");
  const auto exceeds = [&](Index v) { return (v + v / 20) * 7 % 20 < in_twenty; };
  Matrix<Scalar> w(vectors * width, cols);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<Scalar>(random.between(1, 2));
  for (Index v = 0; v < vectors; ++v) {
    if (!exceeds(v)) w.middleRows(v * width, width) *= static_cast<Scalar>(0.1);
  }
  const Matrix<Scalar> before = w;
  const double limit = 0.5 * std::sqrt(static_cast<double>(width * cols));
  const rein::MaxNorm constraint{limit, grouping};
  const rein::Report report = constraint(w);
  Index expected = 0;
  long double worst = 0;
  for (Index v = 0; v < vectors; ++v) {
    const Matrix<Scalar> was = before.middleRows(v * width, width);
    const Matrix<Scalar> is = w.middleRows(v * width, width);
    if (!exceeds(v)) {
      CHECK(oracle::same_bits(oracle::copy_of(is), oracle::copy_of(was)));
      continue;
    }
    ++expected;
    const Matrix<long double> wide = was.template cast<long double>();
    const Matrix<long double> wanted = wide * (static_cast<long double>(limit) / wide.norm());
    const auto off = (is.template cast<long double>().array() / wanted.array() - 1).abs();
    worst = std::max(worst, off.maxCoeff());
  }
  CHECK(report.changed == expected);
  CHECK(worst <= 4 * static_cast<long double>(Eigen::NumTraits<Scalar>::epsilon()));
  CHECK(constraint(w).changed == 0);
}

// Where two in three vectors are rescaled, in a changing order, each comes out as it does alone.
template <class Scalar>
void some_are_rescaled(Index length, Index vectors) {
  laws::Random random(33);
  INFO(length << " x " << vectors << ", REIN_TEST_SEED=" << laws::seed());
  Matrix<Scalar> w(length, vectors);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<Scalar>(random.between(1, 2));
  for (Index j = 0; j < vectors; ++j) {
    if (j * j / 3 % 3 == 0) w.col(j) *= static_cast<Scalar>(0.1);
  }
  const rein::MaxNorm constraint{0.5 * std::sqrt(static_cast<double>(length)), rein::per_col};
  Matrix<Scalar> alone = w, together = w;
  rein::Report report;
  for (Index j = 0; j < vectors; ++j) {
    // With a column count that the compiler knows, which then makes other code of the same sums.
    Eigen::Map<Eigen::Matrix<Scalar, Dynamic, 1>> column(alone.col(j).data(), length);
    report += constraint(column);
  }
  CHECK(constraint(together) == report);
  CHECK(report.changed > vectors / 3);
  CHECK(report.changed < vectors);
  CHECK(oracle::same_bits(oracle::copy_of(together), oracle::copy_of(alone)));
}

// What lies in memory before and after the weights decides nothing, be it zeros, the largest
// numbers or NaN.
template <class Scalar, int Order>
void surroundings_do_not_matter() {
  using W = Eigen::Matrix<Scalar, Dynamic, Dynamic, Order>;
  using Component = typename Eigen::NumTraits<Scalar>::Real;
  laws::Random random(26);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const oracle::Rule rule{.low = 0.5, .high = 1.5};
  std::vector<laws::Plan> plans{
      {{Grouping::filters, "oihw", {70, 16, 3, 3}}, 70, 144, rule, &laws::layouts[0]},
      {{Grouping::filters, "oihw", {9, 70, 3, 3}}, 9, 630, rule, &laws::layouts[0]},
      {{Grouping::filters, "hwio", {3, 3, 16, 70}}, 144, 70, rule, &laws::layouts[2]},
      {{Grouping::filters, "iohw", {16, 70, 3, 3}}, 16, 630, rule, &laws::layouts[1]}};
  for (int k = oracle::tries(40); k > 0; --k) plans.push_back(laws::random_plan(rule, random));
  for (const laws::Plan& plan : plans) {
    INFO(oracle::format_of<Scalar>().name << " " << laws::describe(plan));
    // As far around as the weights are long.
    const Index size = plan.rows * plan.cols;
    std::vector<Scalar> memory(static_cast<std::size_t>(3 * size));
    Eigen::Map<W> w(memory.data() + size, plan.rows, plan.cols);
    laws::with_grouping(w, plan, [&](const auto& grouping) {
      oracle::Weights before = oracle::copy_of(w);
      laws::fill(before, oracle::vectors_of(before, plan.grouping), rule, random);
      const double low = random.chance(0.5) ? 0 : rule.low;
      const auto constrained_among = [&](double around) {
        for (Scalar& entry : memory) {
          entry = Scalar(static_cast<Component>(around * random.between(0.5, 1)));
        }
        oracle::assign(w, before);
        const rein::Report report = rein::MinMaxNorm{low, rule.high, grouping}(w);
        return std::pair(oracle::copy_of(w), report);
      };
      const auto [expected, report] = constrained_among(1e-2);
      for (const double around :
           {expected.format.largest(), std::numeric_limits<double>::quiet_NaN()}) {
        const auto [after, other_report] = constrained_among(around);
        CHECK(oracle::same_bits(after, expected));
        CHECK(other_report == report);
      }
    });
  }
}

// The entries' bytes.
template <class Scalar>
std::vector<unsigned char> memory_of(const Matrix<Scalar>& w) {
  std::vector<unsigned char> memory(static_cast<std::size_t>(w.size()) * sizeof(Scalar));
  std::memcpy(memory.data(), w.data(), memory.size());
  return memory;
}

// NaNs of either sign and with any payload, also signalling ones, and Infs.
template <class Component>
std::vector<Component> not_finite() {
  const auto with_bits = [](std::uint64_t bits) {
    Component x;
    std::memcpy(static_cast<void*>(&x), &bits, sizeof x);  // the low bytes, which come first
    return x;
  };
  // All ones in the exponent; in the fraction 0 for Inf, else its first bit tells a quiet NaN.
  const int digits = oracle::format_of<Component>().digits;
  const int width = 8 * static_cast<int>(sizeof(Component));
  const std::uint64_t sign = std::uint64_t{1} << (width - 1);
  const std::uint64_t exponent = sign - (std::uint64_t{1} << (digits - 1));
  const std::uint64_t quiet = std::uint64_t{1} << (digits - 2);
  return {with_bits(exponent),
          with_bits(sign | exponent),
          with_bits(exponent | quiet),
          with_bits(sign | exponent | quiet | 5),
          with_bits(exponent | quiet / 2),
          with_bits(sign | exponent | 1)};
}

// A vector with a NaN or an Inf, wherever it is, keeps its bytes, and what the others become is as
// if it were not there.
template <class Scalar, class W, class G>
void one_entry_is_not_finite(W& w, const G& grouping, Index vectors, bool are_rows) {
  using Component = typename Eigen::NumTraits<Scalar>::Real;
  const Index length = w.size() / vectors, bad = vectors - 1;
  const rein::MaxNorm max_norm{1.0, grouping};
  const auto entry = [&](Index v, Index k) -> Scalar& { return are_rows ? w(v, k) : w(k, v); };
  for (Index v = 0; v < vectors; ++v) {
    const float size = v % 2 == 0 ? 3.0f : 0.5f / static_cast<float>(length);
    for (Index k = 0; k < length; ++k) {
      entry(v, k) = static_cast<Scalar>(static_cast<Component>(k % 3 == 0 ? size : -size));
    }
  }
  const Matrix<Scalar> start = w;
  for (Index k = 0; k < length; ++k) entry(bad, k) = Scalar(0);
  const rein::Report without = max_norm(w);
  const Matrix<Scalar> expected = w;

  const std::vector<Component> kinds = not_finite<Component>();
  for (Index place = 0; place < length; ++place) {
    const bool all = length <= (oracle::optimized ? 40 : 10);
    if (!all && place % 37 != 0 && place < length - 3) continue;
    const Component x = kinds[static_cast<std::size_t>(place) % kinds.size()];
    const Component other = kinds[static_cast<std::size_t>(place / 6) % kinds.size()];
    for (const bool two : {false, true}) {
      INFO("vector " << bad << " of " << vectors << ", entry " << place << " of " << length);
      w = start;
      Matrix<Scalar> wanted = expected;
      if constexpr (Eigen::NumTraits<Scalar>::IsComplex) {
        entry(bad, place) = place % 2 == 0 ? Scalar(x, 1) : Scalar(1, x);
        if (two) entry(bad, 0) = Scalar(other, other);
      } else {
        entry(bad, place) = x;
        if (two) entry(bad, 0) = other;
      }
      if (are_rows) {
        wanted.row(bad) = w.row(bad);
      } else {
        wanted.col(bad) = w.col(bad);
      }
      const rein::Report report = max_norm(w);
      const bool same = memory_of(w) == memory_of(wanted);
      CHECK(same);
      CHECK(report.checked == vectors);
      CHECK(report.changed == without.changed);
      CHECK(report.nonfinite == 1);
      CHECK(report.largest_norm == without.largest_norm);
    }
  }
}

template <class Scalar>
void not_finite_at_every_place() {
  std::vector<Index> lengths{130, 515, 1027};
  for (Index length = 1; length <= 36; ++length) lengths.push_back(length);
  for (const Index length : lengths) {
    INFO(oracle::format_of<Scalar>().name << ", vectors of " << length);
    for (const Index vectors : {1, 3, 18}) {
      Matrix<Scalar> along(length, vectors), across(vectors, length);
      one_entry_is_not_finite<Scalar>(along, rein::per_col, vectors, false);
      one_entry_is_not_finite<Scalar>(across, rein::per_row, vectors, true);
    }
  }
}

// Whatever is asked of weights that are all NaN, or NaN and Inf by turns, they keep their bytes.
template <class Scalar>
void nothing_but_nan() {
  using Component = typename Eigen::NumTraits<Scalar>::Real;
  const std::vector<Component> kinds = not_finite<Component>();
  const auto keeps = [&](Matrix<Scalar>& w, Index vectors, auto constraint) {
    const auto before = memory_of(w);
    for (int k = 0; k < 2; ++k) {
      const rein::Report report = constraint(w);
      const bool kept = memory_of(w) == before;
      CHECK(kept);
      CHECK(report == rein::Report{.checked = vectors, .nonfinite = vectors});
    }
  };
  // The first two kinds are Inf.
  for (const std::size_t first : {std::size_t{2}, std::size_t{0}}) {
    for (const auto& [rows, cols] : {std::pair<Index, Index>{1, 1}, {3, 5}, {21, 34}}) {
      INFO(oracle::format_of<Scalar>().name << " " << rows << " x " << cols);
      Matrix<Scalar> w(rows, cols);
      for (Index k = 0; k < w.size(); ++k) {
        w.data()[k] = Scalar(kinds[first + static_cast<std::size_t>(k) % (kinds.size() - first)]);
      }
      keeps(w, rows, rein::MaxNorm{0, rein::per_row});
      keeps(w, cols, rein::UnitNorm{rein::per_col});
      keeps(w, 1, rein::MinMaxNorm{1, 2, rein::whole, 0.5});
      keeps(w, rows, rein::MaxRms{1, rein::per_filter("oi", {rows, cols})});
      keeps(w, 1, rein::MaxSpectralNorm{1});
      keeps(w, cols, rein::ZeroMean{rein::per_col});
      if constexpr (!Eigen::NumTraits<Scalar>::IsComplex) {
        keeps(w, w.size(), rein::NonNegative{});
        keeps(w, w.size(), rein::Box{0, 1});
        keeps(w, rows, rein::L1Ball{0, rein::per_row});
        keeps(w, cols, rein::Simplex{1, rein::per_col});
        keeps(w, rows, rein::Halfspace{Eigen::VectorXd::Ones(cols), -1, rein::per_row});
        keeps(w, 1, rein::Hyperplane{Eigen::VectorXd::Ones(w.size()), 1, rein::whole});
      }
    }
  }
}

}  // namespace

TEST_CASE("corners: values about the thresholds of their squares: float") {
  values_about_the_thresholds<float>();
}
TEST_CASE("corners: values about the thresholds of their squares: double") {
  values_about_the_thresholds<double>();
}
TEST_CASE("corners: values about the thresholds of their squares: half") {
  values_about_the_thresholds<Eigen::half>();
}
TEST_CASE("corners: values about the thresholds of their squares: bfloat16") {
  values_about_the_thresholds<Eigen::bfloat16>();
}
TEST_CASE("corners: values about the thresholds of their squares: complex<float>") {
  values_about_the_thresholds<std::complex<float>>();
}
TEST_CASE("corners: values about the thresholds of their squares: complex<double>") {
  values_about_the_thresholds<std::complex<double>>();
}

TEST_CASE("corners: limits below the smallest normal number") {
  limits_below_the_smallest_normal<float>();
  limits_below_the_smallest_normal<double>();
  limits_below_the_smallest_normal<Eigen::half>();
  limits_below_the_smallest_normal<Eigen::bfloat16>();
  limits_below_the_smallest_normal<std::complex<float>>();
  limits_below_the_smallest_normal<std::complex<double>>();
}

// One value, then 10^7 - 1 times another one, forwards and backwards.
TEST_CASE("corners: thresholds at length 10^7") {
  constexpr Index length = oracle::longest_vector;
  const auto check = [](auto scalar, double first, double other, double limit) {
    using Scalar = decltype(scalar);
    using Real = typename decltype(rein::norms(Matrix<Scalar>(), rein::whole))::Scalar;
    const oracle::Format format = oracle::format_of<Scalar>();
    if (!format.judged()) return;
    INFO(format.name << ": " << first << ", then " << other << ", limit " << limit);
    Matrix<Scalar> w = Matrix<Scalar>::Constant(length, 1, static_cast<Scalar>(other));
    w(0) = static_cast<Scalar>(first);
    const long double a = static_cast<double>(w(0)), b = static_cast<double>(w(1));
    const long double exact = std::sqrt(a * a + static_cast<long double>(length - 1) * b * b);
    const auto largest = static_cast<long double>(std::numeric_limits<Real>::max());
    const double norm = static_cast<double>(rein::norms(w, rein::per_col)[0]);
    const double eps = static_cast<double>(std::numeric_limits<Real>::epsilon());
    if (exact > largest) {
      CHECK(!oracle::finite(norm));
    } else {
      CHECK(std::abs(norm - exact) <= 2 * eps * exact);
    }

    const rein::MaxNorm max_norm{limit, rein::whole};
    auto backwards = w.reverse();
    const rein::Report report = max_norm(backwards);
    CHECK(report.changed == (exact > limit * (1 + 8 * static_cast<long double>(eps))));
    oracle::SquareSum sum;
    for (Index k = 0; k < length; ++k) sum.add(static_cast<double>(w(k)));
    CHECK(sum.norm() <= limit * (1 + 8 * static_cast<long double>(format.epsilon())));
    CHECK(max_norm(w).changed == 0);
  };
  const float top = std::numeric_limits<float>::max();
  check(float(), top, top, 1e30);
  check(float(), 1, 1e-30, 0.75);
  check(double(), 1e-170, 1e-165, 1e-162);
  check(Eigen::half(), 6e-8, 6e-8, 1e-4);
}

// -0 and 0 are what they were, beside whatever else happens to their vector.
TEST_CASE("corners: zeros keep their signs") {
  const auto check = [](auto scalar, auto constraint) {
    using Scalar = decltype(scalar);
    for (const double size : {5.0, 1e-4, 100.0}) {
      for (const Index length : {3, 9, 40, 700}) {
        INFO(oracle::format_of<Scalar>().name << " " << size << ", " << length);
        Matrix<Scalar> along(length, 7), across(7, length);
        const auto zeros_survive = [&](Matrix<Scalar>& w) {
          for (Index k = 0; k < w.size(); ++k) {
            const float choices[] = {0.0f, -0.0f, static_cast<float>(size)};
            w.data()[k] = static_cast<Scalar>(choices[k * 5 % 7 % 3]);
          }
          const oracle::Weights before = oracle::copy_of(w);
          constraint(w);
          const oracle::Weights after = oracle::copy_of(w);
          bool same = true;
          for (std::size_t k = 0; k < before.numbers.size(); ++k) {
            const double x = before.numbers[k];
            same = same && (x != 0 || oracle::bits(after.numbers[k]) == oracle::bits(x));
          }
          CHECK(same);
        };
        zeros_survive(along);
        zeros_survive(across);
      }
    }
  };
  const auto norm_constraints = [&](auto scalar) {
    check(scalar, rein::MaxNorm{1, rein::per_row});
    check(scalar, rein::MaxNorm{0, rein::per_col});
    check(scalar, rein::UnitNorm{rein::per_col});
    check(scalar, rein::MinMaxNorm{1, 2, rein::whole, 0.5});
  };
  norm_constraints(float());
  norm_constraints(double());
  norm_constraints(Eigen::half());
  norm_constraints(Eigen::bfloat16());
  check(float(), rein::Box{0, 1});
  check(float(), rein::NonNegative{});
  check(float(), rein::MaxSpectralNorm{1});
  check(double(), rein::L1Ball{1e4, rein::per_row});
}

TEST_CASE("corners: the same bits at any alignment") {
  same_bits_at_any_alignment<double>();
  same_bits_at_any_alignment<Eigen::half>();
  same_bits_at_any_alignment<Eigen::bfloat16>();
  same_bits_at_any_alignment<std::complex<float>>();
  same_bits_at_any_alignment<std::complex<double>>();
}

TEST_CASE("corners: a few vectors just outside among many inside") {
  a_few_just_outside<float>();
  a_few_just_outside<double>();
  a_few_just_outside<Eigen::half>();
  a_few_just_outside<std::complex<float>>();
}

TEST_CASE("corners: a vector's neighbours do not matter") {
  neighbours_do_not_matter<float>();
  neighbours_do_not_matter<double>();
}

TEST_CASE("corners: a few weights are constrained as many are") {
  few_are_as_many<float, 4, 4>();
  few_are_as_many<float, 7, 5>();
  few_are_as_many<float, 16, 16>();
  few_are_as_many<double, 1, 6>();
  few_are_as_many<double, 9, 3>();
  few_are_as_many<double, 16, 16>();
  few_are_as_many<float, 40, 70>();
  few_are_as_many<float, 64, 20>();
  few_are_as_many<double, 20, 100>();
  few_are_as_many<float, 16, 150>();
  few_are_as_many<double, 8, 257>();
  few_are_as_many<std::complex<float>, 5, 4>();
}

TEST_CASE("corners: narrow rows of the memory") {
  for (const Index rows : {1, 2, 3, 7, 10, 15, 16, 24, 31}) {
    for (const Index cols : {33, 64, 127, 128, 136, 250, 260, 784, 1024, 2049}) {
      all_are_rescaled<float>(rein::per_row, rows, cols);
      all_are_rescaled<double>(rein::per_row, rows, cols);
    }
  }
}

TEST_CASE("corners: vectors that are scaled while later ones are summed") {
  for (const Index rows : {33, 100, 129, 200, 256, 257, 400, 700, 1024, 1025, 2048, 2049}) {
    for (const Index cols : {64, 65, 100, 131}) {
      all_are_rescaled<float>(rein::per_col, rows, cols);
      all_are_rescaled<double>(rein::per_col, rows, cols);
      some_are_rescaled<float>(rows, cols);
      some_are_rescaled<double>(rows, cols);
    }
  }
}

TEST_CASE("corners: short vectors among others and alone") {
  for (Index length = 2; length <= 40; ++length) {
    for (const Index vectors : {20, 100, 400}) {
      some_are_rescaled<float>(length, vectors);
      some_are_rescaled<double>(length, vectors);
    }
  }
}

TEST_CASE("corners: more weights than a core's cache holds") {
  all_are_rescaled<float>(rein::per_col, 1100, 1000);
  all_are_rescaled<float>(rein::per_col, 2048, 1100);
  all_are_rescaled<float>(rein::per_col, 100, 22000);
  all_are_rescaled<float>(rein::per_col, 200, 11000);
  all_are_rescaled<float>(rein::per_col, 9, 240000);
  all_are_rescaled<float>(rein::per_col, 9000, 240);
  some_are_rescaled<float>(9000, 240);
  some_are_rescaled<float>(17, 130000);
  some_are_rescaled<float>(60, 40000);
  some_are_rescaled<double>(9, 120000);
  some_are_rescaled<float>(200, 11000);
  some_are_rescaled<float>(600, 3700);
  some_are_rescaled<double>(65, 17000);
  all_are_rescaled<double>(rein::per_col, 1031, 1100);
  all_are_rescaled<float>(rein::per_row, 1500, 1501);
  all_are_rescaled<float>(rein::per_row, 12, 50003);
  all_are_rescaled<float>(rein::per_row, 4097, 193);
  all_are_rescaled<float>(rein::per_row, 9000, 39);
  all_are_rescaled<float>(rein::per_row, 16500, 7);
  all_are_rescaled<double>(rein::per_row, 2048, 193);
  all_are_rescaled<double>(rein::per_row, 8193, 150);
  all_are_rescaled<Eigen::half>(rein::per_row, 1203, 903);
}

TEST_CASE("corners: short vectors with gaps between them that no cache holds") {
  const Index rows = 9, cols = 240000;
  for (const float first : {3.0f, 0.5f}) {
    Matrix<float> memory(rows + 3, cols);
    for (Index i = 0; i < memory.size(); ++i) {
      memory(i) = first + static_cast<float>(i % 1013) / 1024;
    }
    Matrix<float> without_gaps = memory.topRows(rows);
    const Matrix<float> between = memory.bottomRows(3);
    const rein::MaxNorm max_norm{3, rein::per_col};
    const rein::Report report = max_norm(memory.topRows(rows));
    CHECK(report == max_norm(without_gaps));
    CHECK(report.changed > 0);
    CHECK(memory.topRows(rows) == without_gaps);
    CHECK(memory.bottomRows(3) == between);
  }
}

TEST_CASE("corners: a part of the vectors across the memory is rescaled") {
  for (const Index part : {3, 11, 18}) {
    for (const Index cols : {7, 40, 300, 1001}) {
      for (const Index rows : {10, 33, 130, 700}) {
        a_part_is_rescaled<float>(part, rein::per_row, rows, 1, cols);
        a_part_is_rescaled<double>(part, rein::per_row, rows, 1, cols);
      }
      a_part_is_rescaled<float>(part, rein::per_filter("iohw", {cols, 24, 3, 3}), 24, 9, cols);
      a_part_is_rescaled<double>(part, rein::per_filter("ioh", {cols, 30, 4}), 30, 4, cols);
    }
  }
  // More than the last cache holds.
  a_part_is_rescaled<float>(3, rein::per_row, 11, 1, 400000);
  a_part_is_rescaled<float>(11, rein::per_row, 50, 1, 100000);
  a_part_is_rescaled<float>(3, rein::per_filter("iohw", {2000, 240, 3, 3}), 240, 9, 2000);
}

TEST_CASE("corners: what lies around the weights does not matter") {
  surroundings_do_not_matter<float, Eigen::RowMajor>();
  surroundings_do_not_matter<float, Eigen::ColMajor>();
  surroundings_do_not_matter<double, Eigen::RowMajor>();
  surroundings_do_not_matter<Eigen::half, Eigen::ColMajor>();
  surroundings_do_not_matter<std::complex<float>, Eigen::ColMajor>();
}

TEST_CASE("corners: one NaN or Inf at every place: float") { not_finite_at_every_place<float>(); }
TEST_CASE("corners: one NaN or Inf at every place: double") { not_finite_at_every_place<double>(); }
TEST_CASE("corners: one NaN or Inf at every place: half") {
  not_finite_at_every_place<Eigen::half>();
}
TEST_CASE("corners: one NaN or Inf at every place: bfloat16") {
  not_finite_at_every_place<Eigen::bfloat16>();
}
TEST_CASE("corners: one NaN or Inf at every place: complex<float>") {
  not_finite_at_every_place<std::complex<float>>();
}
TEST_CASE("corners: one NaN or Inf at every place: complex<double>") {
  not_finite_at_every_place<std::complex<double>>();
}

TEST_CASE("corners: nothing but NaN and Inf") {
  nothing_but_nan<float>();
  nothing_but_nan<Eigen::half>();
  nothing_but_nan<std::complex<double>>();
}

// A projection gathers several short vectors at a time, and a long one in pieces; each number by
// its place in the vector, wherever it lies in memory.
TEST_CASE("corners: a projection makes the same of a vector, whatever its layout") {
  const auto check = [](const auto& constraint, auto w) {
    using Scalar = typename decltype(w)::Scalar;
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> along = w;
    const rein::Report report = constraint(w);
    CHECK(report.changed == w.rows() - 1);
    CHECK(report.nonfinite == 1);
    CHECK(constraint(along) == report);
    CHECK(oracle::same_bits(oracle::copy_of(along), oracle::copy_of(w)));
    CHECK(constraint(w).changed == 0);
  };
  const auto random = [](Eigen::Index rows, Eigen::Index cols) {
    Eigen::MatrixXf w = Eigen::MatrixXf::Random(rows, cols);
    w(rows / 2, cols - 1) = std::numeric_limits<float>::infinity();
    return w;
  };
  for (const Eigen::Index length : {1, 3, 7, 8, 9, 500, 1041, 16743, 16744, 16745, 33500}) {
    const Eigen::Index rows = length < 1000 ? 37 : 3;
    const Eigen::MatrixXf w = random(rows, length);
    INFO("length " << length);
    const Eigen::VectorXd normal = Eigen::VectorXd::LinSpaced(length, 0.5, 1.5);
    const double size = static_cast<double>(length);
    check(rein::Simplex{0.1 * size, rein::per_row}, w);
    check(rein::Hyperplane{normal, 2 * size, rein::per_row}, w);
    check(rein::ZeroMean{rein::per_row}, Eigen::MatrixXd(w.cast<double>()));
    Eigen::MatrixXf outside = w;
    outside.col(0).array() += 2;
    check(rein::L1Ball{0.1, rein::per_row}, outside);

    Eigen::MatrixXcf complex(rows, length);
    complex.real() = w;
    complex.imag() = w.rowwise().reverse();
    check(rein::ZeroMean{rein::per_row}, complex);
    Eigen::MatrixXf real = w.topRows(rows / 2);
    rein::ZeroMean{rein::per_row}(real);
    rein::ZeroMean{rein::per_row}(complex);
    CHECK(complex.real().topRows(rows / 2) == real);
  }
}

TEST_CASE("corners: a projection of a filter in many runs of the memory") {
  const Eigen::Index in = 2800, out = 2, height = 9;
  Eigen::VectorXf kernel = Eigen::VectorXf::Random(in * out * height);
  Eigen::MatrixXf rows(out, in * height);
  const auto each_entry_in = [&](const auto& use) {
    for (Eigen::Index i = 0; i < in; ++i) {
      for (Eigen::Index o = 0; o < out; ++o) {
        for (Eigen::Index h = 0; h < height; ++h) {
          use(kernel((i * out + o) * height + h), rows(o, i * height + h));
        }
      }
    }
  };
  each_entry_in([](float& in_kernel, float& in_rows) { in_rows = in_kernel; });
  CHECK(rein::ZeroMean{rein::per_filter("ioh", {in, out, height})}(kernel).changed == out);
  CHECK(rein::ZeroMean{rein::per_row}(rows).changed == out);
  int different = 0;
  each_entry_in([&](float in_kernel, float in_rows) { different += in_kernel != in_rows; });
  CHECK(different == 0);
}

#else

TEST_CASE("corners: not tried with -ffast-math, which gives them up") { SUCCEED(); }

#endif
