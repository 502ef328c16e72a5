// MaxNorm beside the passes over the same memory that limit it and beside hand-written Eigen.
//
//     read/<scalar>/<shape>/<order>                                   W.squaredNorm()
//     scale/<scalar>/<shape>/<order>                                  W *= s
//     project/<scalar>/<shape>/<grouping>/<order>/<violators>         rein::MaxNorm
//     hand/<scalar>/<shape>/<grouping>/<order>/<violators>/<variant>  by_hand.hpp
//
// A shape is rows x cols, marked `fixed` where the matrix' type has it, or the dims of a kernel in
// the order of its layout. All benchmarks of one scalar, shape and order use the same memory.
// bench/ratios.py runs and pairs them.

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include <rein/grouping.hpp>
#include <rein/norms.hpp>

#include "by_hand.hpp"
#include "projection.hpp"
#include "violation.hpp"

namespace {

using bench::scalar_name, bench::Violators;
using Eigen::Index;

// The one matrix of a type and shape.
template <class W>
W& weights_of_shape(Index rows, Index cols) {
  static std::map<std::pair<Index, Index>, std::unique_ptr<W>> matrices;
  auto& matrix = matrices[{rows, cols}];
  if (!matrix) matrix = std::make_unique<W>(W::Zero(rows, cols));
  return *matrix;
}

template <template <class> class Hand, class W, class G>
void by_hand(benchmark::State& state, W& weights, const G& grouping, Violators violators) {
  using Scalar = typename W::Scalar;
  bench::ShrinkingLimit limits(weights, grouping, violators);
  const auto run = [&](auto& m) {
    Hand<std::remove_reference_t<decltype(m)>> hand(m);
    hand(m, static_cast<Scalar>(limits.next()));
    for (auto _ : state) {
      hand(m, static_cast<Scalar>(limits.next()));
      benchmark::ClobberMemory();
    }
  };
  // A W itself wherever there is one: its alignment is known.
  if constexpr (!W::IsRowMajor) {
    run(weights);
  } else {
    auto transposed = weights.transpose();
    run(transposed);
  }
  const double largest = rein::norms(weights, grouping).maxCoeff();
  // Generous: a plain float sum of 8192 x 8192 squares misses by more than 0.1%.
  if (violators != Violators::none && std::abs(largest / limits.current() - 1) > 0.1) {
    state.SkipWithError("the limit is not kept");
  }
  bench::count_bytes(state, weights);
}

// Registers the benchmarks of one type and shape.
template <class W>
class Shape {
 public:
  Shape(Index rows, Index cols, std::string label)
      : rows_(rows),
        cols_(cols),
        label_(std::string(scalar_name<typename W::Scalar>) + "/" + std::move(label)) {}

  Shape(Index rows, Index cols)
      : Shape(rows, cols,
              (W::SizeAtCompileTime == Eigen::Dynamic ? "" : "fixed") + std::to_string(rows) + "x" +
                  std::to_string(cols)) {}

  const Shape& limits() const {
    add("read/" + label_ + order, [](auto& state, W& weights) { bench::read(state, weights); });
    add("scale/" + label_ + order, [](auto& state, W& weights) { bench::scale(state, weights); });
    return *this;
  }

  template <template <class> class... Hand, class G>
  const Shape& grouping(const char* name, const G& grouping) const {
    for (const Violators violators : {Violators::none, Violators::a_tenth, Violators::all}) {
      if (violators == Violators::a_tenth && std::is_same_v<G, rein::Whole>) continue;
      add("project/" + key(name, violators),
          [=](auto& state, W& weights) { bench::project(state, weights, grouping, violators); });
    }
    (add_hand<Hand>(name, grouping), ...);
    return *this;
  }

  template <template <class> class Hand, class G>
  const Shape& add_hand(const char* name, const G& grouping) const {
    for (const Violators violators : {Violators::none, Violators::a_tenth, Violators::all}) {
      if (violators == Violators::a_tenth && std::is_same_v<G, rein::Whole>) continue;
      add("hand/" + key(name, violators) + "/" + Hand<W>::name,
          [=](auto& state, W& weights) { by_hand<Hand>(state, weights, grouping, violators); });
    }
    return *this;
  }

 private:
  static constexpr const char* order = W::IsRowMajor ? "/rowmajor" : "/colmajor";

  std::string key(const char* grouping, Violators violators) const {
    return label_ + "/" + grouping + order + "/" + bench::name_of(violators);
  }

  template <class Run>
  void add(const std::string& name, Run run) const {
    const Index rows = rows_, cols = cols_;
    const auto bytes = static_cast<double>(rows * cols) * sizeof(typename W::Scalar);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
      run(state, weights_of_shape<W>(rows, cols));
    })->Iterations(bench::iterations_in(10, bytes));
  }

  Index rows_, cols_;
  std::string label_;
};

template <class Scalar>
using ColMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// The loop over strided vectors takes half a second at 4096 x 4096, and is never the best there.
template <class W>
void add_groupings(const Shape<W>& shape, bool small) {
  namespace hand = bench::by_hand;
  const auto along = [&](const char* name, const auto& grouping) {
    shape.template grouping<hand::along::Loop, hand::along::Statements>(name, grouping);
  };
  const auto across = [&](const char* name, const auto& grouping) {
    shape.template grouping<hand::across::EachColumn, hand::across::FourColumns,
                            hand::across::Statements>(name, grouping);
    if (small) shape.template add_hand<hand::across::Loop>(name, grouping);
  };
  if constexpr (W::IsRowMajor) {
    along("per_row", rein::per_row);
    across("per_col", rein::per_col);
  } else {
    along("per_col", rein::per_col);
    across("per_row", rein::per_row);
  }
}

template <class Scalar, int Size>
void add_fixed() {
  using W = Eigen::Matrix<Scalar, Size, Size>;
  const Shape<W> shape(Size, Size);
  shape.limits().template grouping<bench::by_hand::Whole>("whole", rein::whole);
  add_groupings(shape, true);
}

template <class Scalar>
void add_square(Index size) {
  const Shape<ColMajor<Scalar>> shape(size, size);
  shape.limits().template grouping<bench::by_hand::Whole>("whole", rein::whole);
  add_groupings(shape, size <= 256);
}

// Kernels of 3 x 3, as many channels in as out. The matrix has the memory of the layout.
template <class Scalar>
void add_kernels(Index channels) {
  namespace hand = bench::by_hand;
  const Index c = channels;
  const std::string n = std::to_string(channels);
  using W = ColMajor<Scalar>;
  Shape<W>(9 * c, c, n + "x" + n + "x3x3")
      .limits()
      .template grouping<hand::along::Loop, hand::along::Statements>(
          "per_filter_oihw", rein::per_filter("oihw", {c, c, 3, 3}))
      .template grouping<hand::runs::WholeColumns, hand::runs::EachRun, hand::runs::Blocks>(
          "per_filter_iohw", rein::per_filter("iohw", {c, c, 3, 3}));
  Shape<W>(c, 9 * c, "3x3x" + n + "x" + n)
      .limits()
      .template grouping<hand::across::EachColumn, hand::across::FourColumns,
                         hand::across::Statements>("per_filter_hwio",
                                                   rein::per_filter("hwio", {3, 3, c, c}));
}

template <class Scalar>
void add_all() {
  add_fixed<Scalar, 4>();
  add_fixed<Scalar, 8>();
  add_fixed<Scalar, 16>();
  const Index large = bench::size_beyond_caches(sizeof(Scalar));
  for (const Index size : {4, 8, 16, 32, 64, 128, 256, 512, 1024}) add_square<Scalar>(size);
  add_square<Scalar>(large);
  for (const Index size : {Index(16), Index(256), large}) {
    const Shape<RowMajor<Scalar>> shape(size, size);
    shape.limits();
    add_groupings(shape, size <= 256);
  }
  // No multiple of a SIMD vector's length, and not square.
  for (const auto& [rows, cols] : {std::pair<Index, Index>{7, 5}, {33, 100}, {100, 784}}) {
    const Shape<ColMajor<Scalar>> shape(rows, cols);
    shape.limits();
    add_groupings(shape, true);
  }
  for (const Index channels : {16, 128, 1536}) add_kernels<Scalar>(channels);
  // Long and flat: few long vectors, many short ones.
  for (const auto& [rows, cols] :
       {std::pair<Index, Index>{8, 1 << 21}, {128, 1 << 17}, {1 << 21, 8}}) {
    const Shape<ColMajor<Scalar>> shape(rows, cols);
    shape.limits();
    add_groupings(shape, false);
  }
}

[[maybe_unused]] const bool added = [] {
  add_all<float>();
  add_all<double>();
  add_square<float>(2048);  // for docs/plots/bandwidth.gp
  if (bench::size_beyond_caches(sizeof(float)) > 4096) add_square<float>(4096);
  return true;
}();

}  // namespace
