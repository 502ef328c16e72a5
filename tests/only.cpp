#include <array>

#include <rein/max_norm.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/only.hpp>
#include <rein/tied.hpp>
#include <rein/unit_norm.hpp>

#include "laws.hpp"
#include "refusal.hpp"

namespace {

using Eigen::Index;

// About half of the vectors, in any order.
std::vector<Index> some_of(Index vectors, laws::Random& random) {
  std::vector<Index> listed;
  for (Index v = 0; v < vectors; ++v) {
    if (random.chance(0.5)) listed.push_back(v);
  }
  if (random.chance(0.3)) return listed;
  for (std::size_t k = listed.size(); k > 1; --k) {
    std::swap(listed[k - 1], listed[static_cast<std::size_t>(random.index(static_cast<Index>(k)))]);
  }
  return listed;
}

// The listed vectors become what the full call makes of them; the others keep their bits.
template <class Scalar>
void listed_vectors_are_constrained(int plans) {
  laws::Random random(10);
  INFO("REIN_TEST_SEED=" << laws::seed());
  const oracle::Rule rule{.low = 0.5, .high = 1.5};
  for (const laws::Plan& plan : laws::plans_for({rule}, plans, random)) {
    INFO(laws::describe(plan));
    laws::for_each_order<Scalar>(
        plan.rows, plan.cols, random.index(4), [&](const char* view, auto& w) {
          laws::with_grouping(w, plan, [&](const auto& grouping) {
            INFO(oracle::format_of<Scalar>().name << " " << view);
            oracle::Weights before = oracle::copy_of(w);
            const std::vector<oracle::Places> vectors = oracle::vectors_of(before, plan.grouping);
            laws::fill(before, vectors, rule, random);
            oracle::assign(w, before);
            before = oracle::copy_of(w);
            const rein::MinMaxNorm constraint{rule.low, rule.high, grouping};
            constraint(w);
            const oracle::Weights full = oracle::copy_of(w);

            const std::vector<Index> listed = some_of(std::ssize(vectors), random);
            oracle::assign(w, before);
            const rein::Report report = constraint(w, rein::only(listed));
            const oracle::Weights after = oracle::copy_of(w);

            rein::Report expected{.checked = std::ssize(listed)};
            long double largest = 0;
            std::vector<bool> is_listed(vectors.size());
            for (const Index v : listed) {
              const oracle::Places& vector = vectors[static_cast<std::size_t>(v)];
              is_listed[static_cast<std::size_t>(v)] = true;
              const bool finite = oracle::finite(before, vector);
              expected.nonfinite += !finite;
              expected.changed += !oracle::same_bits(before, full, vector);
              if (finite) largest = std::max(largest, oracle::norm(before, vector));
            }
            std::string wrong;
            for (std::size_t v = 0; v < vectors.size(); ++v) {
              if (!oracle::same_bits(after, is_listed[v] ? full : before, vectors[v])) {
                wrong = laws::name(v) + (is_listed[v] ? "is not as after a full call"
                                                      : "is not listed and was changed");
              }
            }
            CHECK(wrong == "");
            CHECK(report.checked == expected.checked);
            CHECK(report.changed == expected.changed);
            CHECK(report.nonfinite == expected.nonfinite);
            const double tolerance = (laws::strict ? 6 : 64) * before.format.epsilon();
            if (oracle::finite(report.largest_norm)) {
              CHECK(std::abs(report.largest_norm - largest) <=
                    tolerance * largest + std::numeric_limits<double>::denorm_min());
            } else {
              CHECK(largest > std::numeric_limits<double>::max());
            }
          });
        });
  }
}

}  // namespace

#ifndef __FAST_MATH__  // bits after a full call and a partial one may differ
TEST_CASE("only: the listed vectors become what a full call makes of them: float") {
  listed_vectors_are_constrained<float>(60);
}
TEST_CASE("only: the listed vectors become what a full call makes of them: double") {
  listed_vectors_are_constrained<double>(20);
}
TEST_CASE("only: the listed vectors become what a full call makes of them: half") {
  listed_vectors_are_constrained<Eigen::half>(20);
}
TEST_CASE("only: the listed vectors become what a full call makes of them: complex<float>") {
  listed_vectors_are_constrained<std::complex<float>>(20);
}
#endif

TEST_CASE("only: the rows of an embedding that a batch touched") {
  Eigen::MatrixXf embedding = Eigen::MatrixXf::Constant(1000, 16, 1.0f);
  embedding(7, 3) = std::numeric_limits<float>::quiet_NaN();
  const std::vector<int> batch{12, 3, 999, 500};
  const rein::Report report = rein::MaxNorm{1.0, rein::per_row}(embedding, rein::only(batch));
  CHECK(report == rein::Report{.checked = 4, .changed = 4, .nonfinite = 0, .largest_norm = 4});
  for (Index row = 0; row < 1000; ++row) {
    const bool touched = std::count(batch.begin(), batch.end(), row) == 1;
    CHECK(embedding(row, 0) == (touched ? 0.25f : 1.0f));
  }
}

TEST_CASE("only: indices of any kind") {
  Eigen::MatrixXd w = Eigen::MatrixXd::Constant(6, 4, 1.0);
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  rein::Report report;
  SECTION("std::vector<int>") {
    const std::vector<int> indices{4, 1};
    report = max_norm(w, rein::only(indices));
  }
  SECTION("temporary std::vector<int>") {
    report = max_norm(w, rein::only(std::vector<int>{4, 1}));
  }
  SECTION("kept beyond the vector that was moved in") {
    std::vector<std::size_t> indices{4, 1};
    const auto listed = rein::only(std::move(indices));
    indices.assign(2, 5);
    report = max_norm(w, listed);
  }
  SECTION("std::vector<std::size_t>") {
    std::vector<std::size_t> indices{4, 1};
    report = max_norm(w, rein::only(indices));
  }
  SECTION("std::array") { report = max_norm(w, rein::only(std::array<unsigned char, 2>{4, 1})); }
  SECTION("std::span") {
    const long long indices[] = {3, 4, 1, 2};
    report = max_norm(w, rein::only(std::span(indices).subspan(1, 2)));
  }
  SECTION("C array") {
    const int indices[] = {4, 1};
    report = max_norm(w, rein::only(indices));
  }
  SECTION("initializer list") { report = max_norm(w, rein::only({4, 1})); }
  SECTION("Eigen::VectorXi") {
    const Eigen::VectorXi indices = Eigen::Vector2i(4, 1);
    report = max_norm(w, rein::only(indices));
  }
  SECTION("Eigen::RowVector of Index") {
    Eigen::RowVector<Index, 2> indices(4, 1);
    report = max_norm(w, rein::only(indices));
  }
  SECTION("Eigen::ArrayXi, temporary") {
    report = max_norm(w, rein::only(Eigen::Array2i(4, 1).eval()));
  }
  SECTION("Eigen expression") {
    const Eigen::Array2i indices(8, 2);
    report = max_norm(w, rein::only(indices / 2));
    const Eigen::VectorXi more = Eigen::Vector4i(1, 4, 1, 5);
    CHECK(max_norm(w, rein::only(more.segment(1, 2))).checked == 2);
  }
  CHECK(report.checked == 2);
  CHECK(report.changed == 2);
  for (Index row = 0; row < 6; ++row) CHECK(w(row, 2) == (row == 1 || row == 4 ? 0.5 : 1));
}

TEST_CASE("only: no indices, all indices, the only vector") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(3, 4, 1.0f);
  const Eigen::MatrixXf before = w;
  CHECK(rein::UnitNorm{rein::per_col}(w, rein::only(std::vector<int>{})) == rein::Report{});
  CHECK(w == before);
  CHECK(rein::UnitNorm{rein::per_col}(w, rein::only({3, 2, 1, 0})).changed == 4);
  CHECK(rein::MaxNorm{1.0, rein::whole}(w, rein::only({0})).changed == 1);
  Eigen::MatrixXf empty(0, 4);
  CHECK(rein::MaxNorm{1.0, rein::per_row}(empty, rein::only(Eigen::VectorXi())).checked == 0);
}

TEST_CASE("only: with a tied bias, in either order") {
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  Eigen::MatrixXd w = Eigen::MatrixXd::Constant(3, 4, 1.0), same = w;
  Eigen::Vector3d b(2, 2, 2), same_b = b;
  CHECK(max_norm(w, rein::tied(b), rein::only({2, 0})) ==
        max_norm(same, rein::only({2, 0}), rein::tied(same_b)));
  CHECK(b == Eigen::Vector3d(1, 2, 1));
  CHECK(b == same_b);
  CHECK(w == same);
  CHECK(w(1, 3) == 1);
}

TEST_CASE("only: indices out of range are refused, and nothing is written") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(4, 3, 9);
  Eigen::VectorXf b = Eigen::VectorXf::Constant(4, 2);
  const rein::MaxNorm max_norm{1.0, rein::per_row};
  const auto with = [&](const auto& indices) {
    const std::string message = refusal([&] { max_norm(w, rein::only(indices)); });
    CHECK(refusal([&] { max_norm(w, rein::tied(b), rein::only(indices)); }) == message);
    CHECK((w.array() == 9).all());
    CHECK((b.array() == 2).all());
    return message;
  };
  CHECK(names(with(std::vector<int>{0, 4}), "rein::only", "index is 4", ">= 0", "vectors, 4"));
  CHECK(names(with(std::vector<int>{0, 1, -1}), "-1"));
  CHECK(names(with(Eigen::Vector2i(1, 1'000'000)), "1000000"));
  CHECK(names(with(std::vector<std::size_t>{~std::size_t{0}}), "rein::only"));
  Eigen::MatrixXf empty(0, 3);
  CHECK(names(refusal([&] { max_norm(empty, rein::only({0})); }), "index is 0", "vectors, 0"));
}

TEST_CASE("only: indices listed twice are refused, and nothing is written") {
  Eigen::MatrixXf w = Eigen::MatrixXf::Constant(3, 200'000, 9);
  const rein::MaxNorm max_norm{1.0, rein::per_col};
  const auto with = [&](const std::vector<int>& indices) {
    const std::string message = refusal([&] { max_norm(w, rein::only(indices)); });
    CHECK((w.array() == 9).all());
    return message;
  };
  CHECK(names(with({5, 5}), "rein::only", "5", "twice"));
  CHECK(names(with({5, 9, 5}), "5", "twice"));
  CHECK(names(with({3, 2, 1, 63, 64, 65, 64}), "64", "twice"));
  CHECK(names(with({0, 199'999, 131'071, 131'072, 131'072}), "131072"));
  CHECK(names(with({199'999, 7, 199'999}), "199999"));
  // About the ends of the stretch of vectors that is searched at a time.
  for (const int twice : {131'071, 131'072}) {
    CHECK(names(with({twice, 7, twice}), std::to_string(twice), "twice"));
  }
  CHECK(names(with({9, 140'000, 8, 9}), "9", "twice"));
}
