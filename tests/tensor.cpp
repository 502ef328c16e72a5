#include <array>
#include <utility>

#include <rein/rein.hpp>

#if defined(EIGEN_CXX11_TENSOR_TENSOR_H) || defined(EIGEN_TENSOR_TENSOR_H)
#error "rein.hpp includes the Tensor module, which takes long to compile"
#endif

#include <rein/tensor.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::ColMajor, Eigen::Index, Eigen::RowMajor;

// The oracle's view of a tensor is a row of entries, the last index fastest, whatever the storage.
template <class T>
auto index_of(const T& tensor, Index place) {
  const Eigen::DSizes<Index, T::NumIndices> dims(tensor.dimensions());
  std::array<typename T::Index, T::NumIndices> index;
  for (std::size_t axis = index.size(); axis-- > 0;) {
    index[axis] = static_cast<typename T::Index>(place % dims[axis]);
    place /= dims[axis];
  }
  return index;
}

template <class T>
oracle::Weights copy_of(const T& tensor) {
  oracle::Weights copy{oracle::format_of<typename T::Scalar>(), 1, tensor.size(), true, {}};
  for (Index place = 0; place < copy.cols; ++place) {
    copy.numbers.push_back(static_cast<double>(tensor(index_of(tensor, place))));
  }
  return copy;
}

template <class T>
void assign(T& tensor, const std::vector<double>& numbers) {
  for (Index place = 0; place < tensor.size(); ++place) {
    tensor(index_of(tensor, place)) =
        static_cast<typename T::Scalar>(numbers[static_cast<std::size_t>(place)]);
  }
}

template <class T>
std::vector<oracle::Places> filters_of(const T& tensor, rein::FilterLayout layout) {
  oracle::Grouping grouping{oracle::Grouping::filters, layout.axes(), {}};
  const Eigen::DSizes<Index, T::NumIndices> dims(tensor.dimensions());
  grouping.dims.assign(dims.begin(), dims.end());
  return oracle::vectors_of(copy_of(tensor), grouping);
}

// Fills the tensor, and checks the laws on what MaxNorm does to it.
template <class T>
void obey(T& tensor, rein::TensorLayout<T::NumIndices> layout, laws::Random& random) {
  INFO(layout.filters().axes() << (int{T::Layout} == RowMajor ? ", row" : ", column") << "-major");
  const oracle::Rule rule{.high = 1.5};
  laws::Outcome o{rule, filters_of(tensor, layout.filters()), copy_of(tensor), {}, {}, {}, {}};
  laws::fill(o.before, o.vectors, rule, random);
  assign(tensor, o.before.numbers);
  o.before = copy_of(tensor);
  const rein::MaxNorm max_norm{rule.high, rein::per_filter(layout, tensor)};
  o.first = max_norm(rein::as_matrix(tensor));
  o.after = copy_of(tensor);
  o.second = max_norm(rein::as_matrix(tensor));
  o.again = copy_of(tensor);
  laws::detail::check(o);
}

template <int Rank>
std::array<Index, Rank> random_dims(laws::Random& random) {
  constexpr Index sizes[] = {1, 2, 3, 5, 8};
  std::array<Index, Rank> dims;
  for (Index& dim : dims) dim = random.one_of(sizes);
  return dims;
}

template <class Scalar, int Rank, std::size_t N>
void obey_in_both_orders(const rein::TensorLayout<Rank> (&layouts)[N], laws::Random& random) {
  for (const rein::TensorLayout<Rank>& layout : layouts) {
    for (int k = 0; k < 4; ++k) {
      const std::array<Index, Rank> dims = random_dims<Rank>(random);
      Eigen::Tensor<Scalar, Rank, ColMajor> cols(dims);
      Eigen::Tensor<Scalar, Rank, RowMajor> rows(dims);
      obey(cols, layout, random);
      obey(rows, layout, random);
    }
  }
}

constexpr rein::TensorLayout<2> layouts_2[] = {"oi", "io", "oo"};
constexpr rein::TensorLayout<3> layouts_3[] = {"oiw", "wio", "iow", "hoo"};
constexpr rein::TensorLayout<4> layouts_4[] = {"oihw", "iohw", "hwio", "hwoo", "ohwi", "hooo"};
constexpr rein::TensorLayout<5> layouts_5[] = {"oidhw", "iodhw", "dhwio", "dhwoo"};

}  // namespace

TEMPLATE_TEST_CASE("tensor: a layout names the axes in index order, whatever the storage", "",
                   float, double, Eigen::half) {
  laws::Random random(41);
  INFO("REIN_TEST_SEED=" << laws::seed());
  obey_in_both_orders<TestType>(layouts_2, random);
  obey_in_both_orders<TestType>(layouts_3, random);
  obey_in_both_orders<TestType>(layouts_4, random);
  obey_in_both_orders<TestType>(layouts_5, random);
}

TEST_CASE("tensor: maps, fixed sizes and other index types") {
  laws::Random random(42);
  INFO("REIN_TEST_SEED=" << laws::seed());
  std::vector<float> memory(120);
  Eigen::TensorMap<Eigen::Tensor<float, 4, ColMajor>> cols(memory.data(), 5, 4, 3, 2);
  Eigen::TensorMap<Eigen::Tensor<float, 4, RowMajor, int>> rows(memory.data(), 5, 4, 3, 2);
  Eigen::TensorFixedSize<double, Eigen::Sizes<3, 4, 2>, ColMajor> fixed_cols;
  Eigen::TensorFixedSize<double, Eigen::Sizes<3, 4, 2>, RowMajor> fixed_rows;
  Eigen::Tensor<float, 1> line(7);
  for (int k = 0; k < 5; ++k) {
    obey(cols, "oihw", random);
    obey(rows, "hwio", random);
    obey(fixed_cols, "oiw", random);
    obey(fixed_rows, "iow", random);
    obey(line, "o", random);
  }
  CHECK(rein::as_matrix(cols).data() == memory.data());

  // A map is a view: it may be a temporary.
  std::fill(memory.begin(), memory.end(), 1.0f);
  const rein::MaxNorm max_norm{1.0, rein::per_filter("oihw", cols)};
  CHECK(max_norm(
            rein::as_matrix(Eigen::TensorMap<Eigen::Tensor<float, 4>>(memory.data(), 5, 4, 3, 2)))
            .changed == 5);
}

TEST_CASE("tensor: filters of several os are numbered in the order of the memory") {
  // Of 3 x 2 filters, (1, 0) is the second column by column and the third row by row.
  const auto check = [](auto kernel, Index number) {
    kernel.setConstant(1);
    const auto grouping = rein::per_filter("woo", kernel);
    Eigen::VectorXd bias = Eigen::VectorXd::Ones(6);
    const rein::Report report = rein::MaxNorm{1.0, grouping}(
        rein::as_matrix(kernel), rein::only({number}), rein::tied(bias));
    CHECK(report.changed == 1);
    CHECK(std::abs(bias[number] - 0.5) < 1e-15);
    for (Index w = 0; w < 4; ++w) {
      CHECK(std::abs(kernel(w, 1, 0) - 0.5) < 1e-15);
      CHECK(kernel(w, 0, 1) == 1);
      CHECK(kernel(w, 2, 1) == 1);
    }
  };
  check(Eigen::Tensor<double, 3, ColMajor>(4, 3, 2), 1);
  check(Eigen::Tensor<double, 3, RowMajor>(4, 3, 2), 2);
}

TEST_CASE("tensor: row i of the matrix holds the entries whose first index is i") {
  const auto check = [](auto kernel) {
    double number = 0;
    for (Index i = 0; i < kernel.size(); ++i) kernel.data()[i] = ++number;
    const auto matrix = rein::as_matrix(kernel);
    CHECK(matrix.rows() == 3);
    CHECK(matrix.cols() == 8);
    CHECK(matrix.data() == kernel.data());
    for (Index i = 0; i < 3; ++i) {
      double sum = 0;
      for (Index j = 0; j < 4; ++j) sum += kernel(i, j, 0) + kernel(i, j, 1);
      CHECK(matrix.row(i).sum() == sum);
    }
    // So a layout that begins with its only o is per_row.
    auto same = kernel;
    CHECK(rein::UnitNorm{rein::per_row}(rein::as_matrix(same)) ==
          rein::UnitNorm{rein::per_filter("oiw", kernel)}(rein::as_matrix(kernel)));
    CHECK(rein::as_matrix(same) == rein::as_matrix(kernel));
  };
  check(Eigen::Tensor<double, 3, ColMajor>(3, 4, 2));
  check(Eigen::Tensor<double, 3, RowMajor>(3, 4, 2));
  check(Eigen::TensorFixedSize<double, Eigen::Sizes<3, 4, 2>, RowMajor>());

  Eigen::Tensor<float, 2, RowMajor> dense(2, 3);
  dense.setValues({{1, 2, 3}, {4, 5, 6}});
  CHECK(rein::as_matrix(dense) == Eigen::MatrixXf{{1, 2, 3}, {4, 5, 6}});
}

TEST_CASE("tensor: a const tensor is a gradient, not weights") {
  using Kernel = Eigen::Tensor<float, 3>;
  const Kernel kernel(2, 3, 4);
  Kernel writable(2, 3, 4);
  Eigen::TensorMap<const Kernel> map(writable);
  const auto is_weights = [](auto matrix) { return rein::Weights<decltype(matrix)&>; };
  CHECK(is_weights(rein::as_matrix(writable)));
  CHECK_FALSE(is_weights(rein::as_matrix(kernel)));
  CHECK_FALSE(is_weights(rein::as_matrix(map)));
  CHECK(rein::norms(rein::as_matrix(kernel), rein::per_filter("iow", kernel)).size() == 3);
}

TEST_CASE("tensor: no entries") {
  Eigen::Tensor<float, 3> no_filters(0, 3, 2), empty_filters(4, 0, 2);
  const auto checked = [](auto& kernel) {
    return rein::MaxNorm{1.0, rein::per_filter("oiw", kernel)}(rein::as_matrix(kernel)).checked;
  };
  CHECK(checked(no_filters) == 0);
  CHECK(checked(empty_filters) == 4);
}

TEST_CASE("tensor: a kernel of another size is refused, and nothing is written") {
  Eigen::Tensor<double, 4> kernel(4, 3, 2, 2), larger(4, 3, 3, 3);
  kernel.setConstant(5);
  const rein::MaxNorm max_norm{1.0, rein::per_filter("oihw", larger)};
  const auto message = refusal([&] { max_norm(rein::as_matrix(kernel)); });
  CHECK(names(message, "rein::per_filter", "108", "48"));
  CHECK((rein::as_matrix(kernel).array() == 5).all());
}

// The entries by themselves in a vector, an optimizer without a constraint, and the norms of the
// filters by loops.
TEMPLATE_TEST_CASE_SIG("tensor: an optimizer's step on a tensor", "", ((int Order), Order),
                       (ColMajor), (RowMajor)) {
  using Kernel = Eigen::Tensor<double, 4, Order>;
  const auto check = [](const auto& make) {
    laws::Random random(43);
    Kernel kernel(3, 4, 2, 5), gradient(3, 4, 2, 5);
    const auto randomize = [&](Kernel& tensor) {
      std::vector<double> numbers(static_cast<std::size_t>(tensor.size()));
      for (double& number : numbers) number = random.between(-1, 1);
      assign(tensor, numbers);
    };
    const auto in_index_order = [](const Kernel& tensor) {
      const std::vector<double> numbers = copy_of(tensor).numbers;
      return Eigen::VectorXd(Eigen::Map<const Eigen::VectorXd>(numbers.data(), tensor.size()));
    };
    randomize(kernel);
    Eigen::VectorXd expected = in_index_order(kernel);
    const std::vector<oracle::Places> filters = filters_of(kernel, "iohw");
    constexpr double limit = 3;
    auto optimizer =
        make(rein::as_matrix(kernel), rein::MaxNorm{limit, rein::per_filter("iohw", kernel)});
    auto plain = make(expected, rein::Unconstrained{});
    for (int step = 0; step < 6; ++step) {
      randomize(gradient);
      const rein::Report report =
          optimizer.step(rein::as_matrix(kernel), rein::as_matrix(std::as_const(gradient)));
      plain.step(expected, in_index_order(gradient));
      Index changed = 0;
      for (const oracle::Places& filter : filters) {
        double square_sum = 0;
        for (const std::size_t place : filter) {
          const double entry = expected[static_cast<Index>(place)];
          square_sum += entry * entry;
        }
        if (square_sum <= limit * limit) continue;
        ++changed;
        for (const std::size_t place : filter) {
          expected[static_cast<Index>(place)] *= limit / std::sqrt(square_sum);
        }
      }
      CHECK(report.checked == 4);
      CHECK(report.changed == changed);
      CHECK(changed > 0);
      CHECK((in_index_order(kernel) - expected).cwiseAbs().maxCoeff() < 1e-13);
    }
  };
  SECTION("Sgd") {
    check([](const auto& w, const auto& constraint) {
      return rein::Sgd{w, {.learning_rate = 0.5, .momentum = 0.9}, constraint};
    });
  }
  SECTION("Adam") {
    check([](const auto& w, const auto& constraint) {
      return rein::Adam{w, {.learning_rate = 0.2}, constraint};
    });
  }
}
