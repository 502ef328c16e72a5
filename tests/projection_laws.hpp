#pragma once
// The laws of the constraints that move each vector by itself to the nearest one in a set.

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <rein/constraint.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "oracle.hpp"

namespace laws {

using Numbers = std::vector<long double>;

/// A set of vectors, told by plain long double arithmetic.
struct Set {
  /// The nearest vector in the set.
  std::function<Numbers(const Numbers&)> nearest;
  /// How far a vector is from fulfilling what the set asks for: 0 in the set.
  std::function<long double(const Numbers&)> violation;
  /// The violation up to which a vector may stay as it is, or be left, for entries of this format.
  std::function<long double(const Numbers&, const oracle::Format&)> slack;
  /// What each entry may differ by from the nearest vector's, for entries of this format.
  std::function<Numbers(const Numbers& before, const Numbers& nearest, const oracle::Format&)>
      tolerance;
};

inline Numbers numbers_of(const oracle::Weights& w, const oracle::Places& vector) {
  Numbers numbers;
  for (const std::size_t place : vector) numbers.push_back(w.numbers[place]);
  return numbers;
}

// Whether the format has numbers as large as the nearest vector's.
inline bool is_reachable(const Set& set, const oracle::Weights& before,
                         const oracle::Places& vector) {
  if (vector.empty() || !oracle::finite(before, vector)) return true;
  const Numbers nearest = set.nearest(numbers_of(before, vector));
  return std::all_of(nearest.begin(), nearest.end(), [&](long double number) {
    return std::abs(number) <= before.format.largest();
  });
}

inline std::string vector_obeys(const Set& set, const oracle::Weights& before,
                                const oracle::Weights& after, const oracle::Places& vector) {
  const oracle::Format& format = before.format;
  const bool kept = oracle::same_bits(before, after, vector);
  if (!oracle::finite(before, vector)) return kept ? "" : "holds a NaN or an Inf and was changed";
  if (vector.empty()) return "";
  const Numbers x = numbers_of(before, vector), y = numbers_of(after, vector);
  if (!oracle::finite(after, vector)) return "became a NaN or an Inf";

  const Numbers nearest = set.nearest(x);
  const bool reachable = is_reachable(set, before, vector);
  const long double slack = (strict ? 1 : 16) * set.slack(y, format);
  if (kept && set.violation(x) <= slack) return "";
  if (set.violation(x) == 0) return "was in the set and was changed";
  if (reachable && set.violation(y) > slack) {
    return "is left with a violation of " + text(set.violation(y)) + " > " + text(slack);
  }
  const Numbers tolerance = set.tolerance(x, nearest, format);
  for (std::size_t i = 0; i < x.size() && reachable; ++i) {
    if (!(std::abs(y[i] - nearest[i]) <= (strict ? 1 : 16) * tolerance[i])) {
      return text(x[i]) + " became " + text(y[i]) + ", not " + text(nearest[i]);
    }
  }
  return "";
}

/// The places of each vector's numbers, in the order of the memory; of real weights.
inline std::vector<oracle::Places> vectors_in_memory(const oracle::Weights& w,
                                                     const oracle::Grouping& grouping) {
  std::vector<oracle::Places> vectors = oracle::vectors_of(w, grouping);
  const auto cols = static_cast<std::size_t>(w.cols);
  const auto place_by_cols = [&](std::size_t place) {
    return std::pair(place % cols, place / cols);
  };
  for (oracle::Places& vector : vectors) {
    if (w.row_major) continue;
    std::sort(vector.begin(), vector.end(),
              [&](std::size_t a, std::size_t b) { return place_by_cols(a) < place_by_cols(b); });
  }
  return vectors;
}

/// Checks all laws on W as it is; `constrain` calls the constraint once.
template <class W, class Constrain>
void obey_set(W& w, const oracle::Grouping& grouping, const Set& set, const Constrain& constrain) {
  const oracle::Weights before = oracle::copy_of(w);
  const rein::Report first = constrain();
  const oracle::Weights after = oracle::copy_of(w);
  const rein::Report second = constrain();
  const oracle::Weights again = oracle::copy_of(w);

  const std::vector<oracle::Places> vectors = vectors_in_memory(before, grouping);
  Index changed = 0, nonfinite = 0, changed_again = 0;
  std::string wrong;
  for (std::size_t v = 0; v < vectors.size(); ++v) {
    const std::string result = vector_obeys(set, before, after, vectors[v]);
    if (result != "") wrong = name(v) + result;
    changed += !oracle::same_bits(before, after, vectors[v]);
    nonfinite += !oracle::finite(before, vectors[v]);
    if (oracle::same_bits(after, again, vectors[v])) continue;
    ++changed_again;
    if (strict && is_reachable(set, before, vectors[v])) {
      wrong = "a second call changed " + name(v);
    }
  }
  CHECK(wrong == "");
  CHECK(first.checked == std::ssize(vectors));
  CHECK(first.changed == changed);
  CHECK(first.nonfinite == nonfinite);
  CHECK(second.checked == first.checked);
  CHECK(second.nonfinite == nonfinite);
  CHECK(second.changed == changed_again);
}

/// The laws on `plans` random shapes and the first ones, filled about `size`; make(grouping,
/// length) gives the constraint for vectors of that length, set_of(length) its set.
template <class Scalar, class SetOf, class Make>
void obey_set_everywhere(double size, int plans, const SetOf& set_of, const Make& make,
                         Index shortest = 0) {
  Random random(7);
  INFO("REIN_TEST_SEED=" << seed());
  const oracle::Rule rule{.high = size};
  for (const Plan& plan : plans_for({rule}, plans, random)) {
    INFO(describe(plan));
    const auto obey_one = [&](const char* view, auto& w) {
      with_grouping(w, plan, [&](const auto& grouping) {
        INFO(oracle::format_of<Scalar>().name << " " << view);
        oracle::Weights weights = oracle::copy_of(w);
        const std::vector<oracle::Places> vectors = oracle::vectors_of(weights, plan.grouping);
        fill(weights, vectors, rule, random);
        oracle::assign(w, weights);
        const Index length = vectors.empty() ? 0 : std::ssize(vectors.front());
        if (length < shortest) return;
        const auto constraint = make(grouping, length);
        obey_set(w, plan.grouping, set_of(length), [&] { return constraint(w); });
      });
    };
    for_each_order<Scalar>(plan.rows, plan.cols, random.index(4), obey_one);
  }
}

/// The threshold form of the projection onto {y >= 0, sum of y = total}, from sorted numbers.
inline Numbers nearest_in_simplex(const Numbers& x, long double total) {
  const long double largest = *std::max_element(x.begin(), x.end());
  const auto below_largest = [&](long double number) {
    const volatile long double difference = largest - number;  // whole, under -ffast-math too
    return difference;
  };
  Numbers below;
  for (const long double number : x) below.push_back(below_largest(number));
  std::sort(below.begin(), below.end());
  long double sum = total, distance = 0;
  for (std::size_t k = 0; k < below.size(); ++k) {
    sum += below[k];
    const long double candidate = sum / static_cast<long double>(k + 1);
    if (k > 0 && below[k] >= candidate) break;
    distance = candidate;
  }
  Numbers y;
  for (const long double number : x) y.push_back(std::max(distance - below_largest(number), 0.0L));
  return y;
}

/// Half an eps of the entry and half a subnormal step for storing it, and 4e-16 of the largest.
inline Numbers simplex_tolerance(const Numbers& nearest, const oracle::Format& format) {
  long double largest = 0;
  for (const long double y : nearest) largest = std::max(largest, std::abs(y));
  Numbers tolerance;
  for (const long double y : nearest) {
    tolerance.push_back(0.51L * format.epsilon() * std::abs(y) + 0.51L * format.smallest() +
                        4e-16L * largest);
  }
  return tolerance;
}

inline long double simplex_slack(long double total, const Numbers& y,
                                 const oracle::Format& format) {
  return 3 * format.epsilon() * total +
         static_cast<long double>(y.size() + 1) * format.smallest() / 2;
}

/// Long vectors: entries that grow like powers, where a search that drops one entry at a time reads
/// the vector as often as it has entries, and a million at random. set_of(size) is the set that
/// constraint_of(size) projects a whole matrix on.
template <class SetOf, class ConstraintOf>
void long_vectors_obey(const SetOf& set_of, const ConstraintOf& constraint_of) {
  const auto obey = [&](auto w, double size) {
    INFO(w.size() << " entries, " << size);
    const auto constraint = constraint_of(size);
    obey_set(w, {oracle::Grouping::whole}, set_of(size), [&] { return constraint(w); });
  };
  Eigen::VectorXd powers(2000);
  for (Eigen::Index i = 0; i < powers.size(); ++i) {
    powers(i) = std::exp2(static_cast<double>(i - 1000));
  }
  for (const double size : {1e-300, 1e-3, 1.0, 1e290}) obey(powers, size);

  Random random(3);
  Eigen::VectorXf many(oracle::long_vector);
  for (float& entry : many) entry = static_cast<float>(random.between(-1, 1));
  for (const double share : {1e-6, 0.01, 0.1, 0.49}) {
    obey(many, share * static_cast<double>(many.size()));
  }
}

}  // namespace laws
