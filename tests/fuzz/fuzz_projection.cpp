// Bytes become weights of any scalar, shape, storage order and strides, a grouping, a constraint
// and its arguments; the laws of the tests must hold. Built with
// -fsanitize=fuzzer,address,undefined (the preset clang, target fuzz_projection):
//
//     cmake --preset clang && cmake --build --preset fuzz
//     build/clang/tests/fuzz_projection -max_total_time=60 -seed=1

#define REIN_FUZZ

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <rein/rein.hpp>
#include <rein/tensor.hpp>

#include "../entry_laws.hpp"
#include "../laws.hpp"
#include "../norm_deviation.hpp"
#include "../projection_laws.hpp"
#include "../projection_sets.hpp"

namespace {

using Eigen::Dynamic;
using Eigen::Index;

/// The input, byte by byte; after its end, numbers that follow from what it was.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {
    std::uint64_t hash = 1469598103934665603u;
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 1099511628211u;
    rest_.emplace(hash);
  }

  std::uint8_t byte() {
    if (next_ < size_) return data_[next_++];
    return static_cast<std::uint8_t>(rest_->bits() >> 56);
  }
  Index below(Index n) { return static_cast<Index>(byte()) % n; }
  bool coin() { return below(2) == 1; }

  template <class T>
  T raw() {
    static_assert(std::is_trivially_copyable_v<T>);
    unsigned char memory[sizeof(T)];
    for (unsigned char& part : memory) part = byte();
    T value;
    std::memcpy(&value, memory, sizeof(T));
    return value;
  }

  template <class Choices>
  auto one_of(const Choices& choices) {
    return *(std::begin(choices) + below(static_cast<Index>(std::size(choices))));
  }

  laws::Random random() { return laws::Random(raw<std::uint32_t>()); }

 private:
  const std::uint8_t* data_;
  std::size_t size_, next_ = 0;
  std::optional<laws::Random> rest_;
};

/// A number that may be anything a limit is given as: of all magnitudes, about a norm, or none.
double number(Bytes& in, const oracle::Format& format, long double norm) {
  switch (in.below(8)) {
    case 0:
      return in.raw<double>();
    case 1: {
      const double choices[] = {0.0,
                                -0.0,
                                format.smallest() * 3,
                                format.smallest_normal(),
                                std::sqrt(format.smallest_normal()),
                                std::sqrt(format.largest()),
                                format.largest() / 3,
                                format.largest(),
                                std::numeric_limits<double>::denorm_min(),
                                std::numeric_limits<double>::max()};
      return in.one_of(choices);
    }
    case 2: {
      const double sign = in.coin() ? 1 : -1;
      return std::ldexp(1 + in.byte() / 256.0, static_cast<int>(in.below(200)) - 100) * sign;
    }
    case 3:
    case 4:
    case 5:  // a few eps from the norm, on either side
      return static_cast<double>(norm * (1 + (in.byte() - 128) / 8.0L * format.epsilon()));
    default:
      return std::ldexp(1 + in.byte() / 256.0, static_cast<int>(in.below(12)) - 6);
  }
}

bool is_limit(double x) { return oracle::finite(x) && x >= 0; }

laws::Plan plan_of(Bytes& in) {
  using oracle::Grouping;
  constexpr Index sizes[] = {0,   1,   2,   3,   4,    5,    6,    7,    8,    9,   11,
                             13,  15,  16,  17,  19,   23,   31,   32,   33,   47,  63,
                             64,  65,  90,  127, 128,  129,  200,  255,  256,  257, 400,
                             511, 512, 513, 700, 1023, 1024, 1025, 2047, 2049, 3001};
  const auto size = [&](Index room) {
    const Index n = in.one_of(sizes);
    return n <= room ? n : 1 + n % 7;
  };
  const Index rows = size(3001), cols = size(rows == 0 ? 3001 : 6000 / rows);
  switch (in.below(4)) {
    case 0:
      return {{Grouping::rows}, rows, cols, {}};
    case 1:
      return {{Grouping::cols}, rows, cols, {}};
    case 2:
      return {{Grouping::whole}, rows, cols, {}};
    default: {
      const rein::FilterLayout& layout = laws::layouts[in.below(std::ssize(laws::layouts))];
      Grouping grouping{Grouping::filters, layout.axes(), {}};
      Index all = 1;
      for (std::size_t axis = 0; axis < grouping.layout.size(); ++axis) {
        grouping.dims.push_back(axis == 0 ? rows : 1 + in.below(all > 500 ? 2 : 9));
        all *= grouping.dims.back();
      }
      return {grouping, grouping.dims.front(), rows == 0 ? 0 : all / rows, {}, &layout};
    }
  }
}

// Writes the entries of w.
template <class W>
void fill(Bytes& in, W& w, const laws::Plan& plan) {
  using Scalar = typename W::Scalar;
  using Component = typename Eigen::NumTraits<Scalar>::Real;
  const oracle::Format format = oracle::format_of<Scalar>();
  const auto each = [&](const auto& component) {
    for (Index i = 0; i < w.rows(); ++i) {
      for (Index j = 0; j < w.cols(); ++j) {
        if constexpr (Eigen::NumTraits<Scalar>::IsComplex) {
          const Component real = component(), imag = component();
          w(i, j) = Scalar(real, imag);
        } else {
          w(i, j) = component();
        }
      }
    }
  };
  switch (in.below(5)) {
    case 0:
      return each([&] { return in.raw<Component>(); });
    case 1: {
      constexpr double inf = std::numeric_limits<double>::infinity();
      const double palette[] = {0.0,
                                -0.0,
                                1,
                                -1,
                                3,
                                0.1,
                                -format.smallest(),
                                format.smallest_normal(),
                                std::sqrt(format.smallest_normal()),
                                format.epsilon(),
                                1 / format.epsilon(),
                                -std::sqrt(format.largest()),
                                format.largest(),
                                std::numeric_limits<double>::quiet_NaN(),
                                inf,
                                -inf};
      const Index first = in.below(16), last = first + in.below(16 - first);
      return each(
          [&] { return static_cast<Component>(palette[first + in.below(last - first + 1)]); });
    }
    case 2: {  // of about one magnitude
      const int exponents = 2 - 2 * format.min_exponent + format.digits;
      const int base = format.min_exponent - format.digits +
                       static_cast<int>(in.raw<std::uint16_t>()) % exponents;
      const int spread = 1 + static_cast<int>(in.below(6));
      return each([&] {
        const double sign = in.coin() ? 1 : -1;
        const int exponent = base + static_cast<int>(in.below(spread));
        const double x = sign * std::ldexp(1 + in.byte() / 256.0, exponent);
        return static_cast<Component>(std::clamp(x, -format.largest(), format.largest()));
      });
    }
    default: {
      oracle::Weights weights = oracle::copy_of(w);
      laws::Random random = in.random();
      laws::fill(weights, oracle::vectors_of(weights, plan.grouping), plan.rule, random);
      oracle::assign(w, weights);
    }
  }
}

// What the weights are in memory: NaNs with their payloads too.
template <class W>
std::vector<unsigned char> memory_of(W& w) {
  using Scalar = typename W::Scalar;
  std::vector<unsigned char> memory(static_cast<std::size_t>(w.size()) * sizeof(Scalar));
  unsigned char* to = memory.data();
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j, to += sizeof(Scalar)) {
      std::memcpy(to, &w.coeffRef(i, j), sizeof(Scalar));
    }
  }
  return memory;
}

template <class W>
void restore(W& w, const std::vector<unsigned char>& memory) {
  using Scalar = typename W::Scalar;
  const unsigned char* from = memory.data();
  for (Index i = 0; i < w.rows(); ++i) {
    for (Index j = 0; j < w.cols(); ++j, from += sizeof(Scalar)) {
      std::memcpy(static_cast<void*>(&w.coeffRef(i, j)), from, sizeof(Scalar));
    }
  }
}

// The first number that is not what it should be; nothing, where there is none. NaN for NaN, other
// numbers by their bits: of two NaNs that an operation meets, either may come out.
std::string difference(const oracle::Weights& actual, const oracle::Weights& expected) {
  for (std::size_t k = 0; k < expected.numbers.size(); ++k) {
    const double x = actual.numbers[k], y = expected.numbers[k];
    if (oracle::bits(x) == oracle::bits(y) || (std::isnan(x) && std::isnan(y))) continue;
    return "number " + std::to_string(k) + " is " + laws::text(x) + ", not " + laws::text(y);
  }
  return "";
}

/// One input: a W, a plan for it, and what is to be tried on it.
template <class W, class G>
class Trial {
  using Scalar = typename W::Scalar;
  using Report = rein::Report;
  using Plain = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
  static constexpr bool is_complex = Eigen::NumTraits<Scalar>::IsComplex;

 public:
  Trial(Bytes& in, W& w, const laws::Plan& plan, const G& grouping)
      : in_(in),
        w_(w),
        plan_(plan),
        grouping_(grouping),
        before_(oracle::copy_of(w)),
        vectors_(oracle::vectors_of(before_, plan.grouping)) {}

  // Each grouping has its share, for all of them together take ten minutes to compile: what a
  // constraint compiles for is the view, which all groupings of a W have in common.
  void run() {
    const Index which = in_.below(12);
    if constexpr (std::is_same_v<G, rein::PerRow>) {
      if (which < 3) return min_max_norm();
      if (which < 5) return tied_bias();
      if (which < 6) return sgd_step();
      if (which < 7) return unit_norm();
      if (which < 9) return joint_bias();
      if (which < 10) return sgd_step_rows();
      if (which < 11) return adam_step_rows();
      if constexpr (!is_complex) bounds_on_entries();
    } else if constexpr (std::is_same_v<G, rein::PerCol>) {
      if (which < 3) return max_norm();
      if constexpr (is_complex) {
        return norms_and_rescale();
      } else {
        return projection(in_.below(5));
      }
    } else if constexpr (std::is_same_v<G, rein::Whole>) {
      if (which < 3) return max_rms();
      if (which < 5) return max_spectral_norm();
      if (which < 7) return only_some();
      if (which < 8) return norms_and_rescale();
      if (which < 10) return clip_gradient_norm();
      if constexpr (!is_complex) in_order_and_every();
    } else {
      if (which < 3) return min_max_norm();
      if (which < 5) return norms_and_rescale();
      if (which < 7) return only_some();
      if (which < 9) return tensor();
      return adam_step();
    }
  }

 private:
  Index length() const { return vectors_.empty() ? 0 : std::ssize(vectors_.front()) / parts(); }
  static int parts() { return is_complex ? 2 : 1; }

  double limit_about_a_norm() {
    long double norm = 1;
    if (!vectors_.empty()) {
      const auto v = static_cast<std::size_t>(in_.raw<std::uint16_t>()) % vectors_.size();
      if (oracle::finite(before_, vectors_[v])) norm = oracle::norm(before_, vectors_[v]);
    }
    return number(in_, before_.format, norm);
  }

  oracle::Rule some_rule() {
    double low = limit_about_a_norm(), high = limit_about_a_norm();
    if (low > high && in_.below(8) != 0) std::swap(low, high);
    const double rates[] = {1, 1, 1, 0, 0.5, 1e-3, std::nextafter(1.0, 0.0), 1e-300};
    return {low, high, in_.one_of(rates)};
  }

  double some_rate() { return std::ldexp(1.0, static_cast<int>(in_.below(40)) - 30); }

  // The constraint that make() gives; none, where it is right to refuse its arguments.
  template <class Make>
  auto made(bool valid, const Make& make) -> std::optional<decltype(make())> {
    try {
      std::optional<decltype(make())> constraint(make());
      CHECK(valid);
      return constraint;
    } catch (const std::invalid_argument&) {
      CHECK(!valid);
    }
    return {};
  }

  // Calls a constraint, and compares what it reports to have changed with the memory.
  template <class C>
  Report call(C& constraint) {
    const std::vector<unsigned char> before = memory_of(w_);
    const Report report = constraint(w_);
    const std::vector<unsigned char> after = memory_of(w_);
    Index changed = 0;
    const std::size_t bytes = sizeof(Scalar) / static_cast<std::size_t>(parts());
    for (const oracle::Places& vector : vectors_) {
      changed += std::any_of(vector.begin(), vector.end(), [&](std::size_t place) {
        return std::memcmp(&before[place * bytes], &after[place * bytes], bytes) != 0;
      });
    }
    CHECK(report.changed == changed);
    return report;
  }

  template <class Make>
  void norm_constraint(const oracle::Rule& rule, const Make& make) {
    const bool valid = is_limit(rule.low) && is_limit(rule.high) && rule.low <= rule.high;
    if (auto constraint = made(valid, make)) {
      laws::obey(w_, plan_.grouping, rule,
                 std::function<Report()>([&] { return call(*constraint); }));
    }
  }

  void max_norm() {
    const double limit = limit_about_a_norm();
    norm_constraint({.high = limit}, [&] { return rein::MaxNorm{limit, grouping_}; });
  }

  void unit_norm() {
    norm_constraint({.low = 1, .high = 1}, [&] { return rein::UnitNorm{grouping_}; });
  }

  auto some_min_max_norm(const oracle::Rule& rule) {
    const bool valid = is_limit(rule.low) && is_limit(rule.high) && rule.low <= rule.high;
    return made(valid, [&] { return rein::MinMaxNorm{rule.low, rule.high, grouping_, rule.rate}; });
  }

  void min_max_norm() {
    const oracle::Rule rule = some_rule();
    norm_constraint(rule, [&] {
      return rein::MinMaxNorm{rule.low, rule.high, grouping_, rule.rate};
    });
  }

  void max_rms() {
    const double root = std::sqrt(static_cast<double>(length()));
    const double limit = limit_about_a_norm() / std::max(root, 1.0);
    const long double high = std::min<long double>(static_cast<long double>(limit) * root,
                                                   std::numeric_limits<double>::max());
    const bool limited = is_limit(limit) && length() > 0;
    norm_constraint({.high = limited ? static_cast<double>(high) : limit}, [&] {
      return rein::MaxRms{limit, grouping_};
    });
  }

  // A bias that equals the first entry of its vector goes where that goes; W as without it.
  void tied_bias() {
    const oracle::Rule rule = some_rule();
    const auto constraint = some_min_max_norm(rule);
    if (!constraint || length() == 0) return;
    const std::vector<unsigned char> memory = memory_of(w_);
    const Report report = (*constraint)(w_);
    const oracle::Weights after = oracle::copy_of(w_);
    restore(w_, memory);

    const Index count = std::ssize(vectors_);
    Eigen::Vector<Scalar, Dynamic> bias(count);
    const auto first = [&](Index v) { return vectors_[static_cast<std::size_t>(v)].front(); };
    for (Index v = 0; v < count; ++v) {
      std::memcpy(static_cast<void*>(&bias[v]),
                  &memory[first(v) * sizeof(Scalar) / static_cast<std::size_t>(parts())],
                  sizeof(Scalar));
    }
    const oracle::Weights bias_before = oracle::copy_of(bias);
    CHECK((*constraint)(w_, rein::tied(bias)) == report);
    CHECK(oracle::same_bits(oracle::copy_of(w_), after));
    const oracle::Weights bias_after = oracle::copy_of(bias);
    for (Index v = 0; v < count; ++v) {
      const auto place = static_cast<std::size_t>(v * parts());
      for (std::size_t c = 0; c < static_cast<std::size_t>(parts()); ++c) {
        const double b = bias_after.numbers[place + c], x = after.numbers[first(v) + c];
        if (oracle::same_bits(before_, after, vectors_[static_cast<std::size_t>(v)])) {
          CHECK(oracle::bits(b) == oracle::bits(bias_before.numbers[place + c]));
        } else {
          CHECK(std::abs(static_cast<long double>(b) - x) <=
                8 * before_.format.epsilon() * std::abs(static_cast<long double>(x)) +
                    before_.format.smallest());
        }
      }
    }
  }

  // The vectors, each with its bias as one more entry, obey the laws.
  void joint_bias() {
    const oracle::Rule rule = some_rule();
    const auto constraint = some_min_max_norm(rule);
    if (!constraint) return;
    Eigen::Vector<Scalar, Dynamic> bias(w_.rows() + (in_.below(8) == 0 ? 1 : 0));
    fill(in_, bias, plan_);
    if (bias.size() != w_.rows()) {
      const std::vector<unsigned char> memory = memory_of(w_), bias_memory = memory_of(bias);
      CHECK(refuses([&] { (*constraint)(w_, rein::joint(bias)); }));
      CHECK(memory_of(w_) == memory);
      CHECK(memory_of(bias) == bias_memory);
      return;
    }
    Plain joined(w_.rows(), w_.cols() + 1);
    const auto join = [&] { joined << w_, bias; };
    join();
    laws::obey(joined, plan_.grouping, rule, std::function<Report()>([&] {
                 const Report report = (*constraint)(w_, rein::joint(bias));
                 join();
                 return report;
               }));
  }

  template <class Call>
  static bool refuses(const Call& call) {
    try {
      call();
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  }

  /// Numbers of vectors, valid or not, and how often each vector is listed.
  struct List {
    std::vector<Index> indices;
    std::vector<int> times;
    bool valid = true;
  };

  List some_list() {
    const Index count = std::ssize(vectors_);
    List list{{}, std::vector<int>(vectors_.size(), 0)};
    for (Index k = in_.below(9); k > 0; --k) {
      const Index v =
          static_cast<Index>(in_.raw<std::uint16_t>()) % (count + 1) - (in_.below(16) == 0 ? 1 : 0);
      list.indices.push_back(v);
      list.valid =
          list.valid && v >= 0 && v < count && ++list.times[static_cast<std::size_t>(v)] == 1;
    }
    return list;
  }

  // The listed vectors become what a full call makes of them; the others keep their bits.
  void only_some() {
    const oracle::Rule rule = some_rule();
    const auto constraint = some_min_max_norm(rule);
    if (!constraint) return;
    const std::vector<unsigned char> memory = memory_of(w_);
    (*constraint)(w_);
    const oracle::Weights full = oracle::copy_of(w_);
    restore(w_, memory);

    const auto [listed, times, valid] = some_list();
    try {
      const Report report = (*constraint)(w_, rein::only(listed));
      CHECK(valid);
      CHECK(report.checked == std::ssize(listed));
    } catch (const std::invalid_argument&) {
      CHECK(!valid);
      CHECK(memory_of(w_) == memory);
      return;
    }
    const oracle::Weights after = oracle::copy_of(w_);
    for (std::size_t v = 0; v < vectors_.size(); ++v) {
      CHECK(oracle::same_bits(after, times[v] ? full : before_, vectors_[v]));
    }
  }

  void norms_and_rescale() {
    using Real = typename decltype(rein::norms(w_, grouping_))::Scalar;
    CHECK(laws::deviation(rein::norms(w_, grouping_), before_, plan_.grouping) == "");
    CHECK(oracle::same_bits(oracle::copy_of(w_), before_));

    Eigen::Array<Real, Dynamic, 1> factors(std::ssize(vectors_));
    bool valid = true;
    for (Real& factor : factors) {
      const Real choices[] = {1, 0, -1, Real(0.3), in_.raw<Real>()};
      factor = choices[in_.below(in_.coin() ? 5 : 4)];
      valid = valid && oracle::finite(static_cast<double>(factor));
    }
    try {
      const Report report = rein::rescale(w_, grouping_, factors);
      CHECK(valid);
      CHECK(report.changed == (factors != Real(1)).count());
    } catch (const std::invalid_argument&) {
      CHECK(!valid);
      CHECK(oracle::same_bits(oracle::copy_of(w_), before_));
      return;
    }
    // half and bfloat16 round once more, and never to Inf.
    constexpr bool is_native = std::is_same_v<typename Eigen::NumTraits<Scalar>::Real, Real>;
    oracle::Weights after = oracle::copy_of(w_), expected = before_;
    for (std::size_t v = 0; v < vectors_.size(); ++v) {
      const Real factor = factors[static_cast<Index>(v)];
      for (const std::size_t place : vectors_[v]) {
        if (factor == 1) continue;
        double& x = expected.numbers[place];
        const double largest = before_.format.largest();
        const bool finite = oracle::finite(x);
        x = static_cast<double>(static_cast<Real>(x) * factor);
        if (is_native || !finite) continue;
        x = std::clamp(x, -largest, largest);
        const double error = std::abs(after.numbers[place] - x);
        CHECK(error <= before_.format.epsilon() * std::abs(x) + before_.format.smallest());
        after.numbers[place] = x;
      }
    }
    CHECK(difference(after, expected) == "");
  }

  void sgd_step() {
    step(rein::SgdOptions{.learning_rate = some_rate(),
                          .momentum = in_.coin() ? 0.5 : 0,
                          .weight_decay = in_.coin() ? 0.25 : 0,
                          .maximize = in_.coin()},
         [](const auto&... arguments) { return rein::Sgd{arguments...}; });
  }

  void adam_step() {
    step(rein::AdamOptions{.learning_rate = some_rate(),
                           .weight_decay = in_.coin() ? 0.25 : 0,
                           .decoupled_weight_decay = in_.coin(),
                           .amsgrad = in_.coin()},
         [](const auto&... arguments) { return rein::Adam{arguments...}; });
  }

  // A step with the constraint is a step and then a call of the constraint, to the bit.
  template <class Options, class Make>
  void step(const Options& options, const Make& make) {
    if constexpr (laws::has_addresses<W>) {
      const oracle::Rule rule = some_rule();
      const auto constraint = some_min_max_norm(rule);
      if (!constraint) return;
      const std::vector<unsigned char> memory = memory_of(w_);
      std::vector<Plain> gradients(2, Plain(w_.rows(), w_.cols()));
      for (Plain& gradient : gradients) fill(in_, gradient, plan_);

      auto apart = make(w_, options, rein::Unconstrained{});
      std::vector<oracle::Weights> expected;
      std::vector<Report> reports;
      for (const Plain& gradient : gradients) {
        apart.step(w_, gradient);
        reports.push_back((*constraint)(w_));
        expected.push_back(oracle::copy_of(w_));
      }
      restore(w_, memory);
      auto fused = make(w_, options, *constraint);
      for (std::size_t k = 0; k < gradients.size(); ++k) {
        const Report report = fused.step(w_, gradients[k]);
        CHECK(report == reports[k]);
        CHECK(difference(oracle::copy_of(w_), expected[k]) == "");
      }
    }
  }

  void sgd_step_rows() {
    step_rows(
        rein::SgdOptions{.learning_rate = some_rate(),
                         .momentum = in_.coin() ? 0.5 : 0,
                         .weight_decay = in_.coin() ? 0.25 : 0},
        [](const auto&... arguments) { return rein::Sgd{arguments...}; },
        [](const auto& sgd) { return std::vector{oracle::copy_of(sgd.momentum())}; });
  }

  void adam_step_rows() {
    step_rows(
        rein::AdamOptions{.learning_rate = some_rate(), .amsgrad = in_.coin()},
        [](const auto&... arguments) { return rein::Adam{arguments...}; },
        [](const auto& adam) {
          return std::vector{oracle::copy_of(adam.first_moment()),
                             oracle::copy_of(adam.second_moment()),
                             oracle::copy_of(adam.max_second_moment())};
        });
  }

  // What a step of all rows, or none, makes of them: the listed ones, or the others.
  oracle::Weights picked(const oracle::Weights& all, const oracle::Weights& none,
                         const std::vector<int>& times) const {
    oracle::Weights result = none;
    if (none.numbers.empty()) return result;
    for (std::size_t v = 0; v < vectors_.size(); ++v) {
      for (const std::size_t place : vectors_[v]) {
        if (times[v]) result.numbers[place] = all.numbers[place];
      }
    }
    return result;
  }

  // After a step of all rows, one of the listed rows is to them and to their state what another one
  // of all rows is; the other rows keep theirs. The constraint then is a call of it on the rows.
  template <class Options, class Make, class State>
  void step_rows(const Options& options, const Make& make, const State& state) {
    if constexpr (laws::has_addresses<W>) {
      const oracle::Rule rule = some_rule();
      const auto constraint = some_min_max_norm(rule);
      if (!constraint) return;
      const List list = some_list();
      const std::vector<Index>& listed = list.indices;
      Plain gradient(w_.rows(), w_.cols());
      fill(in_, gradient, plan_);
      Plain rows = Plain::Zero(std::ssize(listed), w_.cols());
      for (Index k = 0; list.valid && w_.cols() != 0 && k < rows.rows(); ++k) {
        rows.row(k) = gradient.row(listed[static_cast<std::size_t>(k)]);
      }
      auto full = make(w_, options, rein::Unconstrained{});
      auto fused = make(w_, options, *constraint);
      const std::vector<unsigned char> first = memory_of(w_);
      fused.step(w_, gradient);
      restore(w_, first);
      full.step(w_, gradient);
      auto apart = full;
      const std::vector<unsigned char> memory = memory_of(w_);
      const oracle::Weights before = oracle::copy_of(w_);
      const std::vector<oracle::Weights> state_before = state(full);
      if (!list.valid) {
        CHECK(refuses([&] { apart.step_rows(w_, rows, listed); }));
        CHECK(memory_of(w_) == memory);
        CHECK(apart.steps() == 1);
        for (std::size_t k = 0; k < state_before.size(); ++k) {
          CHECK(difference(state(apart)[k], state_before[k]) == "");
        }
        return;
      }
      full.step(w_, gradient);
      const oracle::Weights expected = picked(oracle::copy_of(w_), before, list.times);
      restore(w_, memory);
      CHECK(apart.step_rows(w_, rows, listed) == Report{});
      CHECK(difference(oracle::copy_of(w_), expected) == "");
      for (std::size_t k = 0; k < state_before.size(); ++k) {
        const oracle::Weights wanted = picked(state(full)[k], state_before[k], list.times);
        CHECK(difference(state(apart)[k], wanted) == "");
      }
      const Report report = (*constraint)(w_, rein::only(listed));
      const oracle::Weights constrained = oracle::copy_of(w_);
      restore(w_, memory);
      CHECK(fused.step_rows(w_, rows, listed) == report);
      CHECK(difference(oracle::copy_of(w_), constrained) == "");
    }
  }

  // W and a vector of doubles as gradients, against the norm of both in long double.
  void clip_gradient_norm() {
    Eigen::VectorXd other(in_.below(20));
    fill(in_, other, {{oracle::Grouping::whole}, other.size(), 1, {.high = 1}});
    const oracle::Weights other_before = oracle::copy_of(other);
    const std::vector<unsigned char> memory = memory_of(w_), other_memory = memory_of(other);
    oracle::SquareSum sum;
    bool finite = true, has_nan = false;
    for (const auto& numbers : {before_.numbers, other_before.numbers}) {
      for (const double x : numbers) {
        sum.add(x);
        finite = finite && oracle::finite(x);
        has_nan = has_nan || std::isnan(x);
      }
    }
    const long double norm = finite ? sum.norm() : 1;
    const double limit = number(in_, before_.format, norm);
    const auto kept = [&] { return memory_of(w_) == memory && memory_of(other) == other_memory; };
    if (!is_limit(limit)) {
      CHECK(refuses([&] { rein::clip_gradient_norm(limit, w_, other); }));
      CHECK(kept());
      return;
    }
    const double returned = rein::clip_gradient_norm(limit, w_, other);
    if (!finite) {
      CHECK((has_nan ? std::isnan(returned) : std::isinf(returned) && returned > 0));
      CHECK(kept());
      return;
    }
    // half and bfloat16 are summed and scaled as floats.
    const long double eps =
        std::min(before_.format.epsilon(), oracle::format_of<float>().epsilon());
    const long double largest = std::numeric_limits<double>::max();
    CHECK(std::abs(returned - std::min(norm, largest)) <=
          2 * eps * norm + std::numeric_limits<double>::denorm_min());
    if (norm <= limit) CHECK(kept());
    if (kept()) {
      CHECK(norm <= limit * (1 + 8 * before_.format.epsilon()) +
                        std::sqrt(static_cast<long double>(before_.numbers.size() + 20)) *
                            before_.format.smallest());
      return;
    }
    const auto is_scaled = [&](const oracle::Weights& before, const oracle::Weights& after) {
      for (std::size_t k = 0; k < before.numbers.size(); ++k) {
        const long double exact = limit / norm * before.numbers[k];
        const long double error = std::abs(after.numbers[k] - exact);
        const long double rounding = 4 * eps + before.format.epsilon();
        if (!(error <= rounding * std::abs(exact) + before.format.smallest())) return false;
      }
      return true;
    };
    CHECK(is_scaled(before_, oracle::copy_of(w_)));
    CHECK(is_scaled(other_before, oracle::copy_of(other)));
  }

  // A tensor in memory like W's, whose axes a column-major one has the other way round.
  void tensor() {
    if constexpr (laws::has_addresses<W>) {
      constexpr rein::TensorLayout<4> by_rows[] = {"oihw", "iohw", "hwio", "ohwi", "hwoo"};
      constexpr rein::TensorLayout<4> by_cols[] = {"whio", "whoi", "oiwh", "iwho", "oowh"};
      constexpr int order = W::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor;
      std::vector<Index> dims = plan_.grouping.dims;
      if (!W::IsRowMajor) std::reverse(dims.begin(), dims.end());
      const oracle::Rule rule = some_rule();
      const auto constraint = some_min_max_norm(rule);
      for (std::size_t k = 0; constraint && k < std::size(by_rows); ++k) {
        if (plan_.layout->axes() != by_rows[k].filters().axes()) continue;
        Eigen::Tensor<Scalar, 4, order> kernel(dims[0], dims[1], dims[2], dims[3]);
        std::copy_n(w_.data(), w_.size(), kernel.data());
        const auto layout = W::IsRowMajor ? by_rows[k] : by_cols[k];
        const rein::MinMaxNorm same{rule.low, rule.high, rein::per_filter(layout, kernel),
                                    rule.rate};
        Plain larger = Plain::Zero(1, w_.size() + 1);
        CHECK(refuses([&] { same(larger); }));
        CHECK(same(rein::as_matrix(kernel)) == (*constraint)(w_));
        const Eigen::Map<const typename W::PlainObject> actual(kernel.data(), w_.rows(), w_.cols());
        CHECK(difference(oracle::copy_of(actual), oracle::copy_of(w_)) == "");
      }
    }
  }

  // No oracle but for vectors, whose largest singular value is their norm.
  void max_spectral_norm() {
    if (w_.size() > 400) return;
    const double limit = limit_about_a_norm();
    auto constraint = made(is_limit(limit), [&] { return rein::MaxSpectralNorm{limit}; });
    if (!constraint) return;
    const Report first = call(*constraint);
    const oracle::Weights after = oracle::copy_of(w_);
    CHECK(first.checked == 1);
    const bool finite = oracle::finite(before_, vectors_[0]);
    CHECK(first.nonfinite == (finite ? 0 : 1));
    if (!finite) return;
    CHECK(oracle::finite(after, vectors_[0]));
    if (w_.rows() <= 1 || w_.cols() <= 1) {
      const long double doubt = 1e-6L + 8 * before_.format.epsilon();
      const long double rounding =
          std::sqrt(static_cast<long double>(w_.size() + 1)) * before_.format.smallest();
      CHECK(oracle::norm(after, vectors_[0]) <= limit * (1 + doubt) + rounding);
    }
    const Report second = call(*constraint);
    CHECK(second.changed == 0);
  }

  void bounds(double low, double high, const std::function<Report()>& constrain) {
    laws::obey_bounds(w_, low, high, constrain);
  }

  void set(const laws::Set& set, const std::function<Report()>& constrain) {
    laws::obey_set(w_, plan_.grouping, set, constrain);
  }

  void bounds_on_entries() {
    if (in_.coin()) {
      return bounds(0, std::numeric_limits<double>::infinity(),
                    [&] { return rein::NonNegative{}(w_); });
    }
    const double low = rounded(limit_about_a_norm()), high = rounded(limit_about_a_norm());
    const bool valid = oracle::finite(low) && oracle::finite(high) && low <= high;
    if (const auto box = made(valid, [&] { return rein::Box{low, high}; })) {
      bounds(low, high, [&] { return (*box)(w_); });
    }
  }

  void projection(Index which) {
    switch (which) {
      case 0: {
        const double radius = limit_about_a_norm();
        if (auto ball = made(is_limit(radius), [&] { return rein::L1Ball{radius, grouping_}; })) {
          set(laws::ball(radius), [&] { return call(*ball); });
        }
        return;
      }
      case 1: {
        const double sum = limit_about_a_norm();
        if (auto simplex = made(is_limit(sum), [&] { return rein::Simplex{sum, grouping_}; })) {
          set(laws::simplex(sum), [&] { return call(*simplex); });
        }
        return;
      }
      case 2: {
        rein::ZeroMean zero_mean{grouping_};
        return set(laws::centered, [&] { return call(zero_mean); });
      }
      default: {
        Eigen::VectorXd normal(length());
        const int exponent = static_cast<int>(in_.below(17)) - 8;
        for (double& x : normal) x = std::ldexp(static_cast<double>(in_.below(9)) - 4, exponent);
        const double offset = std::ldexp(static_cast<double>(in_.below(17)) - 8, exponent);
        const bool valid = (normal.array() != 0).any();
        if (which == 3) {
          if (auto c = made(valid, [&] { return rein::Halfspace{normal, offset, grouping_}; })) {
            set(laws::plane(normal, offset, true), [&] { return call(*c); });
          }
        } else if (auto c = made(valid, [&] {
                     return rein::Hyperplane{normal, offset, grouping_};
                   })) {
          set(laws::plane(normal, offset, false), [&] { return call(*c); });
        }
      }
    }
  }

  // Their parts, one after the other; each second call.
  void in_order_and_every() {
    const double limit = limit_about_a_norm();
    const auto max_norm = made(is_limit(limit), [&] { return rein::MaxNorm{limit, grouping_}; });
    if (!max_norm) return;
    const std::vector<unsigned char> memory = memory_of(w_);
    Report report = rein::NonNegative{}(w_);
    report += (*max_norm)(w_);
    const std::vector<unsigned char> expected = memory_of(w_);
    restore(w_, memory);
    auto constraint = rein::every(2, rein::in_order(rein::NonNegative{}, *max_norm));
    CHECK(constraint(w_) == Report{});
    CHECK(memory_of(w_) == memory);
    CHECK(constraint(w_) == report);
    CHECK(memory_of(w_) == expected);
  }

  // To what the scalar holds, which is what Box does with its bounds.
  static double rounded(double x) {
    if constexpr (is_complex) {
      return x;
    } else {
      const double largest = oracle::format_of<Scalar>().largest();
      if (!oracle::finite(x)) return x;
      return static_cast<double>(static_cast<Scalar>(std::clamp(x, -largest, largest)));
    }
  }

  Bytes& in_;
  W& w_;
  const laws::Plan& plan_;
  G grouping_;
  oracle::Weights before_;
  std::vector<oracle::Places> vectors_;
};

template <class W>
void try_on(Bytes& in, W& w, const laws::Plan& plan) {
  fill(in, w, plan);
  laws::with_grouping(w, plan, [&](const auto& grouping) { Trial(in, w, plan, grouping).run(); });
}

// The memory of a W with room around it, and nothing beyond, where the sanitizer watches.
template <class Scalar>
void try_layouts(Bytes& in, const laws::Plan& plan) {
  using ColMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::ColMajor>;
  using RowMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::RowMajor>;
  using Outer = Eigen::OuterStride<>;
  using Both = Eigen::Stride<Dynamic, Dynamic>;
  const Index layout = in.below(5), start = in.below(4), gap = in.coin() ? in.below(20) : 0;
  const Index rows = plan.rows, cols = plan.cols;
  const auto with = [&](Index outer_size, Index inner_size, Index inner, auto use) {
    const Index outer = inner * inner_size + gap;
    const Index end = start + (outer_size == 0 || inner_size == 0
                                   ? 0
                                   : (outer_size - 1) * outer + (inner_size - 1) * inner + 1);
    laws::Surroundings<Scalar> memory(end);
    use(memory, outer);
  };
  const auto tried = [&](auto& memory, auto&& w) {
    try_on(in, w, plan);
    memory.check_untouched(w);
  };
  // Not every one for every scalar: that takes long to compile.
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  constexpr bool is_half = std::is_same_v<Scalar, Eigen::half>;
  constexpr bool is_bfloat16 = std::is_same_v<Scalar, Eigen::bfloat16>;
  constexpr bool is_complex_double = std::is_same_v<Scalar, std::complex<double>>;
  if constexpr (is_float || is_half || std::is_same_v<Scalar, std::complex<float>>) {
    if (layout < 2 || !is_float) {
      return with(cols, rows, 1, [&](auto& memory, Index outer) {
        using Map = Eigen::Map<ColMajor, Eigen::Unaligned, Outer>;
        tried(memory, Map(memory.data() + start, rows, cols, Outer(outer)));
      });
    }
  }
  if constexpr (is_bfloat16 || std::is_same_v<Scalar, double>) {
    if (layout < 3 || is_bfloat16) {
      return with(rows, cols, 1, [&](auto& memory, Index outer) {
        using Map = Eigen::Map<RowMajor, Eigen::Unaligned, Outer>;
        tried(memory, Map(memory.data() + start, rows, cols, Outer(outer)));
      });
    }
  }
  if constexpr (is_float || is_complex_double || std::is_same_v<Scalar, double>) {
    return with(rows, cols, 1 + in.below(3), [&](auto& memory, Index outer) {
      const Index inner = cols == 0 ? 1 : (outer - gap) / cols;
      using Map = Eigen::Map<RowMajor, Eigen::Unaligned, Both>;
      Map w(memory.data() + start, rows, cols, Both(outer, inner));
      if constexpr (is_float) {
        if (layout == 2) return tried(memory, w.reverse());
      }
      tried(memory, w);
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, size);
  const Index scalar = in.below(6);
  laws::Plan plan = plan_of(in);
  plan.rule = {.high = 1};
  switch (scalar) {
    case 0:
      try_layouts<float>(in, plan);
      break;
    case 1:
      try_layouts<double>(in, plan);
      break;
    case 2:
      try_layouts<Eigen::half>(in, plan);
      break;
    case 3:
      try_layouts<Eigen::bfloat16>(in, plan);
      break;
    case 4:
      try_layouts<std::complex<float>>(in, plan);
      break;
    default:
      try_layouts<std::complex<double>>(in, plan);
  }
  return 0;
}
