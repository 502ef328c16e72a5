#include <array>
#include <functional>
#include <numeric>
#include <set>
#include <span>

#include <rein/grouping.hpp>
#include <rein/max_norm.hpp>
#include <rein/norms.hpp>
#include <rein/unit_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

using Eigen::Index;

static_assert(rein::Grouping<rein::PerRow> && rein::Grouping<rein::PerCol>);
static_assert(rein::Grouping<rein::Whole> && rein::Grouping<rein::PerFilter>);
static_assert(!rein::Grouping<int> && !rein::Grouping<const char*>);

namespace {

const auto make = [](const auto& grouping, const oracle::Rule& rule) {
  return rein::MaxNorm{rule.high, grouping};
};

}  // namespace

TEST_CASE("grouping: every kind of W obeys the laws") {
  laws::Random random(2);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const oracle::Rule rule{.high = 1.5};
  for (const laws::Plan& plan : laws::plans_for({rule}, 60, random)) {
    INFO(laws::describe(plan));
    laws::for_each_view<float>(plan.rows, plan.cols, [&](const char* view, auto&& w) {
      laws::obey_plan(view, std::forward<decltype(w)>(w), plan, make, random);
    });
  }
}

TEST_CASE("grouping: rows, columns, and all of W") {
  Eigen::Matrix2f w;
  w << 3, 4, 0, 12;
  SECTION("per_row") {
    CHECK(rein::MaxNorm{1, rein::per_row}(w).largest_norm == 12);
    CHECK(w(0, 0) == 0.6f);
    CHECK(w(1, 1) == 1);
  }
  SECTION("per_col") {
    CHECK(rein::MaxNorm{1, rein::per_col}(w).changed == 2);
    CHECK(w(0, 0) == 1);
    CHECK(std::abs(w(1, 1) / w(0, 1) - 3) < 1e-6f);
  }
  SECTION("whole") {
    const rein::Report report = rein::MaxNorm{1.3, rein::whole}(w);
    CHECK(report.checked == 1);
    CHECK(report.largest_norm == 13);
    CHECK(std::abs(w(1, 1) - 1.2f) < 1e-6f);
  }
}

// Keras' axis argument lists the axes that are summed over, torch.renorm's dim the one that is
// kept, and both are got wrong (keras#474, pytorch#42529). Here every place of the kernel knows its
// filter, and each framework's layout finds the same ones.
TEST_CASE("grouping: a layout finds the same filters in each framework's kernel") {
  const auto check = [](rein::FilterLayout layout) {
    const std::string_view axes = layout.axes();
    INFO(axes);
    std::vector<Index> dims;
    for (const char axis : axes) {
      dims.push_back(axis == 'o' ? 4 : axis == 'i' ? 3 : axis == 'd' ? 2 : axis == 'h' ? 6 : 5);
    }
    const Index size = std::accumulate(dims.begin(), dims.end(), Index{1}, std::multiplies<>());

    // Filter o is 10^o in all entries.
    Eigen::VectorXf memory(size);
    for (Index place = 0; place < size; ++place) {
      Index rest = place, filter = 0;
      for (std::size_t axis = dims.size(); axis-- > 0; rest /= dims[axis]) {
        if (axes[axis] == 'o') filter = rest % dims[axis];
      }
      memory[place] = std::pow(10.0f, static_cast<float>(filter));
    }
    const Eigen::VectorXf before = memory;

    // Filters 0 and 1 are inside, 2 and 3 outside.
    const double norm_of_ones = std::sqrt(static_cast<double>(size / 4));
    const rein::MaxNorm max_norm{50 * norm_of_ones, rein::per_filter(layout, dims)};
    const rein::Report report = max_norm(memory);
    CHECK(report.checked == 4);
    CHECK(report.changed == 2);
    CHECK(std::abs(report.largest_norm - 1000 * norm_of_ones) < 1e-3 * norm_of_ones);
    for (Index place = 0; place < size; ++place) {
      CHECK(std::abs(memory[place] - std::min(before[place], 50.0f)) <= 1e-5f * memory[place]);
    }
  };
  SECTION("PyTorch: Conv1d, 2d, 3d, and transposed") {
    check("oiw");
    check("oihw");
    check("oidhw");
    check("iow");
    check("iohw");
    check("iodhw");
  }
  SECTION("Keras: Conv1D, 2D, 3D, and transposed") {
    check("wio");
    check("hwio");
    check("dhwio");
    check("woi");
    check("hwoi");
    check("dhwoi");
  }
  SECTION("MLX: Conv1d, 2d, 3d, also transposed") {
    check("owi");
    check("ohwi");
    check("odhwi");
  }
  SECTION("a dense kernel, and one number for each filter") {
    check("oi");
    check("io");
    check("o");
  }
}

// Filter o of a grouped convolution sees the in / groups channels of its own group, and these are
// all that its part of the weights holds.
TEST_CASE("grouping: a grouped convolution's filter is as long as one group") {
  constexpr int in = 6, out = 4, groups = 2, height = 3, width = 2;
  Eigen::VectorXd memory = Eigen::VectorXd::Ones(out * in / groups * height * width);
  const double norm = std::sqrt(in / groups * height * width);
  const auto check = [&](const rein::PerFilter& grouping) {
    const Eigen::ArrayXd norms = rein::norms(memory, grouping);
    CHECK(norms.size() == out);
    CHECK((norms - norm).abs().maxCoeff() < 1e-14);
  };
  check(rein::per_filter("oihw", {out, in / groups, height, width}));
  check(rein::per_filter("hwio", {height, width, in / groups, out}));
  check(rein::per_filter("ohwi", {out, height, width, in / groups}));

  // PyTorch's depthwise convolution has a group for each channel.
  const auto depthwise = rein::per_filter("oihw", {in, 1, height, width});
  CHECK(depthwise == rein::per_filter("ohw", {in, height, width}));

  // PyTorch's transposed weight is in x out / groups, so filters of different groups share a
  // column: each group's rows are a kernel of their own.
  constexpr int part = out / groups * in / groups * height * width;
  const auto one_group = rein::per_filter("iohw", {in / groups, out / groups, height, width});
  for (int group = 0; group < groups; ++group) {
    const rein::Report report = rein::UnitNorm{one_group}(memory.segment(group * part, part));
    CHECK(report.changed == out / groups);
    CHECK((rein::norms(memory.segment(group * part, part), one_group) - 1).abs().maxCoeff() <
          1e-14);
  }
}

TEST_CASE("grouping: each combination of adjacent os is a vector of its own") {
  SECTION("Keras' depthwise kernel of 3 x 3 places, 8 channels, 4 filters for each") {
    Eigen::MatrixXd kernel = Eigen::MatrixXd::Constant(32, 9, 2.0);
    const auto grouping = rein::per_filter("hwoo", {3, 3, 8, 4});
    CHECK(grouping == rein::per_filter("hwo", {3, 3, 32}));
    const rein::Report report = rein::MaxNorm{3.0, grouping}(kernel);
    CHECK(report.checked == 32);
    CHECK(report.changed == 32);
    CHECK(report.largest_norm == 6);
    CHECK((kernel.array() == 1).all());
  }
  // Filter (a, b, c) is the number 100 a + 10 b + c in all its entries; they come in this order.
  const auto check = [](rein::FilterLayout layout, const std::vector<Index>& dims) {
    const std::string_view axes = layout.axes();
    INFO(axes);
    const Index size = std::accumulate(dims.begin(), dims.end(), Index{1}, std::multiplies<>());
    Eigen::VectorXd memory(size);
    std::set<double> numbers;
    for (Index place = 0; place < size; ++place) {
      Index rest = place;
      double number = 0, weight = 1;
      for (std::size_t axis = dims.size(); axis-- > 0; rest /= dims[axis]) {
        if (axes[axis] != 'o') continue;
        number += weight * static_cast<double>(rest % dims[axis]);
        weight *= 10;
      }
      memory[place] = number;
      numbers.insert(number);
    }
    const Eigen::ArrayXd norms = rein::norms(memory, rein::per_filter(layout, dims));
    REQUIRE(norms.size() == std::ssize(numbers));
    const double length = static_cast<double>(size / std::ssize(numbers));
    Index filter = 0;
    for (const double number : numbers) {
      CHECK(std::abs(norms[filter++] - number * std::sqrt(length)) < 1e-10);
    }
  };
  SECTION("os at the end, at the beginning, in the middle, and nothing else") {
    check("hooo", {5, 2, 3, 4});
    check("woo", {5, 3, 4});
    check("dhwoo", {2, 2, 3, 3, 4});
    check("oohw", {3, 4, 2, 5});
    check("hooi", {5, 3, 4, 2});
    check("ooo", {2, 3, 4});
  }
}

TEST_CASE("grouping: dims known only at run time") {
  const std::vector<Index> dims{6, 4, 3, 3};
  const auto expected = rein::per_filter("oihw", {6, 4, 3, 3});
  CHECK(expected == rein::PerFilter{.outer = 1, .filters = 6, .inner = 36});
  CHECK(rein::per_filter("oihw", dims) == expected);
  CHECK_FALSE(rein::per_filter("oihw", dims) == rein::per_filter("iohw", dims));
  CHECK(rein::per_filter("oihw", std::array<Index, 4>{6, 4, 3, 3}) == expected);
  CHECK(rein::per_filter("oihw", std::span(dims)) == expected);
  CHECK(rein::per_filter("ohw", std::span(dims).subspan(1)) ==
        rein::PerFilter{.outer = 1, .filters = 4, .inner = 9});
  const Index array[] = {6, 36};
  CHECK(rein::per_filter("oi", array) == expected);
  int out = 6, in = 4;
  CHECK(rein::per_filter("oihw", {out, in, 3, 3}) == expected);
}

TEST_CASE("grouping: per_filter takes W in any storage order, by its memory") {
  std::vector<double> memory(24);
  std::iota(memory.begin(), memory.end(), 1.0);
  std::vector<double> same = memory;
  Eigen::Map<Eigen::Matrix<double, 4, 6, Eigen::RowMajor>> rows(memory.data());
  Eigen::Map<Eigen::Matrix<double, 6, 4>> cols(same.data());
  const rein::MaxNorm max_norm{2.0, rein::per_filter("ioh", {2, 3, 4})};
  CHECK(max_norm(rows) == max_norm(cols));
  CHECK(memory == same);
  CHECK(memory[0] < 1);
}

TEST_CASE("grouping: filters without entries are zero vectors") {
  Eigen::MatrixXd w(3, 0);
  const auto filters = rein::per_filter("oi", {3, 0});
  CHECK(rein::UnitNorm{filters}(w) == rein::Report{.checked = 3});
  CHECK((rein::norms(w, filters) == Eigen::Array3d::Zero()).all());
}

TEST_CASE("grouping: dims that do not fit the layout are refused") {
  const auto rank = refusal([] { rein::per_filter("oihw", std::vector<Index>{64, 32, 3}); });
  CHECK(names(rank, "rein::per_filter"));
  CHECK(names(rank, "dims is 3"));
  CHECK(names(rank, "must be 4"));
  CHECK(names(rank, "oihw"));
  CHECK(names(refusal([] { rein::per_filter("oi", {1, 2, 3}); }), "dims is 3"));
  CHECK(names(refusal([] { rein::per_filter("o", {}); }), "dims is 0"));

  const auto negative = refusal([] { rein::per_filter("oi", {4, -3}); });
  CHECK(names(negative, "-3"));
  CHECK(names(negative, ">= 0"));
  // Also where another dim is 0, or two negative ones make a positive product.
  CHECK(names(refusal([] { rein::per_filter("oi", {0, -3}); }), "-3"));
  CHECK(names(refusal([] { rein::per_filter("oi", {-4, -3}); }), "-4"));

  const Index huge = Index{1} << (sizeof(Index) * 4);
  CHECK(names(refusal([&] { rein::per_filter("oi", {huge, huge}); }), std::to_string(huge)));
}

TEST_CASE("grouping: per_filter refuses a W of another size, and writes nothing") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(8, 9, 5.0f);
  const Eigen::MatrixXf before = w;
  const rein::MaxNorm max_norm{1.0, rein::per_filter("oihw", {8, 3, 3, 2})};
  const auto product = refusal([&] { max_norm(w); });
  CHECK(names(product, "rein::per_filter"));
  CHECK(names(product, "144"));
  CHECK(names(product, "72"));
  CHECK(w == before);

  Eigen::MatrixXf empty(0, 9);
  CHECK(names(refusal([&] { max_norm(empty); }), "the number of weights, 0"));
  CHECK(names(refusal([&] { rein::MaxNorm{1.0, rein::per_filter("oi", {0, 9})}(w); }), "is 0"));
}

TEST_CASE("grouping: per_filter refuses a W that is not contiguous, and writes nothing") {
  Eigen::MatrixXf around = Eigen::MatrixXf::Constant(9, 6, 5.0f);
  const Eigen::MatrixXf before = around;
  const rein::MaxNorm max_norm{1.0, rein::per_filter("oi", {4, 6})};
  const auto block = refusal([&] { max_norm(around.topRows(4)); });
  CHECK(names(block, "rein::per_filter"));
  CHECK(names(block, "strides are 9 and 1"));
  CHECK(names(block, "contiguous"));
  CHECK(names(refusal([&] { max_norm(around.block(1, 0, 8, 3)); }), "contiguous"));
  using Strided = Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  CHECK(names(refusal([&] { max_norm(Strided(around.data(), 4, 6, {8, 2})); }), "8 and 2"));
  CHECK(names(refusal([&] {
                rein::MaxNorm{1.0, rein::per_filter("o", {6})}(around.row(2));
              }),
              "contiguous"));
  CHECK(around == before);

  // Whole columns are contiguous, and so is a single entry whatever its strides.
  CHECK(rein::MaxNorm{1.0, rein::per_filter("oi", {3, 9})}(around.rightCols(3)).changed == 3);
  CHECK(rein::MaxNorm{1.0, rein::per_filter("oi", {3, 3})}(around.col(0)).changed == 3);
  CHECK(rein::MaxNorm{1.0, rein::per_filter("o", {1})}(around.block(2, 2, 1, 1)).checked == 1);
}
