#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

// What the constraints share that move each vector onto a set by itself, entry by entry, with sums
// in double. Sums are scaled by powers of two, so that none overflows.

namespace rein::detail {

// 2^-exponent and back, both normal numbers, for a number of this exponent to come close to 1.
struct Scaling {
  explicit Scaling(int exponent)
      : down(std::ldexp(1.0, -std::clamp(exponent, -1000, 1000))), up(1 / down) {}

  double down, up;
};

using Doubles = Packet<double>;

// 1 for each lane of at least 1e-300, 0 for each that is 0: without a comparison of packets, which
// Clang takes for NaN under -ffast-math.
inline Doubles one_if_positive(const Doubles& x) {
  using namespace Eigen::internal;
  return pmin(pmul(x, pset1<Doubles>(1e300)), pset1<Doubles>(1.0));
}

// A sum of packets that keeps its rounding errors: right to one rounding at any length.
class CompensatedSum {
 public:
  EIGEN_ALWAYS_INLINE void add(const Doubles& terms) { add_keeping_error(sum_, lost_, terms); }

  double total() const { return sum_keeping_errors(sum_, lost_); }
  double minus(double x) const {
    CompensatedSum difference = *this;
    difference.add(
        Eigen::internal::pmul(Eigen::internal::pset1<Doubles>(-x), last_lanes<double>(1)));
    return difference.total();
  }

 private:
  Doubles sum_ = Eigen::internal::pset1<Doubles>(0.0), lost_ = sum_;
};

// The stored numbers of neighbouring vectors of a view as adjacent doubles, which all passes over a
// vector read. Sums straight from the view, number by number, took 7 (along the memory) to 20 ns
// (across it) an entry to centre 1024 x 1024 floats. The numbers of a long vector are gathered
// again, in pieces, for each pass.
template <class View>
class GatheredNumbers {
  using Traits = ScalarTraits<typename View::Scalar>;
  using Component = typename Traits::Component;
  static constexpr int components = Traits::components;
  static constexpr Index lanes = packet_size<double>;
  static constexpr Index line = 8;            // doubles to a line of the cache
  static constexpr Index most_together = 16;  // vectors: floats that share a line
  // Doubles to hold at a time: 16 vectors of up to 1040 numbers, with a line before each, and up to
  // two behind it, which make whole lines, an odd number of them.
  static constexpr Index room = 16 * 1048;

 public:
  explicit GatheredNumbers(const View& view)
      : view_(view),
        piece_((std::min)(view.length(), room / components - 3 * line)),
        stride_((((piece_ + line - 1) / line + 1) | 1) * line) {}

  Index length() const { return view_.length(); }

  // What rounding the numbers of a vector to the scalar may change a sum of them by, each times its
  // weight, where the terms' magnitudes add to this and the weights' to that, and a bit more, all
  // scaled. Up to there a sum counts as right, so that a second call finds nothing to do. Half a
  // step for each weight is there for subnormal numbers.
  static double sum_slack(double magnitudes, double weights, const Scaling& scaling) {
    constexpr double step = power_of_two(Traits::denorm_exponent);
    return 2 * Traits::epsilon * magnitudes + weights * (step * scaling.down / 2);
  }

  // How many vectors are gathered at a time.
  Index together() const {
    return std::clamp(room / (stride_ * components), Index(1), most_together);
  }

  void gather(Index first, Index vectors) {
    first_ = first;
    changed_ = 0;
    if (is_whole()) gather_piece(first, vectors, 0, piece_);
  }

  // Has scatter() write vector v, which replace() has changed.
  void note_changed(Index v) { places_[changed_++] = v - first_; }
  void scatter() {
    if (is_whole() && changed_ != 0) scatter_piece(first_, places_, changed_, 0, piece_);
  }

  // The magnitude of the largest number of vector v; Inf or NaN if it holds one.
  double largest(Index v) {
    std::uint64_t bits = 0;  // the order of magnitudes is the order of their bits
    for (int c = 0; c < components; ++c) {
      for_each_piece(v, c, [&](const double* x, Index n, Index) {
        for (Index i = 0; i < n; ++i) bits = (std::max)(bits, bits_of(x[i]) & ~sign_bit);
      });
    }
    return std::bit_cast<double>(bits);
  }

  // Calls use(x, ones, i) for packets x that make up the numbers of component c of vector v, lane k
  // of which is number i + k where lane k of `ones` is 1. Where that is 0, as in lanes of the last
  // packet of a piece, it is some number of the vector that does not count here.
  template <class Use>
  EIGEN_ALWAYS_INLINE void for_each_packet(Index v, int c, const Use& use) {
    for_each_piece(v, c, [&](const double* x, Index n, Index begin) {
      for (Index i = 0; i < n; i += lanes) {
        const Index place = (std::min)(i, n - lanes);
        use(Eigen::internal::ploadu<Doubles>(x + place),
            last_lanes<double>((std::min)(n - i, lanes)), begin + place);
      }
    });
  }

  // Puts what wanted(x) gives in place of each number x of component c of vector v, one after the
  // other, rounded to the scalar; beyond the scalar's largest number, that number. Says whether a
  // number changed. Loops that a compiler vectorises one by one: as a single one, ZeroMean took 1.3
  // to 1.6 times as long for floats, L1Ball and Simplex 1.2 to 1.3 times.
  template <class Wanted>
  bool replace(Index v, int c, const Wanted& wanted) {
    constexpr double largest = largest_number<Component>;
    constexpr Index block = 256;
    double values[block];
    bool changed = false;
    for_each_piece(v, c, [&](double* x, Index n, Index begin) {
      std::uint64_t differs = 0;  // as wide as a double, to be vectorised
      for (Index from = 0; from < n; from += block) {
        double* const here = x + from;
        const Index m = (std::min)(block, n - from);
        for (Index i = 0; i < m; ++i) values[i] = wanted(here[i]);
        over_lanes<double>(m, [&]<class P>(Index i, P) {
          using namespace Eigen::internal;
          const P y = pmin(ploadu<P>(values + i), pset1<P>(largest));
          pstoreu(values + i, pmax(y, pset1<P>(-largest)));
        });
        for (Index i = 0; i < m; ++i) {
          const double value = static_cast<double>(static_cast<Component>(values[i]));
          differs |= static_cast<std::uint64_t>(value != here[i]);
          here[i] = value;
        }
      }
      changed |= differs != 0;
      constexpr Index place = 0;
      if (differs != 0 && !is_whole()) scatter_piece(v, &place, 1, begin, n);
    });
    return changed;
  }

 private:
  bool is_whole() const { return piece_ == length(); }

  // Those of the k-th gathered vector. Before them is a line for the first number to be repeated;
  // and an odd number of lines to each vector goes well with the sets of a cache.
  double* numbers(Index k, int c) { return numbers_ + (k * components + c) * stride_ + line; }

  template <class Visit>
  EIGEN_ALWAYS_INLINE void for_each_piece(Index v, int c, const Visit& visit) {
    for (Index begin = 0, n; begin < length(); begin += n) {
      n = (std::min)(piece_, length() - begin);
      if (!is_whole()) gather_piece(v, 1, begin, n);
      visit(numbers(is_whole() ? v - first_ : 0, c), n, begin);
    }
  }

  // The entries [begin, begin + n) of so many vectors.
  EIGEN_DONT_INLINE void gather_piece(Index first, Index vectors, Index begin, Index n) {
    for_each_entry(vectors, begin, n, [&](Index k, Index o, Index i, Index j) {
      const auto& entry = view_.entry(o, first + k, i);
      double* x = numbers(k, 0) + j;
      if constexpr (components == 2) {
        x[0] = static_cast<double>(entry.real());
        x[stride_] = static_cast<double>(entry.imag());
      } else {
        x[0] = static_cast<double>(entry);
      }
    });
    for (Index k = 0; k < vectors; ++k) {
      for (int c = 0; c < components; ++c) {
        double* x = numbers(k, c);
        std::fill(x - line, x, x[0]);
      }
    }
  }

  // The same back to memory, for the vectors first + places[k], held at these places.
  EIGEN_DONT_INLINE void scatter_piece(Index first, const Index* places, Index count, Index begin,
                                       Index n) {
    for_each_entry(count, begin, n, [&](Index k, Index o, Index i, Index j) {
      const double* x = numbers(places[k], 0) + j;
      auto& entry = view_.entry(o, first + places[k], i);
      if constexpr (components == 2) {
        entry = {static_cast<Component>(x[0]), static_cast<Component>(x[stride_])};
      } else {
        entry = static_cast<Component>(x[0]);
      }
    });
  }

  // Calls visit(k, o, i, j) for entry (o, i), the j-th of [begin, begin + n), of so many vectors k:
  // of neighbours together, in the order of a strided view's memory.
  template <class Visit>
  EIGEN_ALWAYS_INLINE void for_each_entry(Index vectors, Index begin, Index n, const Visit& visit) {
    if (view_.inner == 1) {
      for (Index j = 0; j < n; ++j) {
        for (Index k = 0; k < vectors; ++k) visit(k, begin + j, 0, j);
      }
      return;
    }
    Index o = begin / view_.inner, i = begin % view_.inner;
    for (Index done = 0, run; done < n; done += run, ++o, i = 0) {
      run = (std::min)(view_.inner - i, n - done);
      for (Index k = 0; k < vectors; ++k) {
        for (Index r = 0; r < run; ++r) visit(k, o, i + r, done + r);
      }
    }
  }

  const View& view_;
  Index piece_, stride_, first_ = 0;
  Index changed_ = 0, places_[most_together];  // of the gathered vectors that are changed
  alignas(64) double numbers_[room];
};

// Calls project(v, largest magnitude, numbers) for each vector that holds neither a NaN nor an Inf;
// it says whether it changed the vector. Several threads may call it, for one vector each.
template <class View, class Project>
Report project_vectors(const View& view, const Project& project) {
  const auto project_range = [&](Index begin, Index end) {
    Report report{.checked = end - begin};
    if (view.length() == 0) return report;
    GatheredNumbers numbers(view);
    for (Index first = begin, count; first < end; first += count) {
      count = (std::min)(numbers.together(), end - first);
      numbers.gather(first, count);
      for (Index v = first; v < first + count; ++v) {
        const double largest = numbers.largest(v);
        if (!is_finite(largest)) {
          ++report.nonfinite;
        } else if (project(v, largest, numbers)) {
          ++report.changed;
          numbers.note_changed(v);
        }
      }
      numbers.scatter();
    }
    return report;
  };
  // Short runs of neighbours share lines of the cache.
  const Index together = view.inner < 64 ? 64 : 1;
  return report_in_parallel(view.vectors, together, bytes_to_share(view), project_range);
}

}  // namespace rein::detail
