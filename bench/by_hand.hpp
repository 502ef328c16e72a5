#pragma once

#include <cmath>

#include <Eigen/Core>

// The max-norm constraint as one would write it in Eigen, several ways for each arrangement of the
// memory: none of them is the best at every size. They keep to plain sums, so a square that
// overflows loses the vector; they do not report what they did.
//
// M is column-major (a row-major matrix comes transposed). Scratch arrays are made once.

namespace bench::by_hand {

using Eigen::Index;

template <class M>
using Lanes = Eigen::Array<typename M::Scalar, M::RowsAtCompileTime, 1>;

// Vectors along the memory: the columns of M.
namespace along {

template <class M>
struct Loop {
  static constexpr const char* name = "loop";
  explicit Loop(const M&) {}

  void operator()(M& m, typename M::Scalar limit) {
    for (Index j = 0; j < m.cols(); ++j) {
      auto column = m.col(j);
      const auto square = column.squaredNorm();
      if (square > limit * limit) column *= limit / std::sqrt(square);
    }
  }
};

template <class M>
struct Statements {
  static constexpr const char* name = "statements";
  Eigen::Array<typename M::Scalar, 1, M::ColsAtCompileTime> factors;
  explicit Statements(const M& m) : factors(1, m.cols()) {}

  void operator()(M& m, typename M::Scalar limit) {
    using Scalar = typename M::Scalar;
    factors = m.colwise().squaredNorm().array();
    if ((factors > limit * limit).any()) {
      factors = (factors > limit * limit).select(limit / factors.sqrt(), Scalar(1));
      m.array().rowwise() *= factors;
    }
  }
};

}  // namespace along

// Vectors across the memory: the rows of M.
namespace across {

template <class M>
struct Loop {
  static constexpr const char* name = "loop";
  explicit Loop(const M&) {}

  void operator()(M& m, typename M::Scalar limit) {
    for (Index i = 0; i < m.rows(); ++i) {
      auto row = m.row(i);
      const auto square = row.squaredNorm();
      if (square > limit * limit) row *= limit / std::sqrt(square);
    }
  }
};

template <class M>
struct Statements {
  static constexpr const char* name = "statements";
  Lanes<M> factors;
  explicit Statements(const M& m) : factors(m.rows()) {}

  void operator()(M& m, typename M::Scalar limit) {
    using Scalar = typename M::Scalar;
    factors = m.rowwise().squaredNorm().array();
    if ((factors > limit * limit).any()) {
      factors = (factors > limit * limit).select(limit / factors.sqrt(), Scalar(1));
      m.array().colwise() *= factors;
    }
  }
};

// Whole columns at a time: the memory's own order. Fixed numbers of columns are multiples of Group.
template <class M, int Group>
struct Columns {
  static constexpr const char* name = Group == 1 ? "columns" : "columns4";
  Lanes<M> factors;
  explicit Columns(const M& m) : factors(m.rows()) {}

  void operator()(M& m, typename M::Scalar limit) {
    using Scalar = typename M::Scalar;
    factors.setZero();
    Index j = 0;
    if constexpr (Group == 4) {
      for (; j + 4 <= m.cols(); j += 4) {
        factors += m.col(j).array().square() + m.col(j + 1).array().square() +
                   m.col(j + 2).array().square() + m.col(j + 3).array().square();
      }
    }
    if constexpr (Group == 1 || M::ColsAtCompileTime == Eigen::Dynamic) {
      for (; j < m.cols(); ++j) factors += m.col(j).array().square();
    }
    if ((factors > limit * limit).any()) {
      factors = (factors > limit * limit).select(limit / factors.sqrt(), Scalar(1));
      for (Index k = 0; k < m.cols(); ++k) m.col(k).array() *= factors;
    }
  }
};

template <class M>
using EachColumn = Columns<M, 1>;
template <class M>
using FourColumns = Columns<M, 4>;

}  // namespace across

template <class M>
struct Whole {
  static constexpr const char* name = "norm";
  explicit Whole(const M&) {}

  void operator()(M& m, typename M::Scalar limit) {
    const auto square = m.squaredNorm();
    if (square > limit * limit) m *= limit / std::sqrt(square);
  }
};

// Vectors in short runs: filter f is the rows [9 f, 9 f + 9) of M (3 x 3 kernels of layout iohw).
namespace runs {

inline constexpr int length = 9;

template <class M>
struct Blocks {
  static constexpr const char* name = "blocks";
  explicit Blocks(const M&) {}

  void operator()(M& m, typename M::Scalar limit) {
    for (Index f = 0; f < m.rows() / length; ++f) {
      auto filter = m.template middleRows<length>(f * length);
      const auto square = filter.squaredNorm();
      if (square > limit * limit) filter *= limit / std::sqrt(square);
    }
  }
};

// In the memory's own order, one run of 9 at a time.
template <class M>
struct EachRun {
  static constexpr const char* name = "runs";
  Lanes<M> factors;
  explicit EachRun(const M& m) : factors(m.rows() / length) {}

  void operator()(M& m, typename M::Scalar limit) {
    using Scalar = typename M::Scalar;
    factors.setZero();
    for (Index j = 0; j < m.cols(); ++j) {
      for (Index f = 0; f < factors.size(); ++f) {
        factors[f] += m.col(j).template segment<length>(f * length).squaredNorm();
      }
    }
    if ((factors > limit * limit).any()) {
      factors = (factors > limit * limit).select(limit / factors.sqrt(), Scalar(1));
      for (Index j = 0; j < m.cols(); ++j) {
        for (Index f = 0; f < factors.size(); ++f) {
          m.col(j).template segment<length>(f * length) *= factors[f];
        }
      }
    }
  }
};

// Whole columns into one sum for each row, which are then added in nines.
template <class M>
struct WholeColumns {
  static constexpr const char* name = "columns";
  using Scalar = typename M::Scalar;
  using Nines = Eigen::Map<Eigen::Array<Scalar, length, Eigen::Dynamic>>;
  Lanes<M> lanes;
  Eigen::Array<Scalar, 1, Eigen::Dynamic> factors;
  explicit WholeColumns(const M& m) : lanes(m.rows()), factors(m.rows() / length) {}

  void operator()(M& m, Scalar limit) {
    lanes.setZero();
    Index j = 0;
    for (; j + 4 <= m.cols(); j += 4) {
      lanes += m.col(j).array().square() + m.col(j + 1).array().square() +
               m.col(j + 2).array().square() + m.col(j + 3).array().square();
    }
    for (; j < m.cols(); ++j) lanes += m.col(j).array().square();
    Nines nines(lanes.data(), length, factors.size());
    factors = nines.colwise().sum();
    if ((factors > limit * limit).any()) {
      factors = (factors > limit * limit).select(limit / factors.sqrt(), Scalar(1));
      nines.rowwise() = factors;
      for (Index k = 0; k < m.cols(); ++k) m.col(k).array() *= lanes;
    }
  }
};

}  // namespace runs

}  // namespace bench::by_hand
