#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <Eigen/Core>

#include <rein/detail/careful.hpp>
#include <rein/detail/entries.hpp>
#include <rein/detail/norm_pass.hpp>
#include <rein/detail/parallel.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/view.hpp>
#include <rein/momentum.hpp>

// What becomes of the momentum of the vectors that a constraint has changed.

namespace rein::detail {

// A state of the weights' shape, seen in the order of a view of the weights: entry i of part o of
// vector v is number (o * vectors + v) * inner + i of the weights in one storage order, which may
// be the state's or, `turned`, the other one.
template <class Entry>
struct StateView {
  using Scalar = Entry;

  Entry* data;
  Index outer, vectors, inner;
  bool turned;
  Index slow, fast;  // the sizes of the weights' axes, in the view's order

  Index place(Index o, Index v, Index i) const { return (o * vectors + v) * inner + i; }
  Entry& entry(Index o, Index v, Index i) const {
    const Index p = place(o, v, i);
    return data[turned ? p % fast * slow + p / fast : p];
  }
};

// Whether a view of W takes its entries row by row, or column by column.
template <class W, class View>
inline constexpr bool takes_rows = W::IsRowMajor;
template <class W, bool VectorsAreRows>
inline constexpr bool takes_rows<W, CoefficientView<W, VectorsAreRows>> = VectorsAreRows;

template <class W, class View, class State>
auto view_of_state(const View& view, State& state) {
  constexpr bool rows = takes_rows<W, View>;
  return StateView<typename State::Scalar>{state.data(),
                                           view.outer,
                                           view.vectors,
                                           view.inner,
                                           rows != bool(State::IsRowMajor),
                                           rows ? state.rows() : state.cols(),
                                           rows ? state.cols() : state.rows()};
}

// n entries that follow each other in part o of a view, from entry i of vector v on; there may be
// some of the next vectors among them.
struct Run {
  Index o, v, i, n;

  template <class View>
  bool in_one_vector(const View& view) const {
    return i + n <= view.inner;
  }
};

// The memory of a run, where it has no gaps; else null.
template <class Entry>
Entry* adjacent(const StridedView<Entry>& view, const Run& run) {
  const bool inside = view.inner == 1 || view.inner_stride == 1;
  const bool between = run.in_one_vector(view) || view.vector_stride == view.inner;
  return inside && between ? &view.entry(run.o, run.v, run.i) : nullptr;
}
template <class Entry>
Entry* adjacent(const StateView<Entry>& view, const Run& run) {
  return view.turned ? nullptr : &view.entry(run.o, run.v, run.i);
}
template <class W, bool VectorsAreRows>
typename W::Scalar* adjacent(const CoefficientView<W, VectorsAreRows>&, const Run&) {
  return nullptr;
}

// Calls visit(k, entry) for each entry of a run.
template <class View, class Visit>
void for_each_entry(const View& view, const Run& run, const Visit& visit) {
  if (auto* x = adjacent(view, run)) {
    for (Index k = 0; k < run.n; ++k) visit(k, x[k]);
  } else {
    Index v = run.v, i = run.i;
    for (Index k = 0; k < run.n; ++k) {
      visit(k, view.entry(run.o, v, i));
      if (++i == view.inner) ++v, i = 0;
    }
  }
}

// Numbers that are taken together, and that compilers make a packet of. Plain loops, in functions
// of their own: each optimizer has to compile them, and Eigen's expressions took a tenth of its
// time.
inline constexpr Index tangent_packet = 8;

// sums[k] += a[k] * b[k] for n numbers, a multiple of the packet; or, `in_turn`, to the sums of one
// packet.
EIGEN_DONT_INLINE inline void add_products(const double* a, const double* b, Index n, double* sums,
                                           bool in_turn) {
  for (Index k = 0; k < n; k += tangent_packet) {
    for (Index i = 0; i < tangent_packet; ++i) sums[i] += a[k + i] * b[k + i];
    if (!in_turn) sums += tangent_packet;
  }
}

EIGEN_DONT_INLINE inline double sum_of(const double* x, Index n) {
  double sum = 0;
  for (Index k = 0; k < n; ++k) sum += x[k];
  return sum;
}

// m[k] -= factors[k] * w[k] * scale, or by the factors of one packet in turn.
EIGEN_DONT_INLINE inline void subtract_products(const double* factors, const double* w,
                                                double scale, Index n, double* m, bool in_turn) {
  for (Index k = 0; k < n; k += tangent_packet) {
    for (Index i = 0; i < tangent_packet; ++i) m[k + i] -= factors[i] * w[k + i] * scale;
    if (!in_turn) factors += tangent_packet;
  }
}

// Treats the momentum of the marked vectors of a view, and takes their marks away.
//
// Vectors that lie along the memory, or in long enough runs, are taken one after another; of those
// that lie across it, neighbours are taken together. Sums are in double, which holds the squares of
// all smaller types; of doubles, a vector whose squares overflow or underflow is taken again with
// both factors brought close to 1 by powers of two.
template <class View>
class MarkedMomentum {
  using Scalar = typename View::Scalar;
  using Component = typename ScalarTraits<Scalar>::Component;
  static constexpr Index components = ScalarTraits<Scalar>::components;

 public:
  MarkedMomentum(const View& view, const StateView<Scalar>& momentum, unsigned char* marks,
                 Momentum what)
      : view_(view), momentum_(momentum), marks_(marks), what_(what) {
    const bool across = view.inner == 1 || (view.inner < 64 && view.outer > 1);
    together_ = across ? most / (std::max)(view.inner, Index(1)) : 1;
  }

  // All vectors, `changed` of which are marked.
  void all(Index changed) const {
    const Index bytes = changed * view_.length() * static_cast<Index>(sizeof(Scalar));
    in_parallel(view_.vectors, together_, bytes, [&](Index begin, Index end) { some(begin, end); });
  }

  // The vectors [begin, end). Those taken together do not depend on where the range begins, so that
  // the number of threads does not show in the result.
  void some(Index begin, Index end) const {
    for (Index first = begin; first < end; ++first) {
      if (!marks_[first]) continue;
      const Index most_end = (std::min)(first - first % together_ + together_, end);
      Index last = first;
      for (Index v = first + 1; v < most_end && v - last <= longest_gap; ++v) {
        if (marks_[v]) last = v;
      }
      const Index count = last + 1 - first;
      if (what_ == Momentum::reset) {
        reset(first, count);
      } else {
        make_tangent(first, count, {});
      }
      std::fill_n(marks_ + first, count, static_cast<unsigned char>(0));
      first = last;
    }
  }

 private:
  // Numbers to a buffer: five of them and the entries they came from stay in the first cache.
  static constexpr Index buffer_size = 512;
  static constexpr Index most = buffer_size / components;
  // Fewer vectors between two that are marked are passed over with them: their entries share cache
  // lines.
  static constexpr Index longest_gap = 16;

  // What weights and momentum are multiplied by before they are summed, and what brings the factor
  // of the weights back, in two parts that a double holds.
  struct Scaling {
    double weights = 1, momentum = 1, back[2] = {1, 1};
  };

  // Calls use(run) for runs that make up the vectors [first, first + count).
  template <class Use>
  void for_each_run(Index first, Index count, const Use& use) const {
    const Index entries = count * view_.inner;
    for (Index o = 0; o < view_.outer; ++o) {
      for (Index i = 0; i < entries; i += most) {
        use(Run{o, first, i, (std::min)(most, entries - i)});
      }
    }
  }

  // Calls visit(k, m) for the momentum of the entries of a run that belong to marked vectors.
  template <class Visit>
  void for_each_marked(const Run& run, const Visit& visit) const {
    const bool alone = run.in_one_vector(view_);
    const Index inner = view_.inner, end = alone ? run.v + 1 : run.v + run.n / inner;
    for (Index v = run.v; v < end; ++v) {
      if (!marks_[v]) continue;
      const Index begin = v;
      while (v + 1 < end && marks_[v + 1]) ++v;
      const Index skipped = (begin - run.v) * inner;
      const Run marked = alone ? run : Run{run.o, begin, 0, (v + 1 - begin) * inner};
      for_each_entry(momentum_, marked, [&](Index k, Scalar& m) { visit(skipped + k, m); });
    }
  }

  void reset(Index first, Index count) const {
    static constexpr double zeros[buffer_size] = {};
    for_each_run(first, count, [&](const Run& run) { store(zeros, run); });
  }

  // Each of the numbers that make up neighbouring vectors in one part has sums of its own, which
  // are added up in the end; the numbers of a vector taken alone go by turns to those of a packet.
  void make_tangent(Index first, Index count, const Scaling& scaling) const {
    const bool alone = together_ == 1;
    const Index lanes = alone ? tangent_packet : count * view_.inner * components;
    alignas(64) double products[buffer_size] = {}, squares[buffer_size] = {},
                       momentum_squares[buffer_size] = {}, w[buffer_size], m[buffer_size];
    for_each_run(first, count, [&](const Run& run) {
      const Index n = load(view_, run, scaling.weights, w);
      load(momentum_, run, scaling.momentum, m);
      add_products(m, w, n, products, alone);
      add_products(w, w, n, squares, alone);
      add_products(m, m, n, momentum_squares, alone);
    });

    double* factors = products;
    const Index lanes_each = lanes / count;
    for (Index v = 0; v < count; ++v) {
      if (!marks_[first + v]) continue;
      const auto sum = [&](const double* sums) {
        return sum_of(sums + v * lanes_each, lanes_each);
      };
      const double square = sum(squares);
      if (safe(square) && safe(sum(momentum_squares))) {
        std::fill_n(factors + v * lanes_each, lanes_each, sum(products) / square);
      } else {
        make_tangent_carefully(first + v);
        marks_[first + v] = 0;
        if (count == 1) return;
      }
    }

    for_each_run(first, count, [&](const Run& run) {
      const Index n = load(view_, run, scaling.back[0], w);
      load(momentum_, run, 1, m);
      subtract_products(factors, w, scaling.back[1], n, m, alone);
      store(m, run);
    });
  }

  // For a vector whose sums are not safe; scaled, they are. A momentum that is zero or holds a NaN
  // or an Inf stays, and so does that of a vector of zeros.
  EIGEN_DONT_INLINE void make_tangent_carefully(Index v) const {
    const CarefulNorm w = careful_norm(view_, v), m = careful_norm(momentum_, v);
    if (!m.finite || m.norm.mantissa == 0 || w.norm.mantissa == 0) return;
    const int back = m.norm.exponent - w.norm.exponent;
    make_tangent(v, 1,
                 {std::ldexp(1.0, -w.norm.exponent),
                  std::ldexp(1.0, -m.norm.exponent),
                  {std::ldexp(1.0, back / 2), std::ldexp(1.0, back - back / 2)}});
  }

  // Whether neither overflow nor underflow has touched a sum of squares. Where they have not
  // touched those of weights and momentum, they have not touched the products.
  static bool safe(double square_sum) {
    constexpr std::uint64_t least = std::bit_cast<std::uint64_t>(power_of_two(-900));
    constexpr std::uint64_t largest = std::bit_cast<std::uint64_t>(power_of_two(900));
    return bits_of(square_sum) - least <= largest - least;
  }

  // The numbers of a run, scaled, and zeros to the end of the last packet; returns how many.
  template <class V>
  EIGEN_DONT_INLINE static Index load(const V& view, const Run& run, double scale,
                                      double* numbers) {
    for_each_entry(view, run, [&](Index k, const Scalar& entry) {
      if constexpr (components == 1) {
        numbers[k] = static_cast<double>(entry) * scale;
      } else {
        numbers[2 * k] = static_cast<double>(entry.real()) * scale;
        numbers[2 * k + 1] = static_cast<double>(entry.imag()) * scale;
      }
    });
    Index n = run.n * components;
    for (; n % tangent_packet != 0; ++n) numbers[n] = 0;
    return n;
  }

  // The momentum of the entries of a run that belong to marked vectors, from its numbers.
  EIGEN_DONT_INLINE void store(const double* numbers, const Run& run) const {
    for_each_marked(run, [numbers](Index k, Scalar& m) {
      if constexpr (components == 1) {
        m = saturated<Scalar>(numbers[k]);
      } else {
        m = Scalar(saturated<Component>(numbers[2 * k]), saturated<Component>(numbers[2 * k + 1]));
      }
    });
  }

  const View& view_;
  const StateView<Scalar>& momentum_;
  unsigned char* marks_;
  Momentum what_;
  Index together_;
};

// An optimizer's option after_projection at work.
class AfterProjection {
 public:
  // To be called before each step, and at construction, so that no step allocates. `vectors` are as
  // many as may be marked.
  EIGEN_DONT_INLINE void prepare(Momentum what, Index vectors) {
    what_ = what;
    marks_.resize(what == Momentum::keep ? 0 : static_cast<std::size_t>(vectors));
  }

  // What a constraint's pass is to tell of its changes.
  MarkChanged mark() { return MarkChanged(what_ == Momentum::keep ? nullptr : marks_.data()); }

  // Treats the momentum of W's marked vectors; `changed` are.
  template <class W, class View, class State>
  void treat(const View& view, State& momentum, Index changed) {
    if (what_ == Momentum::keep || changed == 0) return;
    const auto state = view_of_state<W>(view, momentum);
    MarkedMomentum<View>(view, state, marks_.data(), what_).all(changed);
  }

  // The same where none but the listed vectors may be marked.
  template <class W, class View, class State, class Listed>
  void treat_listed(const View& view, State& momentum, const Listed& listed) {
    if (what_ == Momentum::keep) return;
    const auto state = view_of_state<W>(view, momentum);
    const MarkedMomentum<View> marked(view, state, marks_.data(), what_);
    for (Index k = 0; k < listed.size(); ++k) marked.some(listed[k], listed[k] + 1);
  }

 private:
  Momentum what_ = Momentum::keep;
  std::vector<unsigned char> marks_;  // one for each vector, none of them set between steps
};

}  // namespace rein::detail
