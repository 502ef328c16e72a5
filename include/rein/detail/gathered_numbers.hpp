#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include <Eigen/Core>

#include <rein/detail/packet_sum.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/square_sum.hpp>
#include <rein/detail/view.hpp>

namespace rein::detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of packets as template arguments
#endif

// Numbers are transposed in squares of this packet's size. With Eigen's transposition of eight
// doubles, which is not inlined, to see that the rows of 1024 x 1024 floats have mean zero took
// 1.14 times as long.
using RowOfSquare =
    std::conditional_t<(packet_size<double> > 4), Narrower<double, Doubles>, Doubles>;
inline constexpr Index square_size = Eigen::internal::unpacket_traits<RowOfSquare>::size;

EIGEN_ALWAYS_INLINE void transpose_square(const double* from, Index from_stride, double* to,
                                          Index to_stride) {
  using namespace Eigen::internal;
  PacketBlock<RowOfSquare, square_size> square;
  for (Index r = 0; r < square_size; ++r) {
    square.packet[r] = ploadu<RowOfSquare>(from + r * from_stride);
  }
  ptranspose(square);
  for (Index r = 0; r < square_size; ++r) pstoreu(to + r * to_stride, square.packet[r]);
}

// The stored numbers of neighbouring vectors of a view as adjacent doubles, which all passes over a
// vector read: to centre 1024 x 1024 floats by sums straight from the view, number by number, took
// 3 (along the memory) to 5 times (across it) as long. The numbers of a long vector are gathered
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

  // Sums of scalars of up to 24 bits may be rounded a few times: they are right to less than 1e-6
  // of the scalar's epsilon.
  static constexpr Rounding needed_rounding =
      Traits::epsilon > 1e-9 ? Rounding::a_few_times : Rounding::once;

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

  // How many vectors are gathered at a time: of those that share lines of the cache as many as
  // there is room for, of others what stays in the first one.
  Index together() const {
    constexpr Index doubles = first_cache / 2 / static_cast<Index>(sizeof(double));
    const Index wanted = view_.inner < short_run ? room : doubles;
    return std::clamp(wanted / (stride_ * components), Index(1), most_together);
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

  // The sum of the magnitudes of vector v, rounded a few times, or the largest double where that is
  // less; Inf or NaN if the vector holds one.
  double magnitude(Index v) {
    double sum = 0;
    for (int c = 0; c < components; ++c) {
      sum += sum_of<Rounding::a_few_times>(v, c, [](const Doubles& x, Index) {
               return Eigen::internal::pabs(x);
             }).total();
    }
    if constexpr (std::is_same_v<Component, double>) {
      if (!is_finite(sum)) return largest_or_nonfinite(v);
    }
    return sum;
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

  // The sums of the terms that terms(x, i) gives for packets x of component c of vector v, lane k
  // of which is number i + k.
  template <int Count, Rounding Rounded, class Give>
  PacketSums<Rounded, Count> sums_of(Index v, int c, const Give& terms) {
    PacketSums<Rounded, Count> sums;
    for_each_piece(v, c, [&](const double* x, Index n, Index begin) {
      sums.add(n,
               [&](Index i) { return terms(Eigen::internal::ploadu<Doubles>(x + i), begin + i); });
    });
    return sums;
  }

  // One sum, of the packets term(x, i).
  template <Rounding Rounded = needed_rounding, class Give>
  PacketSum<Rounded> sum_of(Index v, int c, const Give& term) {
    return sums_of<1, Rounded>(
        v, c, [&](const Doubles& x, Index i) { return Terms<1>{{term(x, i)}}; })[0];
  }

  // The sum of term(x, i) less y, as right as the scalar needs it: from `sum`, which is rounded a
  // few times, or of doubles from another look.
  template <class Give>
  double difference(const PacketSum<Rounding::a_few_times>& sum, double y, Index v, int c,
                    const Give& term) {
    if constexpr (needed_rounding == Rounding::a_few_times) {
      return sum.minus(y);
    } else {
      return sum_of(v, c, term).minus(y);
    }
  }

  // Puts what wanted(x, i) gives in place of packets x of numbers from i on of component c of
  // vector v, rounded to the scalar; beyond the scalar's largest number, that number. Says whether
  // a number changed.
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
        over_lanes<double>(m, [&]<class P>(Index i, P) {
          using namespace Eigen::internal;
          const P y = pmin(wanted(ploadu<P>(here + i), begin + from + i), pset1<P>(largest));
          pstoreu(values + i, pmax(y, pset1<P>(-largest)));
        });
        for (Index i = 0; i < m; ++i) {
          const double value = static_cast<double>(static_cast<Component>(values[i]));
          differs |= std::bit_cast<std::uint64_t>(value) ^ std::bit_cast<std::uint64_t>(here[i]);
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
  EIGEN_DONT_INLINE double largest_or_nonfinite(Index v) {
    std::uint64_t bits = 0;  // the order of magnitudes is the order of their bits
    for (int c = 0; c < components; ++c) {
      for_each_piece(v, c, [&](const double* x, Index n, Index) {
        for (Index i = 0; i < n; ++i) bits = (std::max)(bits, bits_of(x[i]) & ~sign_bit);
      });
    }
    return bits < infinity_bits ? largest_number<double> : std::bit_cast<double>(bits);
  }

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
    const auto gather_tile = [&](Index j, const auto& row, double* tile) {
      for (Index r = 0; r < square_size; ++r) {
        const auto* entries = row(r);
        for_each_in_squares(vectors, [&](Index k) {
          tile[r * most_together + k] = static_cast<double>(entries[k]);
        });
      }
      for (Index k = 0; k < vectors; k += square_size) {
        transpose_square(tile + k, most_together, numbers(k, 0) + j, stride_);
      }
    };
    const auto gather_entry = [&](Index k, const auto& entry, Index j) {
      double* x = numbers(k, 0) + j;
      if constexpr (components == 2) {
        x[0] = static_cast<double>(entry.real());
        x[stride_] = static_cast<double>(entry.imag());
      } else {
        x[0] = static_cast<double>(entry);
      }
    };
    const Index tiled = for_each_tile(first, vectors, begin, n, gather_tile);
    const auto vector = [&](Index k) { return first + k; };
    for_each_entry(vectors, vector, begin, tiled, n, gather_entry);
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
    const auto scatter_tile = [&](Index j, const auto& row, double* tile) {
      for (Index k = 0; k < count; k += square_size) {
        transpose_square(numbers(places[k], 0) + j, stride_, tile + k, most_together);
      }
      for (Index r = 0; r < square_size; ++r) {
        auto* entries = row(r);
        for_each_in_squares(count, [&](Index k) {
          entries[k] = static_cast<Component>(tile[r * most_together + k]);
        });
      }
    };
    const auto scatter_entry = [&](Index k, auto& entry, Index j) {
      const double* x = numbers(places[k], 0) + j;
      if constexpr (components == 2) {
        entry = {static_cast<Component>(x[0]), static_cast<Component>(x[stride_])};
      } else {
        entry = static_cast<Component>(x[0]);
      }
    };
    const auto vector = [&](Index k) { return first + places[k]; };
    const bool neighbours = places[count - 1] - places[0] == count - 1;
    const Index tiled = neighbours ? for_each_tile(vector(0), count, begin, n, scatter_tile) : 0;
    for_each_entry(count, vector, begin, tiled, n, scatter_entry);
  }

  // Calls use(j, row, tile) for the entries from begin + j on, of the vectors from `first` on, that
  // fill squares across the memory, where row(r) points to entries begin + j + r; returns how many
  // of n entries these were.
  template <class Use>
  EIGEN_ALWAYS_INLINE Index for_each_tile(Index first, Index vectors, Index begin, Index n,
                                          const Use& use) {
    Index j = 0;
    if constexpr (is_strided<View> && components == 1) {
      if (view_.inner == 1 && view_.vector_stride == 1 && vectors % square_size == 0) {
        alignas(64) double tile[square_size * most_together];
        const auto row = [&](Index r) { return view_.at(begin + j + r, first); };
        for (; n - j >= square_size; j += square_size) use(j, row, tile);
      }
    }
    return j;
  }

  // use(k) for each of so many vectors, in loops of a constant length, which compilers vectorise.
  template <class Use>
  EIGEN_ALWAYS_INLINE static void for_each_in_squares(Index vectors, const Use& use) {
    for (Index square = 0; square < vectors; square += square_size) {
      for (Index k = square; k < square + square_size; ++k) use(k);
    }
  }

  // Calls visit(k, entry, j) for the entries begin + j, with j in [done, n), of the vectors
  // vector(k): of neighbours together, in the order of a strided view's memory.
  template <class VectorOf, class Visit>
  EIGEN_ALWAYS_INLINE void for_each_entry(Index vectors, const VectorOf& vector, Index begin,
                                          Index done, Index n, const Visit& visit) {
    if (view_.inner == 1) {
      for (Index j = done; j < n; ++j) {
        for (Index k = 0; k < vectors; ++k) visit(k, view_.entry(begin + j, vector(k), 0), j);
      }
      return;
    }
    Index o = (begin + done) / view_.inner, i = (begin + done) % view_.inner;
    for (Index j = done, run; j < n; j += run, ++o, i = 0) {
      run = (std::min)(view_.inner - i, n - j);
      for (Index k = 0; k < vectors; ++k) {
        const auto visit_one = [&](auto& entry, Index r) { visit(k, entry, j + r); };
        for_each_in_run(o, vector(k), i, run, visit_one);
      }
    }
  }

  // visit(entry, r) for the entries (o, i + r) of vector v; adjacent ones in a loop that compilers
  // vectorise.
  template <class Visit>
  EIGEN_ALWAYS_INLINE void for_each_in_run(Index o, Index v, Index i, Index run,
                                           const Visit& visit) {
    if constexpr (is_strided<View>) {
      if (view_.inner_stride == 1) {
        auto* entries = view_.at(o, v) + i;
        for (Index r = 0; r < run; ++r) visit(entries[r], r);
        return;
      }
    }
    for (Index r = 0; r < run; ++r) visit(view_.entry(o, v, i + r), r);
  }

  const View& view_;
  Index piece_, stride_, first_ = 0;
  Index changed_ = 0, places_[most_together];  // of the gathered vectors that are changed
  alignas(64) double numbers_[room];
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace rein::detail
