#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/extremes.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

// The scalar nearest to x; beyond its largest number, that number.
template <class Scalar>
Scalar saturated(double x) {
  const double largest = largest_number<Scalar>;
  return static_cast<Scalar>(std::clamp(x, -largest, largest));
}

struct EntryBounds {
  double low, high;
};

// Clamps finite entries to bounds that are rounded to the scalar. In loops that compilers turn into
// packets: one by one, 1024 x 1024 floats took 20 times as long where none is outside, 37 times
// where half of them are.
template <class Scalar>
class EntryClamp {
  static_assert(ScalarTraits<Scalar>::components == 1,
                "rein: complex weights have no order to clamp them by");
  using Word =
      std::conditional_t<sizeof(Scalar) == 2, std::int16_t,
                         std::conditional_t<sizeof(Scalar) == 4, std::int32_t, std::int64_t>>;

 public:
  explicit EntryClamp(const EntryBounds& bounds)
      : low_(saturated<Scalar>(bounds.low)),
        high_(saturated<Scalar>(bounds.high)),
        low_bits_(word_at(&low_)),
        high_bits_(word_at(&high_)),
        // A zero of either sign is within a bound of zero.
        low_rank_(low_ == Scalar(0) ? Word(-1) : rank(low_bits_)),
        high_rank_(high_ == Scalar(0) ? Word(0) : rank(high_bits_)) {}

  // Whether there is nothing to clamp, as far as these tell.
  bool satisfied(const Extremes<Scalar>& of) const {
    return of.finite() && of.least >= low_ && of.largest <= high_;
  }

  // Clamps n entries. Of up to 64 adjacent ones none is written to where none is outside.
  Report operator()(Scalar* x, Index stride, Index n) const {
    Report report{.checked = n};
    Index i = 0;
    if (stride == 1) {
      for (; i + group <= n; i += group) clamp_group(x + i, report);
      for (; i + part <= n; i += part) clamp_part(x + i, report);
    }
    for (; i < n; ++i) clamp_entry(x[i * stride], report);
    return report;
  }

  // Entries to a part, and to a group of these: numbers that the loops know.
  static constexpr Index part = 64, group = 16 * part;

 private:
  struct Count {
    Word changed = 0, nonfinite = 0;
  };

  static Word word_at(const Scalar* x) {
    Word word;
    std::memcpy(&word, x, sizeof(word));
    return word;
  }

  void clamp_group(Scalar* x, Report& report) const {
    if constexpr (is_native<Scalar>) {
      const Extremes<Scalar> of = extremes_in_chains<group>(x);
      if (satisfied(of)) return;
#if !defined(__FAST_MATH__)
      if (of.finite()) {
        for (Index i = 0; i < group; i += part) clamp_finite_part(x + i, report);
        return;
      }
#endif
    }
    for (Index i = 0; i < group; i += part) clamp_part(x + i, report);
  }

  // Not with -ffast-math, which may give a zero the other sign.
  void clamp_finite_part(Scalar* x, Report& report) const {
    const Scalar low = low_, high = high_;  // in registers
    Word changed = 0;
    for (Index i = 0; i < part; ++i) {
      changed = static_cast<Word>(changed + ((x[i] < low) | (x[i] > high)));
    }
    if (changed == 0) return;
    for (Index i = 0; i < part; ++i) {
      const Scalar raised = x[i] < low ? low : x[i];
      x[i] = raised > high ? high : raised;
    }
    report.changed += changed;
  }

  // Compares bits as integers: of any scalar alike, and under -ffast-math too.
  void clamp_part(Scalar* x, Report& report) const {
    Word words[part];
    std::memcpy(words, x, sizeof(words));
    Count count;
    for (Word& word : words) word = clamped(word, count);
    if (count.changed != 0) std::memcpy(static_cast<void*>(x), words, sizeof(words));
    add(count, report);
  }

  void clamp_entry(Scalar& x, Report& report) const {
    Count count;
    const Word word = clamped(word_at(&x), count);
    if (count.changed != 0) std::memcpy(static_cast<void*>(&x), &word, sizeof(word));
    add(count, report);
  }

  static void add(const Count& count, Report& report) {
    report.changed += count.changed;
    report.nonfinite += count.nonfinite;
  }

  // Integers in the order of the numbers, -0 before 0.
  static Word rank(Word word) {
    const Word sign = static_cast<Word>(word >> (8 * sizeof(Word) - 1));  // all bits
    return static_cast<Word>(word ^ (sign & all_but_sign));
  }

  // By masks, as g++ makes no packets of a choice between words.
  Word clamped(Word word, Count& count) const {
    const Word place = rank(word);
    const Word finite = (word & all_but_sign) < first_nonfinite();
    const Word below = Word(place < low_rank_), above = Word(place > high_rank_);
    const Word changes = static_cast<Word>((below | above) & finite);
    count.changed = static_cast<Word>(count.changed + changes);
    count.nonfinite = static_cast<Word>(count.nonfinite + 1 - finite);
    const auto bound = low_bits_ ^ ((low_bits_ ^ high_bits_) & -above);
    return static_cast<Word>(word ^ ((word ^ bound) & -changes));
  }

  static constexpr Word all_but_sign = (std::numeric_limits<Word>::max)();
  static Word first_nonfinite() {
    const Scalar largest = static_cast<Scalar>(largest_number<Scalar>);
    return static_cast<Word>(word_at(&largest) + 1);
  }

  Scalar low_, high_;
  Word low_bits_, high_bits_, low_rank_, high_rank_;
};

template <class W>
Report clamp_entries(W&& weights, const EntryBounds& bounds) {
  explain_weights<W>();
  if constexpr (Weights<W>) {
    using Scalar = typename Dense<W>::Scalar;
    const EntryClamp<Scalar> clamp(bounds);
    const auto view = make_view(weights, Whole{});
    if (view.length() == 0) return {};
    const auto clamp_run = [&](Index o, Index begin, Index end) {
      if constexpr (is_strided<decltype(view)>) {
        const Index stride = view.inner_stride;
        return clamp(view.at(o, 0) + begin * stride, stride, end - begin);
      } else {
        Report report;
        for (Index i = begin; i < end; ++i) report += clamp(&view.entry(o, 0, i), 1, 1);
        return report;
      }
    };
    if (view.outer == 1) {
      return report_in_parallel(view.inner, EntryClamp<Scalar>::group, bytes_to_share(view),
                                [&](Index begin, Index end) { return clamp_run(0, begin, end); });
    }
    return report_in_parallel(view.outer, 1, bytes_to_share(view), [&](Index begin, Index end) {
      Report report;
      for (Index o = begin; o < end; ++o) report += clamp_run(o, 0, view.inner);
      return report;
    });
  } else {
    return {};
  }
}

}  // namespace rein::detail
