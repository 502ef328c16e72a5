// A vector that satisfies its constraint is not written to, not even with the same bits. The
// weights lie on pages whose protection the tests change, between pages that may not be touched at
// all: reading beyond them ends the program too.

#include <rein/rein.hpp>

#include "catch.hpp"
#include "laws.hpp"
#include "oracle.hpp"

#if defined(__unix__) || defined(__APPLE__)

#include <unistd.h>

#include <sys/mman.h>

namespace {

using Eigen::Dynamic;
using Eigen::Index;

template <class Scalar, int Order>
using MapOf = Eigen::Map<Eigen::Matrix<Scalar, Dynamic, Dynamic, Order>, Eigen::Unaligned,
                         Eigen::OuterStride<>>;

class Pages {
 public:
  explicit Pages(Index count) : count_(count) {
    void* memory = mmap(nullptr, bytes(count + 2), PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    memory_ = static_cast<char*>(memory);
    allow_writing();
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { munmap(memory_, bytes(count_ + 2)); }

  static Index page_size() { return static_cast<Index>(sysconf(_SC_PAGESIZE)); }

  char* begin() const { return page(0); }
  char* end() const { return page(count_); }

  Index page_of(const void* address) const {
    return (static_cast<const char*>(address) - begin()) / page_size();
  }

  void allow_writing() const { protect(0, count_, PROT_READ | PROT_WRITE); }
  void forbid_writing() const { protect(0, count_, PROT_READ); }
  void forbid_writing(Index k) const { protect(k, 1, PROT_READ); }
  void forbid_reading(Index k) const { protect(k, 1, PROT_NONE); }

 private:
  static std::size_t bytes(Index pages) { return static_cast<std::size_t>(pages * page_size()); }

  // The first and the last page are never accessible.
  char* page(Index k) const { return memory_ + bytes(k + 1); }

  void protect(Index first, Index number, int access) const {
    REQUIRE(mprotect(page(first), bytes(number), access) == 0);
  }

  Index count_;
  char* memory_;
};

Index pages_for(Index bytes) { return bytes / Pages::page_size() + 1; }

// Every constraint, on weights that satisfy it, or hold a NaN, or are zero; at the very end of the
// memory and at its very beginning.
template <class Scalar, int Order, class Make>
void satisfied_weights_survive(const std::vector<oracle::Rule>& rules, int plans,
                               const Make& make) {
  laws::Random random(13);
  INFO("REIN_TEST_SEED=" << laws::seed());
  for (const oracle::Rule& rule : rules) {
    for (const laws::Plan& plan : laws::plans_for({rule}, plans, random)) {
      INFO(oracle::format_of<Scalar>().name << " " << laws::describe(plan));
      const Index size = plan.rows * plan.cols, bytes = size * Index{sizeof(Scalar)};
      const Pages pages(pages_for(bytes));
      auto* start =
          reinterpret_cast<Scalar*>(random.chance(0.5) ? pages.begin() : pages.end() - bytes);
      MapOf<Scalar, Order> w(
          start, plan.rows, plan.cols,
          Eigen::OuterStride<>(Order == Eigen::RowMajor ? plan.cols : plan.rows));
      laws::with_grouping(w, plan, [&](const auto& grouping) {
        oracle::Weights weights = oracle::copy_of(w);
        laws::fill(weights, oracle::vectors_of(weights, plan.grouping), rule, random);
        oracle::assign(w, weights);
        const auto constraint = make(grouping, rule);
        constraint(w);
        weights = oracle::copy_of(w);

        pages.forbid_writing();
        const rein::Report report = constraint(w);
        CHECK(report.checked == plan.grouping.vectors(weights));
        CHECK(report.changed == 0);
        CHECK(oracle::same_bits(oracle::copy_of(w), weights));
        pages.allow_writing();
      });
    }
  }
}

const auto max_norm = [](const auto& grouping, const oracle::Rule& rule) {
  return rein::MaxNorm{rule.high, grouping};
};
const auto unit_norm = [](const auto& grouping, const oracle::Rule&) {
  return rein::UnitNorm{grouping};
};
const auto min_max_norm = [](const auto& grouping, const oracle::Rule& rule) {
  return rein::MinMaxNorm{rule.low, rule.high, grouping, rule.rate};
};

// Some pages may not be written. Vectors that lie on writable pages alone violate the limit, some
// of them with entries whose squares overflow; the others, which also touch another page, do not.
template <class Scalar, int Order>
void mixed_pages(const laws::Plan& plan, Index outer_stride, Index gap, laws::Random& random) {
  INFO(oracle::format_of<Scalar>().name << " " << laws::describe(plan) << ", " << gap
                                        << " entries before the end");
  const Index outer_size = Order == Eigen::RowMajor ? plan.rows : plan.cols;
  const Index inner_size = Order == Eigen::RowMajor ? plan.cols : plan.rows;
  const Index bytes = ((outer_size - 1) * outer_stride + inner_size + gap) * Index{sizeof(Scalar)};
  const Pages pages(pages_for(bytes));
  MapOf<Scalar, Order> w(reinterpret_cast<Scalar*>(pages.end() - bytes), plan.rows, plan.cols,
                         Eigen::OuterStride<>(outer_stride));
  // Across the memory, a vector has an entry in each outer slice: protect the same part of each.
  const Index slice = outer_stride * Index{sizeof(Scalar)} / Pages::page_size();
  std::vector<bool> writable;
  for (Index k = 0; k < pages_for(bytes); ++k) {
    writable.push_back(slice > 1 ? k % slice % 2 == 1 : random.chance(0.5));
  }

  laws::with_grouping(w, plan, [&](const auto& grouping) {
    oracle::Weights weights = oracle::copy_of(w);
    const std::vector<oracle::Places> vectors = oracle::vectors_of(weights, plan.grouping);
    std::vector<bool> may_change(vectors.size(), true);
    for (Index i = 0; i < w.rows(); ++i) {
      for (Index j = 0; j < w.cols(); ++j) {
        const auto v = static_cast<std::size_t>(plan.grouping.vector_of(weights, i, j));
        const Index page = pages.page_of(&w(i, j));
        may_change[v] = may_change[v] && writable[static_cast<std::size_t>(page)];
      }
    }
    Index violating = 0;
    for (std::size_t v = 0; v < vectors.size(); ++v) {
      laws::fill_to_norm(weights, vectors[v], may_change[v] ? 2 : 0.5, random);
      violating += may_change[v];
      if (may_change[v] && random.chance(0.1)) {
        weights.numbers[vectors[v].front()] = weights.format.largest();
      } else if (!may_change[v] && random.chance(0.1)) {
        weights.numbers[vectors[v].back()] = std::numeric_limits<double>::quiet_NaN();
      }
    }
    oracle::assign(w, weights);
    weights = oracle::copy_of(w);

    for (std::size_t k = 0; k < writable.size(); ++k) {
      if (!writable[k]) pages.forbid_writing(static_cast<Index>(k));
    }
    const rein::Report report = rein::MaxNorm{1.0, grouping}(w);
    CHECK(report.changed == violating);
    CHECK(violating > 0);
    CHECK(violating < report.checked);
    const oracle::Weights after = oracle::copy_of(w);
    std::string wrong;
    for (std::size_t v = 0; v < vectors.size(); ++v) {
      const bool kept = oracle::same_bits(weights, after, vectors[v]);
      if (kept == may_change[v]) wrong = laws::name(v) + (kept ? "was kept" : "was changed");
    }
    CHECK(wrong == "");
    // Nor does rescale() write where the factor is 1.
    Eigen::ArrayXd factors = Eigen::ArrayXd::Ones(report.checked);
    for (Index v = 0; v < report.checked; ++v) {
      if (may_change[static_cast<std::size_t>(v)]) factors[v] = 0.5;
    }
    CHECK(rein::rescale(w, grouping, factors).changed == violating);
    pages.allow_writing();
  });
}

}  // namespace

#ifndef __FAST_MATH__  // where a second call may still change a bit
TEST_CASE("read_only: weights that satisfy MaxNorm are not written to") {
  satisfied_weights_survive<float, Eigen::ColMajor>({{.high = 1.5}, {.high = 1e-40}}, 30, max_norm);
  satisfied_weights_survive<double, Eigen::RowMajor>({{.high = 1.5}}, 30, max_norm);
  satisfied_weights_survive<Eigen::half, Eigen::ColMajor>({{.high = 1.5}}, 30, max_norm);
  satisfied_weights_survive<std::complex<float>, Eigen::RowMajor>({{.high = 1.5}}, 30, max_norm);
}

TEST_CASE("read_only: weights that satisfy UnitNorm are not written to") {
  satisfied_weights_survive<float, Eigen::RowMajor>({{.low = 1, .high = 1}}, 30, unit_norm);
  satisfied_weights_survive<Eigen::bfloat16, Eigen::ColMajor>({{.low = 1, .high = 1}}, 30,
                                                              unit_norm);
}

TEST_CASE("read_only: weights that satisfy MinMaxNorm are not written to") {
  satisfied_weights_survive<float, Eigen::RowMajor>({{0.5, 2}, {0.5, 2, 0}}, 30, min_max_norm);
  satisfied_weights_survive<double, Eigen::ColMajor>({{0.5, 2}, {0, 1e300}}, 30, min_max_norm);
}
#endif

TEST_CASE("read_only: entries within their bounds are not written to") {
  const Index size = Pages::page_size() / Index{sizeof(float)};
  const Pages pages(2);
  Eigen::Map<Eigen::MatrixXf> w(reinterpret_cast<float*>(pages.begin()), size / 8, 16);
  for (Index k = 0; k < w.size(); ++k) w.data()[k] = 0.01f * static_cast<float>(k % 90);
  w(3, 3) = std::numeric_limits<float>::quiet_NaN();
  w(4, 3) = -std::numeric_limits<float>::infinity();
  w.rightCols(8).array() -= 0.5f;  // the second page
  pages.forbid_writing(0);
  const rein::Report report = rein::Box{0, 1}(w);
  CHECK(report.changed > 0);
  CHECK(report.nonfinite == 2);
  pages.forbid_writing(1);
  CHECK(rein::Box{0, 1}(w).changed == 0);
  CHECK(rein::NonNegative{}(w).changed == 0);
}

TEST_CASE("read_only: only the vectors that violate are written to") {
  laws::Random random(14);
  INFO("REIN_TEST_SEED=" << laws::seed());
  using oracle::Grouping;
  const Index page = Pages::page_size() / Index{sizeof(float)};
  for (const Index gap : {0, 1, 3, 8, 13}) {
    // Along the memory, long and short.
    mixed_pages<float, Eigen::RowMajor>({{Grouping::rows}, 200, 130, {.high = 1}}, 130, gap,
                                        random);
    mixed_pages<float, Eigen::RowMajor>({{Grouping::rows}, 3000, 5, {.high = 1}}, 7, gap, random);
    mixed_pages<float, Eigen::RowMajor>({{Grouping::rows}, 40, 100, {.high = 1}}, page, gap,
                                        random);
    // Across it.
    for (const Index cols : {1, 3, 8, 21}) {
      mixed_pages<float, Eigen::ColMajor>({{Grouping::rows}, 4 * page, cols, {.high = 1}}, 4 * page,
                                          gap, random);
      mixed_pages<float, Eigen::ColMajor>({{Grouping::rows}, 3 * page + 5, cols, {.high = 1}},
                                          4 * page, gap, random);
    }
    mixed_pages<Eigen::half, Eigen::ColMajor>({{Grouping::rows}, 4 * page, 5, {.high = 1}},
                                              4 * page, gap, random);
    mixed_pages<std::complex<double>, Eigen::RowMajor>({{Grouping::cols}, 6, page, {.high = 1}},
                                                       page, gap, random);
    // Filters: along, across, and in runs that are short.
    const rein::FilterLayout* const layouts = laws::layouts;
    mixed_pages<float, Eigen::RowMajor>(
        {{Grouping::filters, "oihw", {50, 30, 3, 3}}, 50, 270, {.high = 1}, &layouts[0]}, 270, gap,
        random);
    mixed_pages<float, Eigen::ColMajor>(
        {{Grouping::filters, "hwio", {3, 3, 2, 4 * page}}, 4 * page, 18, {.high = 1}, &layouts[2]},
        4 * page, gap, random);
    mixed_pages<float, Eigen::ColMajor>(
        {{Grouping::filters, "iohw", {6, page, 2, 2}}, 4 * page, 6, {.high = 1}, &layouts[1]},
        4 * page, gap, random);
  }
}

TEST_CASE("read_only: nor does an earlier call show in what is written") {
  const Index page = Pages::page_size() / Index{sizeof(float)};
  const Pages pages(6);
  MapOf<float, Eigen::ColMajor> w(reinterpret_cast<float*>(pages.begin()), 2 * page, 3,
                                  Eigen::OuterStride<>(2 * page));
  // All rows but the last violate; then those on the first page of each column.
  for (const Index violating : {2 * page - 1, page}) {
    w.setConstant(0.5f);
    w.topRows(violating).setConstant(2);
    for (const Index k : {1, 3, 5}) {
      if (violating == page) pages.forbid_writing(k);
    }
    CHECK(rein::MaxNorm{1.0, rein::per_row}(w).changed == violating);
  }
  pages.allow_writing();
}

TEST_CASE("read_only: vectors that only() does not list are not even read") {
  const Index page = Pages::page_size() / Index{sizeof(float)};
  const auto check = [&](auto& w, const Pages& pages, const std::vector<Index>& listed,
                         std::initializer_list<Index> unreadable) {
    w.setOnes();
    for (const Index k : unreadable) pages.forbid_reading(k);
    const rein::Report report = rein::MaxNorm{0.5, rein::per_row}(w, rein::only(listed));
    CHECK(report.checked == std::ssize(listed));
    CHECK(report.changed == report.checked);
    pages.allow_writing();
    CHECK(rein::MaxNorm{0.5, rein::per_row}(w).changed == w.rows() - report.checked);
  };
  {
    // A row on each page.
    const Pages pages(5);
    MapOf<float, Eigen::RowMajor> w(reinterpret_cast<float*>(pages.begin()), 5, page,
                                    Eigen::OuterStride<>(page));
    check(w, pages, {3, 1}, {0, 2, 4});
  }
  {
    // Columns of two pages: rows below `page` lie on even pages.
    const Pages pages(6);
    MapOf<float, Eigen::ColMajor> w(reinterpret_cast<float*>(pages.begin()), 2 * page, 3,
                                    Eigen::OuterStride<>(2 * page));
    check(w, pages, {page, 2 * page - 1, page + 5}, {0, 2, 4});
    check(w, pages, {0, page - 1, 7, 8}, {1, 3, 5});
  }
}

TEST_CASE("read_only: the bias of a vector that is kept is not written to") {
  const Pages pages(1);
  Eigen::Map<Eigen::VectorXf> bias(reinterpret_cast<float*>(pages.begin()), 300);
  bias.setConstant(2);
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(300, 3, 0.5f);
  w(7, 1) = std::numeric_limits<float>::quiet_NaN();
  w.row(8).setZero();
  pages.forbid_writing();
  CHECK(rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(bias)).changed == 0);
  pages.allow_writing();
  w.row(9) *= 4;
  CHECK(rein::MaxNorm{1.0, rein::per_row}(w, rein::tied(bias)).changed == 1);
  CHECK(bias[8] == 2);
  CHECK(bias[9] < 1);
}

#else

TEST_CASE("read_only: not tried here, for it takes mprotect") { SUCCEED(); }

#endif
