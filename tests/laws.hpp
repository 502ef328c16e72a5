#pragma once
// The laws that every norm constraint obeys, written once, and the weights they are tried on:
// random shapes, every kind of W, every grouping, vectors of every magnitude.
//
// REIN_TEST_SEED in the environment sets the seed; a failure prints it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/grouping.hpp>

#include "catch.hpp"
#include "oracle.hpp"

namespace laws {

using Eigen::Index;

// -ffast-math gives up subnormals, signed zeros and the order of operations, and with them the
// accuracy and the second call that changes nothing. What must hold all the same: NaN and Inf stay
// where they are, and the other vectors are projected.
#ifdef __FAST_MATH__
inline constexpr bool strict = false;
#else
inline constexpr bool strict = true;
#endif

inline std::uint64_t seed() {
  const char* text = std::getenv("REIN_TEST_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 20140615;
}

/// The same numbers on every system (SplitMix64; the standard's distributions differ).
class Random {
 public:
  explicit Random(std::uint64_t stream) : state_(seed() + 0x632BE59BD9B4E019u * stream) {}

  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  double between(double low, double high) {
    return low + (high - low) * std::ldexp(static_cast<double>(bits() >> 11), -53);
  }

  Index index(Index below) {
    return static_cast<Index>(bits() % static_cast<std::uint64_t>(below));
  }

  bool chance(double p) { return between(0, 1) < p; }

  template <class Choices>
  auto one_of(const Choices& choices) {
    return *(std::begin(choices) + index(static_cast<Index>(std::size(choices))));
  }

 private:
  std::uint64_t state_;
};

/// One call of a constraint, and a second one after it.
struct Outcome {
  oracle::Rule rule;
  std::vector<oracle::Places> vectors;
  oracle::Weights before, after, again;
  rein::Report first, second;

  std::vector<bool> finite = {};
  std::vector<long double> norm = {};  // before; of the finite vectors

  double epsilon() const { return before.format.epsilon(); }
  // What the oracle itself may be wrong by.
  double doubt() const { return before.format.judged() ? 0 : 4 * epsilon(); }
  // What subnormal entries may take from the norm of v.
  long double granularity(std::size_t v) const {
    return std::sqrt(static_cast<long double>(vectors[v].size())) * before.format.smallest();
  }
  bool kept(std::size_t v) const { return oracle::same_bits(before, after, vectors[v]); }
  bool zero(std::size_t v) const { return finite[v] && norm[v] == 0; }
};

inline std::string name(std::size_t v) { return "vector " + std::to_string(v) + " "; }

inline std::string text(long double x) {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.21Lg", x);
  return digits;
}

// A law gives what breaks it, or nothing.

inline std::string satisfied_vectors_keep_their_bits(const Outcome& o) {
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    if (o.finite[v] && o.rule.satisfied(o.norm[v]) && !o.kept(v)) {
      return name(v) + "of norm " + text(o.norm[v]) + " was changed";
    }
  }
  return "";
}

inline std::string nonfinite_vectors_keep_their_bits(const Outcome& o) {
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    if (!o.finite[v] && !o.kept(v)) return name(v) + "holds a NaN or an Inf and was changed";
  }
  return "";
}

// At rate 1, the norm, computed exactly, is within 8 eps of what was asked for.
inline std::string norms_are_feasible(const Outcome& o) {
  if (o.rule.rate != 1) return "";
  const double slack = strict ? 8 * o.epsilon() + o.doubt() : 64 * o.epsilon();
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    if (!o.finite[v] || o.zero(v)) continue;
    if (!oracle::finite(o.after, o.vectors[v])) return name(v) + "became a NaN or an Inf";
    const long double norm = oracle::norm(o.after, o.vectors[v]);
    if (norm > o.rule.high * (1 + static_cast<long double>(slack))) {
      return name(v) + "has norm " + text(norm) + " > " + text(o.rule.high);
    }
    // Entries as large as the scalar has them cannot be lengthened.
    const bool full = std::any_of(o.vectors[v].begin(), o.vectors[v].end(), [&](std::size_t place) {
      return std::abs(o.after.numbers[place]) == o.after.format.largest();
    });
    if (!full && norm < o.rule.low * (1 - static_cast<long double>(slack)) - o.granularity(v)) {
      return name(v) + "has norm " + text(norm) + " < " + text(o.rule.low);
    }
  }
  return "";
}

// A vector is either left alone, which its norm must allow, or every entry is within 4 eps of the
// exact rescaling: the direction is kept.
inline std::string entries_are_rescaled(const Outcome& o) {
  const double slack = strict ? 8 * o.epsilon() : 64 * o.epsilon();
  const double tolerance = strict ? 4 * o.epsilon() + o.doubt() : 64 * o.epsilon();
  const long double largest = o.before.format.largest();
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    if (!o.finite[v] || o.zero(v)) continue;
    const long double norm = o.norm[v];
    if (o.kept(v) && norm <= o.rule.high * (1 + static_cast<long double>(slack)) &&
        norm >= o.rule.low * (1 - static_cast<long double>(slack)) - o.granularity(v)) {
      continue;
    }
    const long double factor = o.rule.wanted(norm) / norm;
    for (const std::size_t place : o.vectors[v]) {
      const double before = o.before.numbers[place], after = o.after.numbers[place];
      const long double exact = std::clamp(factor * before, -largest, largest);
      const long double allowed = tolerance * std::abs(exact) + o.before.format.smallest();
      if (!(std::abs(after - exact) <= allowed)) {
        return name(v) + "of norm " + text(norm) + ": " + text(before) + " became " + text(after) +
               ", not " + text(exact);
      }
      if (strict && std::signbit(before) != std::signbit(after)) {
        return name(v) + ": " + text(before) + " became " + text(after);
      }
    }
  }
  return "";
}

inline std::string zero_vectors_keep_their_bits(const Outcome& o) {
  for (std::size_t v = 0; strict && v < o.vectors.size(); ++v) {
    if (o.zero(v) && !o.kept(v)) return name(v) + "is zero and was changed";
  }
  return "";
}

inline std::string report_is_right(const Outcome& o) {
  Index changed = 0, nonfinite = 0;
  long double largest = 0;
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    changed += !o.kept(v);
    nonfinite += !o.finite[v];
    if (o.finite[v]) largest = std::max(largest, o.norm[v]);
  }
  const auto differs = [](const char* what, Index reported, Index actual) {
    return std::string(what) + " is " + std::to_string(reported) + ", not " +
           std::to_string(actual);
  };
  if (o.first.checked != std::ssize(o.vectors)) {
    return differs("checked", o.first.checked, std::ssize(o.vectors));
  }
  if (o.first.changed != changed) return differs("changed", o.first.changed, changed);
  if (o.first.nonfinite != nonfinite) return differs("nonfinite", o.first.nonfinite, nonfinite);

  // A norm beyond the largest double is reported as Inf.
  const double reported = o.first.largest_norm;
  if (!oracle::finite(reported)) {
    return largest > std::numeric_limits<double>::max() ? "" : "largest_norm is not finite";
  }
  const long double tolerance =
      (strict ? 2 * o.epsilon() + o.doubt() : 64 * o.epsilon()) * largest +
      std::numeric_limits<double>::denorm_min();
  if (!(std::abs(reported - largest) <= tolerance)) {
    return "largest_norm is " + text(reported) + ", not " + text(largest);
  }
  return "";
}

inline std::string second_call_changes_nothing(const Outcome& o) {
  if (!strict || o.rule.rate != 1) return "";
  // Where the scalar does not hold what is asked for, the entries grow until none can.
  if (o.rule.low > o.before.format.largest()) return "";
  for (std::size_t v = 0; v < o.vectors.size(); ++v) {
    if (!oracle::same_bits(o.after, o.again, o.vectors[v])) {
      return "a second call changed " + name(v) + "whose norm was " + text(o.norm[v]);
    }
  }
  if (o.second.changed != 0) return "a second call reports a change";
  if (o.second.checked != o.first.checked || o.second.nonfinite != o.first.nonfinite) {
    return "a second call reports another number of vectors";
  }
  return "";
}

namespace detail {

inline void check(Outcome& o) {
  for (const oracle::Places& vector : o.vectors) {
    o.finite.push_back(oracle::finite(o.before, vector));
    o.norm.push_back(o.finite.back() ? oracle::norm(o.before, vector) : 0);
  }
  CHECK(satisfied_vectors_keep_their_bits(o) == "");
  CHECK(nonfinite_vectors_keep_their_bits(o) == "");
  CHECK(norms_are_feasible(o) == "");
  CHECK(entries_are_rescaled(o) == "");
  CHECK(zero_vectors_keep_their_bits(o) == "");
  CHECK(report_is_right(o) == "");
  CHECK(second_call_changes_nothing(o) == "");
}

}  // namespace detail

/// Checks all laws on W as it is; `constrain` calls the constraint once.
template <class W, class Constrain>
void obey(W& w, const oracle::Grouping& grouping, const oracle::Rule& rule,
          const Constrain& constrain) {
  Outcome o{rule, {}, oracle::copy_of(w), {}, {}, {}, {}};
  o.first = constrain();
  o.after = oracle::copy_of(w);
  o.second = constrain();
  o.again = oracle::copy_of(w);
  o.vectors = oracle::vectors_of(o.before, grouping);
  detail::check(o);
}

// Weights to try the laws on.

/// Fills a vector with random entries and brings it to about this norm.
inline void fill_to_norm(oracle::Weights& w, const oracle::Places& vector, double norm,
                         Random& random) {
  oracle::SquareSum sum;
  for (const std::size_t place : vector) {
    w.numbers[place] = random.between(-1, 1);
    sum.add(w.numbers[place]);
  }
  const long double factor = vector.empty() ? 0 : norm / sum.norm();
  for (const std::size_t place : vector) {
    w.numbers[place] = static_cast<double>(w.numbers[place] * factor);
  }
}

/// Fills each vector in another way: within the rule, outside, on the edge, zero, not finite, with
/// entries whose squares overflow or underflow, ...
inline void fill(oracle::Weights& w, const std::vector<oracle::Places>& vectors,
                 const oracle::Rule& rule, Random& random) {
  const oracle::Format& format = w.format;
  // Where the oracle is no better than the library, and where subnormals are lost, stay in the
  // middle.
  const bool extremes = strict && format.judged();
  const double top = extremes ? format.largest() : std::sqrt(format.largest()) / 4096;
  const double bottom = extremes ? format.smallest() : 1 / top;
  const bool all_finite = random.chance(0.3);
  for (const oracle::Places& vector : vectors) {
    const double limit = random.chance(0.5) && rule.low > 0 ? rule.low : rule.high;
    const double near = limit > bottom && limit < top ? limit : 1.0;
    const auto each = [&](auto number) {
      for (const std::size_t place : vector) w.numbers[place] = number();
    };
    switch (random.index(12)) {
      case 0: {  // between the limits
        const double high = std::min(rule.high, top / 2);
        fill_to_norm(w, vector, random.between(std::min(rule.low, high), high), random);
        break;
      }
      case 1:  // above
        fill_to_norm(w, vector, near * random.between(1, 3), random);
        break;
      case 2:  // below
        fill_to_norm(w, vector, near * random.between(0, 1), random);
        break;
      case 3:  // on the edge
        fill_to_norm(w, vector, near * (1 + random.between(-10, 10) * format.epsilon()), random);
        break;
      case 4:
        each([&] { return strict && random.chance(0.5) ? -0.0 : 0.0; });
        break;
      case 5:  // one entry
        each([] { return 0.0; });
        if (!vector.empty()) w.numbers[random.one_of(vector)] = -near * random.between(0.5, 2);
        break;
      case 6: {  // equal entries
        const double entry = near / std::sqrt(static_cast<double>(vector.size() + 1));
        each([&] { return entry * (random.chance(0.5) ? 1.5 : -1.5); });
        break;
      }
      case 7:
        each([&] { return top * random.between(-1, 1); });
        break;
      case 8:
        each([&] { return bottom * std::floor(random.between(-50, 50)); });
        break;
      case 9: {  // entries of all magnitudes
        const double low = std::log2(bottom), high = std::log2(top) - 1;
        each([&] { return std::exp2(random.between(low, high)) * random.between(-1, 1); });
        break;
      }
      case 10: {  // about the square root of the smallest or the largest number
        const double middle = std::sqrt(random.chance(0.5) ? top : bottom);
        fill_to_norm(w, vector, middle * random.between(0.25, 4), random);
        break;
      }
      default:
        fill_to_norm(w, vector, near * random.between(0.5, 2), random);
        if (all_finite || vector.empty()) break;
        constexpr double inf = std::numeric_limits<double>::infinity();
        const double odd[] = {std::numeric_limits<double>::quiet_NaN(), inf, -inf};
        for (int k = 0; k < 2; ++k) w.numbers[random.one_of(vector)] = random.one_of(odd);
    }
    // No accidental Inf when these are rounded to the scalar.
    for (const std::size_t place : vector) {
      double& number = w.numbers[place];
      if (oracle::finite(number)) number = std::clamp(number, -format.largest(), format.largest());
    }
  }
}

/// A grouping, a shape for it, and a rule.
struct Plan {
  oracle::Grouping grouping;
  Index rows, cols;
  oracle::Rule rule;
  const rein::FilterLayout* layout = nullptr;
};

inline constexpr rein::FilterLayout layouts[] = {"oihw", "iohw", "hwio", "ohwi", "oiw", "dhwio",
                                                 "hwoo", "ooi",  "o",    "io",   "hwo"};

inline std::string describe(const Plan& plan) {
  const char* const kinds[] = {"per_row", "per_col", "whole", "per_filter"};
  std::string text = std::string(kinds[plan.grouping.kind]) + " ";
  for (std::size_t axis = 0; axis < plan.grouping.dims.size(); ++axis) {
    text += std::string(1, plan.grouping.layout[axis]) + " = " +
            std::to_string(plan.grouping.dims[axis]) + ", ";
  }
  return text + std::to_string(plan.rows) + " x " + std::to_string(plan.cols) + ", low " +
         laws::text(plan.rule.low) + ", high " + laws::text(plan.rule.high) + ", rate " +
         laws::text(plan.rule.rate);
}

// The lengths and numbers of vectors where kernels go wrong.
inline Index random_length(Random& random) {
  constexpr Index lengths[] = {1,  2,  3,  4,  5,  7,   8,   9,   15,  16,  17,  31,
                               33, 63, 64, 65, 96, 127, 128, 129, 255, 513, 1025};
  return random.one_of(lengths);
}
inline Index random_number_of_vectors(Random& random, Index length) {
  constexpr Index numbers[] = {1, 2, 3, 4, 5, 8, 9, 17, 33, 100, 1023, 2047, 2048, 2049, 4099};
  return std::min(random.one_of(numbers), std::max<Index>(1, 20000 / length));
}

inline Plan random_plan(const oracle::Rule& rule, Random& random) {
  using oracle::Grouping;
  const Index length = random_length(random);
  const Index vectors = random_number_of_vectors(random, length);
  switch (random.index(4)) {
    case 0:
      return {{Grouping::rows}, vectors, length, rule};
    case 1:
      return {{Grouping::cols}, length, vectors, rule};
    case 2: {
      const Index other = random_number_of_vectors(random, length);
      return random.chance(0.5) ? Plan{{Grouping::whole}, other, length, rule}
                                : Plan{{Grouping::whole}, length, other, rule};
    }
    default: {
      const rein::FilterLayout& layout = layouts[random.index(std::ssize(layouts))];
      Grouping grouping{Grouping::filters, layout.axes(), {}};
      Index size = 1;
      for (std::size_t axis = 0; axis < grouping.layout.size(); ++axis) {
        constexpr Index small[] = {1, 2, 3, 3, 5};
        constexpr Index large[] = {1, 16, 17, 70, 700, 2100};
        const bool is_small = size > 5 || random.chance(0.5);
        grouping.dims.push_back(is_small ? random.one_of(small) : random.one_of(large));
        size *= grouping.dims.back();
      }
      const Index rows = random.chance(0.5)   ? grouping.dims.front()
                         : random.chance(0.5) ? grouping.dims.back()
                                              : 1;
      return {grouping, rows, size / rows, rule, &layout};
    }
  }
}

/// The shapes to begin with: no vectors, vectors without entries, the fixed-size W, one vector, and
/// a kernel with several blocks of filters.
inline std::vector<Plan> first_plans(const oracle::Rule& rule) {
  using oracle::Grouping;
  std::vector<Plan> plans;
  for (const auto kind : {Grouping::rows, Grouping::cols, Grouping::whole}) {
    for (const auto& [rows, cols] :
         {std::pair<Index, Index>{0, 0}, {0, 4}, {4, 0}, {5, 7}, {1, 1}, {1, 70}, {70, 1}}) {
      plans.push_back({{kind}, rows, cols, rule});
    }
  }
  plans.push_back({{Grouping::filters, "hwio", {2, 2, 2, 2100}}, 8, 2100, rule, &layouts[2]});
  plans.push_back({{Grouping::filters, "iohw", {3, 300, 3, 3}}, 900, 9, rule, &layouts[1]});
  plans.push_back({{Grouping::filters, "oihw", {5, 7, 1, 1}}, 5, 7, rule, &layouts[0]});
  plans.push_back({{Grouping::filters, "hwoo", {0, 3, 4, 2}}, 0, 24, rule, &layouts[6]});
  return plans;
}

/// The first plans, and random ones for each of the rules; fewer where not optimized.
inline std::vector<Plan> plans_for(const std::vector<oracle::Rule>& rules, int for_each_rule,
                                   Random& random) {
  std::vector<Plan> plans = first_plans(rules.front());
  for (const oracle::Rule& rule : rules) {
    for (int k = oracle::tries(for_each_rule); k > 0; --k)
      plans.push_back(random_plan(rule, random));
  }
  return plans;
}

/// A single vector, long enough to be shared among threads.
inline std::vector<Plan> long_plans(const oracle::Rule& rule) {
  using oracle::Grouping;
  return {{{Grouping::whole}, 1, 131'105, rule},
          {{Grouping::whole}, 131'105, 1, rule},
          {{Grouping::whole}, 150, 901, rule},
          {{Grouping::whole}, 70, 9001, rule},
          {{Grouping::whole}, 9001, 15, rule},
          {{Grouping::rows}, 1, 270'001, rule},
          {{Grouping::cols}, 140'000, 1, rule},
          {{Grouping::filters, "hwo", {400, 331, 1}}, 400, 331, rule, &layouts[10]}};
}

template <class W>
inline constexpr bool has_addresses = (Eigen::internal::traits<std::decay_t<W>>::Flags &
                                       Eigen::DirectAccessBit) != 0;

// Whether the entries lie one after another.
template <class W>
bool is_contiguous(const W& w) {
  if constexpr (has_addresses<W>) {
    return (w.innerSize() <= 1 || w.innerStride() == 1) &&
           (w.outerSize() <= 1 || w.outerStride() == w.innerSize());
  } else {
    return false;
  }
}

/// Calls use(grouping) with rein's name for the plan's grouping, where W can have it.
template <class W, class Use>
void with_grouping(const W& w, const Plan& plan, Use use) {
  switch (plan.grouping.kind) {
    case oracle::Grouping::rows:
      return use(rein::per_row);
    case oracle::Grouping::cols:
      return use(rein::per_col);
    case oracle::Grouping::whole:
      return use(rein::whole);
    default:
      if constexpr (has_addresses<W>) {
        if (is_contiguous(w)) use(rein::per_filter(*plan.layout, plan.grouping.dims));
      }
  }
}

/// The laws on one W: make(grouping, rule) gives the constraint.
template <class W, class Make>
void obey_plan(const char* view, W&& w, const Plan& plan, const Make& make, Random& random) {
  with_grouping(w, plan, [&](const auto& grouping) {
    INFO(oracle::format_of<typename std::decay_t<W>::Scalar>().name << " " << view);
    oracle::Weights weights = oracle::copy_of(w);
    fill(weights, oracle::vectors_of(weights, plan.grouping), plan.rule, random);
    oracle::assign(w, weights);
    const auto constraint = make(grouping, plan.rule);
    obey(w, plan.grouping, plan.rule, [&] { return constraint(std::forward<W>(w)); });
  });
}

/// Memory around and between the entries of a W; none of it may be written.
template <class Scalar>
class Surroundings {
 public:
  explicit Surroundings(Index size) : memory_(static_cast<std::size_t>(size), guard()) {}

  Scalar* data() { return memory_.data(); }

  template <class W>
  void check_untouched(W& w) {
    w.setConstant(guard());
    CHECK(std::count(memory_.begin(), memory_.end(), guard()) == std::ssize(memory_));
  }

 private:
  static Scalar guard() { return Scalar(77); }
  std::vector<Scalar> memory_;
};

/// Calls use(name, w) with a W whose memory is laid out in one of 4 ways, told by a number: a Map
/// whose strides are known at run time, so that little is compiled. float is tried in both storage
/// orders; one is enough for another scalar, for rows and columns take each other's way.
template <class Scalar, class Use>
void for_each_order(Index rows, Index cols, Index layout, Use use) {
  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  // Contiguous; rows apart; entries apart, from an odd address; entries apart, and rows more so.
  const Index inner = layout < 2 ? 1 : 3, gap = layout % 2 == 0 ? 0 : 5, start = layout % 3;
  const auto with = [&](const char* name, auto order) {
    using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, decltype(order)::value>;
    const Index outer_size = Matrix::IsRowMajor ? rows : cols;
    const Index outer = inner * (Matrix::IsRowMajor ? cols : rows) + gap;
    Surroundings<Scalar> memory(outer * outer_size + 16);
    Eigen::Map<Matrix, Eigen::Unaligned, Stride> w(memory.data() + start, rows, cols,
                                                   Stride(outer, inner));
    use(name, w);
    memory.check_untouched(w);
  };
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  constexpr bool is_half = std::is_same_v<Scalar, Eigen::half>;
  if constexpr (is_float || is_half || Eigen::NumTraits<Scalar>::IsComplex) {
    with("column-major Map", std::integral_constant<int, Eigen::ColMajor>());
  }
  if constexpr (is_float || !(is_half || Eigen::NumTraits<Scalar>::IsComplex)) {
    with("row-major Map", std::integral_constant<int, Eigen::RowMajor>());
  }
}

/// Calls use(name, w) with a W of every type that rein takes.
template <class Scalar, class Use>
void for_each_view(Index rows, Index cols, Use use) {
  using Eigen::Dynamic;
  using ColMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::ColMajor>;
  using RowMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::RowMajor>;
  {
    ColMajor w(rows, cols);
    use("Matrix", w);
  }
  {
    RowMajor w(rows, cols);
    use("row-major Matrix", w);
  }
  {
    Eigen::Array<Scalar, Dynamic, Dynamic, Eigen::RowMajor> w(rows, cols);
    use("row-major Array", w);
  }
  {
    ColMajor w(rows, cols);
    use("Matrix as an array", w.array());
  }
  {
    Surroundings<Scalar> memory((rows + 2) * (cols + 3));
    Eigen::Map<ColMajor> around(memory.data(), rows + 2, cols + 3);
    auto w = around.block(1, 2, rows, cols);
    use("Block", w);
    use("temporary Block", around.block(1, 2, rows, cols));
    memory.check_untouched(w);
  }
  {
    Surroundings<Scalar> memory((rows + 2) * (cols + 3));
    Eigen::Map<RowMajor> around(memory.data(), rows + 2, cols + 3);
    auto w = around.block(1, 2, rows, cols);
    use("row-major Block", w);
    memory.check_untouched(w);
  }
  {
    ColMajor transposed(cols, rows);
    use("Transpose", transposed.transpose());
  }
  {
    Surroundings<Scalar> memory((rows + 1) * cols);
    Eigen::Map<ColMajor> around(memory.data(), rows + 1, cols);
    Eigen::Ref<ColMajor, 0, Eigen::OuterStride<>> w = around.topRows(rows);
    use("Ref", w);
    memory.check_untouched(w);
  }
  {
    ColMajor backwards(rows, cols);
    use("reverse()", backwards.reverse());
  }
  {
    Surroundings<Scalar> memory((2 * rows + 1) * cols);
    Eigen::Map<RowMajor> around(memory.data(), 2 * rows + 1, cols);
    std::vector<int> odd_rows, all_cols;
    for (Index i = 0; i < rows; ++i) odd_rows.push_back(static_cast<int>(2 * (rows - i) - 1));
    for (Index j = 0; j < cols; ++j) all_cols.push_back(static_cast<int>(j));
    auto w = around(odd_rows, all_cols);
    use("rows picked by indices", w);
    memory.check_untouched(w);
  }
  if (rows == 5 && cols == 7) {
    Eigen::Matrix<Scalar, 5, 7> w;
    use("fixed-size Matrix", w);
    Eigen::Array<Scalar, 5, 7, Eigen::RowMajor> array;
    use("fixed-size row-major Array", array);
  }
  if (rows == 1) {
    Eigen::RowVector<Scalar, Dynamic> w(cols);
    use("RowVector", w);
    Surroundings<Scalar> memory(3 * cols);
    Eigen::Map<ColMajor> around(memory.data(), 3, cols);
    auto row = around.row(1);
    use("row of a column-major Matrix", row);
    memory.check_untouched(row);
  }
  if (cols == 1) {
    Eigen::Vector<Scalar, Dynamic> w(rows);
    use("Vector", w);
    Surroundings<Scalar> memory(3 * rows + 1);
    Eigen::Map<Eigen::Vector<Scalar, Dynamic>, 0, Eigen::InnerStride<>> strided(
        memory.data() + 1, rows, Eigen::InnerStride<>(3));
    use("Vector with a stride", strided);
    memory.check_untouched(strided);
  }
  if constexpr (!Eigen::NumTraits<Scalar>::IsComplex) {
    Surroundings<Scalar> memory(2 * rows * cols);
    Eigen::Map<Eigen::Matrix<std::complex<Scalar>, Dynamic, Dynamic>> complex(
        reinterpret_cast<std::complex<Scalar>*>(memory.data()), rows, cols);
    auto w = complex.imag();
    use("imaginary part", w);
    memory.check_untouched(w);
  }
}

/// The constraint obeys the laws on each of the plans.
template <class Scalar, class Make>
void obey_plans(const std::vector<Plan>& plans, const Make& make, Random& random) {
  INFO("REIN_TEST_SEED=" << seed());
  for (const Plan& plan : plans) {
    INFO(describe(plan));
    for_each_order<Scalar>(plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
      obey_plan(view, w, plan, make, random);
    });
  }
}

/// The constraint obeys the laws on `plans` random shapes, for each of the rules.
template <class Scalar, class Make>
void obey_everywhere(const std::vector<oracle::Rule>& rules, int plans, const Make& make) {
  Random random(1);
  obey_plans<Scalar>(plans_for(rules, plans, random), make, random);
}

}  // namespace laws
