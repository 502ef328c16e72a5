#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <Eigen/Core>

#include <rein/detail/view.hpp>
#include <rein/norms.hpp>

// Weights in which a chosen part of the vectors violates a limit, call after call.

namespace bench {

template <class Scalar>
inline constexpr const char* scalar_name = "double";
template <>
inline constexpr const char* scalar_name<float> = "float";

using Eigen::Index;

enum class Violators { none, a_tenth, all };

inline const char* name_of(Violators violators) {
  return violators == Violators::none ? "none" : violators == Violators::all ? "all" : "tenth";
}

// Random signs and magnitudes in [0.5, 1.5): the norm of n of them lies in [0.5, 1.5) * sqrt(n).
// They recur after a while, since to draw a billion of them takes longer than what is timed.
template <class W>
void fill_randomly(W& weights, std::uint64_t seed = 1) {
  using Scalar = typename W::Scalar;
  constexpr Index drawn = 99991;  // a prime, so that no row or column gets the same ones as another
  Scalar* entries = weights.data();
  for (Index i = 0; i < (std::min)(weights.size(), drawn); ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto magnitude =
        static_cast<Scalar>(0.5) + static_cast<Scalar>(seed >> 40) * static_cast<Scalar>(0x1p-24);
    entries[i] = (seed >> 39) & 1 ? magnitude : -magnitude;
  }
  for (Index i = drawn; i < weights.size(); i += drawn) {
    std::copy_n(entries, (std::min)(drawn, weights.size() - i), entries + i);
  }
}

// Limits for consecutive calls. Each is a little below the one before, so that the vectors which
// the last call brought onto their limit violate the next one; the others are far below all of
// them. After thousands of calls the violators are scaled up again, which costs less than a
// thousandth of the time that is measured.
template <class W, class G>
class ShrinkingLimit {
  using Real = typename Eigen::NumTraits<typename W::Scalar>::Real;
  using Factors = Eigen::Array<Real, Eigen::Dynamic, 1>;

 public:
  ShrinkingLimit(W& weights, const G& grouping, Violators violators)
      : weights_(weights), grouping_(grouping), violators_(violators) {
    fill_randomly(weights);
    const Index vectors = rein::detail::make_view(weights, grouping).vectors;
    const double root_length =
        std::sqrt(static_cast<double>(weights.size()) / static_cast<double>(vectors));
    least_ = 2 * root_length;
    limit_ = least_;
    growth_ = Factors::Ones(vectors);
    if (violators == Violators::none) return;

    std::uint64_t choice = 1;
    for (Index v = 0; v < vectors; ++v) {
      choice = choice * 6364136223846793005u + 1442695040888963407u;
      const bool violates = violators == Violators::all || v == 0 || (choice >> 33) % 10 == 0;
      if (violates) growth_[v] = 4;
      expected_ += violates;
    }
    rein::rescale(weights, grouping, growth_);
    grow();
  }

  double next() {
    if (violators_ == Violators::none) return limit_;
    limit_ *= 1 - 0x1p-12;
    if (limit_ < least_) grow();
    return limit_;
  }

  double current() const { return limit_; }

  // How many vectors each call changes.
  Index expected() const { return expected_; }

 private:
  void grow() {
    rein::rescale(weights_, grouping_, growth_);
    limit_ *= 4;
  }

  W& weights_;
  const G grouping_;
  Violators violators_;
  double limit_, least_;
  Factors growth_;
  Index expected_ = 0;
};

}  // namespace bench
