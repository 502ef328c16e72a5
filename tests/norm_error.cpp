// The worst error of a norm, searched for: entries are changed, and a change that makes the error
// larger is kept. REIN_TEST_SEED in the environment begins another search.

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <Eigen/Core>

#include <rein/max_norm.hpp>
#include <rein/norms.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "oracle.hpp"

#ifndef __FAST_MATH__  // which adds up in another order, and drops what keeps the error

namespace {

using Eigen::Dynamic;
using Eigen::Index;

template <class Scalar>
using Entries = std::vector<Scalar>;

template <class Scalar>
long double exact_norm(const Scalar* entries, Index length, Index stride) {
  oracle::SquareSum sum;
  for (Index k = 0; k < length; ++k) sum.add(static_cast<long double>(entries[k * stride]));
  return sum.norm();
}

/// A way that vectors lie in memory, with as many copies of one as there are vectors.
template <class Scalar>
struct Layout {
  using W = Eigen::Matrix<Scalar, Dynamic, Dynamic>;

  const char* name;
  Index vectors;
  Index inner;  // entries to a run; 0: all

  Index run(Index length) const { return inner == 0 ? length : inner; }

  // Entry k of vector v is at data[place(v, k, length)].
  Index place(Index v, Index k, Index length) const {
    return (k / run(length) * vectors + v) * run(length) + k % run(length);
  }

  W filled(const Entries<Scalar>& entries) const {
    const Index length = std::ssize(entries);
    W w(vectors, length);
    for (Index k = 0; k < length; ++k) {
      for (Index v = 0; v < vectors; ++v) {
        w.data()[place(v, k, length)] = entries[static_cast<std::size_t>(k)];
      }
    }
    return w;
  }

  rein::PerFilter grouping(Index length) const {
    return rein::per_filter("hoi", {length / run(length), vectors, run(length)});
  }
};

/// The largest relative error of the vectors' norms, in eps.
template <class Scalar>
double norm_error(const Layout<Scalar>& layout, const Entries<Scalar>& entries) {
  const Index length = std::ssize(entries);
  const auto w = layout.filled(entries);
  const long double exact = exact_norm(entries.data(), length, 1);
  long double worst = 0;
  for (const Scalar norm : rein::norms(w, layout.grouping(length))) {
    worst = std::max(worst, std::abs(static_cast<long double>(norm) - exact));
  }
  return static_cast<double>(worst / exact) / oracle::format_of<Scalar>().epsilon();
}

/// By how much the norms of shortened vectors exceed the limit, in eps; a second call that changes
/// one counts as infinitely much.
template <class Scalar>
double excess_of_shortened(const Layout<Scalar>& layout, const Entries<Scalar>& entries) {
  const Index length = std::ssize(entries);
  auto w = layout.filled(entries);
  const double limit = 0.7 * static_cast<double>(exact_norm(entries.data(), length, 1));
  const rein::MaxNorm max_norm{limit, layout.grouping(length)};
  max_norm(w);
  const auto once = w;
  long double largest = 0;
  for (Index v = 0; v < layout.vectors; ++v) {
    Entries<Scalar> after;
    for (Index k = 0; k < length; ++k) after.push_back(w.data()[layout.place(v, k, length)]);
    largest = std::max(largest, exact_norm(after.data(), length, 1));
  }
  if (max_norm(w).changed != 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(largest / limit - 1) / oracle::format_of<Scalar>().epsilon();
}

// Changes the entries of one lane of a period, or one entry.
template <class Scalar>
void mutate(Entries<Scalar>& entries, laws::Random& random) {
  const Index length = std::ssize(entries);
  constexpr Index periods[] = {1, 2, 3, 4, 8, 16, 32, 64, 256};
  const Index period = random.chance(0.4) ? length : std::min(length, random.one_of(periods));
  const Index first = random.index(period);
  const Index kind = random.index(5);
  const double eps = oracle::format_of<Scalar>().epsilon();
  // Next to a power of two a square loses the most, and about sqrt(2) a sum does.
  const double edges[] = {1, std::sqrt(2.0), std::sqrt(0.5), std::sqrt(eps), 1.5};
  const double value = random.one_of(edges) * (1 + random.between(-4, 4) * eps);
  const double factor = kind == 1   ? 1 + std::floor(random.between(-8, 9)) * eps
                        : kind == 2 ? std::exp2(std::floor(random.between(-2, 3)))
                                    : random.between(0.5, 2);
  const Scalar other = entries[static_cast<std::size_t>(random.index(length))];
  for (Index k = first; k < length; k += period) {
    Scalar& entry = entries[static_cast<std::size_t>(k)];
    if (kind == 0) {
      entry = static_cast<Scalar>(value);
    } else if (kind == 4) {
      entry = other;
    } else {
      entry = static_cast<Scalar>(std::clamp(static_cast<double>(entry) * factor, 1e-9, 1e9));
    }
  }
}

/// The largest value of an objective that the search finds for one layout and length.
template <class Scalar>
double worst_of(const Layout<Scalar>& layout, Index length,
                double (*objective)(const Layout<Scalar>&, const Entries<Scalar>&),
                laws::Random& random) {
  double worst = 0;
  const int tries = int(std::clamp<Index>(60'000 / (length * layout.vectors), 20, 1500));
  for (int start = 0; start < 3; ++start) {
    Entries<Scalar> best(static_cast<std::size_t>(length));
    for (Scalar& entry : best) {
      entry = static_cast<Scalar>(start == 0   ? 1 + 3 * oracle::format_of<Scalar>().epsilon()
                                  : start == 1 ? random.between(0.5, 1)
                                               : std::exp2(random.between(-12, 0)));
    }
    double most = objective(layout, best);
    for (int k = oracle::tries(tries); k > 0; --k) {
      Entries<Scalar> next = best;
      for (Index changes = 1 + random.index(3); changes > 0; --changes) mutate(next, random);
      const double found = objective(layout, next);
      if (found < most) continue;
      most = found;
      best = std::move(next);
    }
    worst = std::max(worst, most);
  }
  return worst;
}

template <class Scalar>
void search(const char* what, double bound,
            double (*objective)(const Layout<Scalar>&, const Entries<Scalar>&)) {
  const oracle::Format format = oracle::format_of<Scalar>();
  if (!format.judged()) return;
  laws::Random random(23);
  INFO("REIN_TEST_SEED=" << laws::seed());
  double worst = 0;
  for (const Layout<Scalar>& layout :
       {Layout<Scalar>{"along the memory", 1, 0}, Layout<Scalar>{"across the memory", 11, 1},
        Layout<Scalar>{"in short runs", 3, 5}}) {
    for (const Index about :
         {3,   4,   5,   8,   15,  16,  17,  31,  32,  33,   63,   65,   96,
          127, 128, 129, 200, 255, 257, 511, 513, 700, 1023, 1025, 2049, 4096}) {
      const Index length = (about + layout.run(1) - 1) / layout.run(1) * layout.run(1);
      const double found = worst_of(layout, length, objective, random);
      INFO(format.name << " " << layout.name << ", length " << length);
      CHECK(found <= bound);
      worst = std::max(worst, found);
    }
  }
  WARN(format.name << ": " << what << " " << worst << " eps at most; promised " << bound);
}

}  // namespace

TEST_CASE("norm_error: no norm is off by more than 2 eps: float") {
  search<float>("norms are off by", 2, norm_error);
}
TEST_CASE("norm_error: no norm is off by more than 2 eps: double") {
  search<double>("norms are off by", 2, norm_error);
}
TEST_CASE("norm_error: no shortened vector exceeds its limit by more than 8 eps: float") {
  search<float>("shortened vectors exceed the limit by", 8, excess_of_shortened);
}
TEST_CASE("norm_error: no shortened vector exceeds its limit by more than 8 eps: double") {
  search<double>("shortened vectors exceed the limit by", 8, excess_of_shortened);
}

#else

TEST_CASE("norm_error: not searched with -ffast-math") { SUCCEED(); }

#endif
