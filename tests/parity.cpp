// What the peers' own functions give, stored by golden/generate_parity.py, beside what rein makes
// of the same weights; and where they differ on purpose, what both give. docs/parity.md has the
// table, which `test_parity "[.table]"` prints.

#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include <rein/rein.hpp>

#include "laws.hpp"

namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr float eps = std::numeric_limits<float>::epsilon();

struct Case {
  std::string function, constraint, layout;
  std::vector<double> numbers;  // of the constraint
  std::vector<Index> dims;
  bool hostile = false;  // the last vectors are one of each kind that follows
  Matrix before, after;

  bool is(const char* start) const { return function.rfind(start, 0) == 0; }
};
enum Hostile { zero, tiny, huge, nan, inf, kinds };

float number(const std::string& word) { return std::strtof(word.c_str(), nullptr); }

template <class Values>
Values rest_of(std::istream& words) {
  Values values;
  for (std::string word; words >> word;) {
    values.push_back(static_cast<typename Values::value_type>(number(word)));
  }
  return values;
}

std::vector<Case> read() {
  std::ifstream file(REIN_TEST_DATA_DIR "/parity.txt");
  REQUIRE(file);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "case") {
      cases.emplace_back();
      std::getline(words >> std::ws, cases.back().function);
    } else if (key == "constraint") {
      words >> cases.back().constraint;
      cases.back().numbers = rest_of<std::vector<double>>(words);
    } else if (key == "grouping") {
      words >> cases.back().layout;
      cases.back().dims = rest_of<std::vector<Index>>(words);
    } else if (key == "hostile") {
      cases.back().hostile = true;
    } else if (key == "before" || key == "after") {
      Matrix& w = key == "before" ? cases.back().before : cases.back().after;
      const auto values = rest_of<std::vector<float>>(words);
      const Index rows = cases.back().dims.front();
      w = Eigen::Map<const Matrix>(values.data(), rows, std::ssize(values) / rows);
    }
  }
  return cases;
}

// Calls use(grouping) with the grouping that rein names so.
template <class Use>
void with_grouping(const Case& c, const Use& use) {
  const std::string& layout = c.layout;
  const auto is_filter = [&](auto... layouts) {
    const bool found =
        ((layout == layouts.axes() && (use(rein::per_filter(layouts, c.dims)), true)) || ...);
    CHECK(found);
  };
  if (layout == "whole") {
    use(rein::whole);
  } else if (layout == "oi") {
    use(rein::per_row);
  } else if (layout == "io") {
    use(rein::per_col);
  } else {
    using L = rein::FilterLayout;
    is_filter(L("oiw"), L("iow"), L("iwo"), L("oihw"), L("iohw"), L("ihow"), L("ihwo"), L("oidhw"),
              L("iodhw"), L("wio"), L("hwio"), L("hwoo"), L("dhwio"), L("woo"), L("woi"), L("hwoi"),
              L("dhwoi"), L("ohwi"));
  }
}

Matrix with_rein(const Case& c) {
  Matrix w = c.before;
  const auto n = [&](std::size_t k) { return c.numbers.at(k); };
  with_grouping(c, [&](const auto& grouping) {
    const auto normal = [&] {
      return Eigen::Map<const Eigen::VectorXd>(c.numbers.data() + 1, std::ssize(c.numbers) - 1)
          .cast<float>()
          .eval();
    };
    if (c.constraint == "max_norm")
      rein::MaxNorm{n(0), grouping}(w);
    else if (c.constraint == "unit_norm")
      rein::UnitNorm{grouping}(w);
    else if (c.constraint == "min_max_norm")
      rein::MinMaxNorm{n(0), n(1), grouping, n(2)}(w);
    else if (c.constraint == "l1_ball")
      rein::L1Ball{n(0), grouping}(w);
    else if (c.constraint == "simplex")
      rein::Simplex{n(0), grouping}(w);
    else if (c.constraint == "halfspace")
      rein::Halfspace{normal(), n(0), grouping}(w);
    else if (c.constraint == "hyperplane")
      rein::Hyperplane{normal(), n(0), grouping}(w);
    else if (c.constraint == "non_negative")
      rein::NonNegative{}(w);
    else if (c.constraint == "box")
      rein::Box{n(0), n(1)}(w);
    else if (c.constraint == "max_norm_of_rows") {
      const std::vector<Index> rows(c.numbers.begin() + 1, c.numbers.end());
      rein::MaxNorm{n(0), grouping}(w, rein::only(rows));
    } else
      FAIL("unknown constraint " + c.constraint);
  });
  return w;
}

// One vector before, after the peer's function and after rein.
struct Vector {
  std::vector<float> before, theirs, ours;

  double norm(const std::vector<float>& v) const {
    long double sum = 0;
    for (const float x : v) sum += static_cast<long double>(x) * static_cast<long double>(x);
    return static_cast<double>(std::sqrt(sum));
  }
  bool kept(const std::vector<float>& v) const {
    return std::memcmp(v.data(), before.data(), v.size() * sizeof(float)) == 0;
  }
  // In the scalar's eps, relative to the larger of the two entries.
  double difference() const {
    double largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const double a = static_cast<double>(ours[i]), b = static_cast<double>(theirs[i]);
      const double scale = (std::max)(std::abs(a), std::abs(b));
      if (a != b) largest = (std::max)(largest, std::abs(a - b) / scale / static_cast<double>(eps));
    }
    return largest;
  }
};

std::vector<Vector> vectors_of(const Case& c) {
  const Matrix ours = with_rein(c);
  oracle::Grouping grouping{oracle::Grouping::whole};
  std::vector<Vector> vectors;
  with_grouping(c, [&](const auto& g) {
    Matrix numbered = Matrix::Constant(c.before.rows(), c.before.cols(), 1);
    Eigen::ArrayXf number(rein::norms(numbered, g).size());
    for (Index v = 0; v < number.size(); ++v) number[v] = static_cast<float>(v + 1);
    rein::rescale(numbered, g, number);
    vectors.resize(static_cast<std::size_t>(number.size()));
    for (Index i = 0; i < ours.size(); ++i) {
      Vector& vector = vectors[static_cast<std::size_t>(numbered.data()[i]) - 1];
      vector.before.push_back(c.before.data()[i]);
      vector.theirs.push_back(c.after.data()[i]);
      vector.ours.push_back(ours.data()[i]);
    }
  });
  return vectors;
}

// What became of a hostile vector.
std::string fate(const Vector& v, const std::vector<float>& after) {
  if (v.kept(after)) return "kept";
  const auto count = [&](auto is) { return std::count_if(after.begin(), after.end(), is); };
  const auto size = std::ssize(after);
  const auto zeros = count([](float x) { return x == 0; });
  const auto nans = count([](float x) { return std::isnan(x); });
  if (zeros == size) return "lost: all 0";
  if (nans == size) return "lost: all NaN";
  if (nans + zeros == size) return "lost: NaN and 0";
  return "rescaled";
}

// Their epsilon, which is added to norms.
double epsilon_of(const Case& c) {
  return c.is("keras") || c.is("torch.renorm") || c.is("torch Embedding") ? 1e-7 : 0;
}

std::size_t usual(const Case& c, const std::vector<Vector>& vectors) {
  return vectors.size() - (c.hostile ? static_cast<std::size_t>(kinds) : 0);
}

}  // namespace

TEST_CASE("parity: the same but for rounding and the peers' epsilon") {
  for (const Case& c : read()) {
    INFO(c.function << ", " << c.layout);
    const bool of_norms = c.constraint.find("norm") != std::string::npos;
    const std::vector<Vector> vectors = vectors_of(c);
    for (std::size_t v = 0; v < usual(c, vectors); ++v) {
      const double norm = vectors[v].norm(vectors[v].before);
      INFO("vector " << v << " of norm " << norm);
      const double shrunk = epsilon_of(c) / norm / static_cast<double>(eps);
      if (of_norms || c.is("torch clamp") || c.is("mlx clip") || c.constraint == "box" ||
          c.constraint == "non_negative") {
        CHECK(vectors[v].difference() <= 4 + shrunk);
      } else {
        for (std::size_t i = 0; i < vectors[v].ours.size(); ++i) {  // optax: not to the last digit
          CHECK(vectors[v].ours[i] == Catch::Approx(vectors[v].theirs[i]).margin(1e-6));
        }
      }
      // Keras rewrites what is inside the limit; rein does not.
      if (c.constraint == "max_norm" && norm < c.numbers[0]) {
        CHECK(vectors[v].kept(vectors[v].ours));
        if (!c.is("keras")) CHECK(vectors[v].kept(vectors[v].theirs));
      }
    }
  }
}

TEST_CASE("parity: Keras shrinks what is inside the limit, rein does not") {
  int shrunk = 0, inside = 0;
  for (const Case& c : read()) {
    if (!c.is("keras MaxNorm")) continue;
    for (const Vector& v : vectors_of(c)) {
      const double norm = v.norm(v.before);
      if (!(norm > 0 && norm < 1)) continue;
      ++inside;
      shrunk += v.norm(v.theirs) < norm;
      CHECK(v.kept(v.ours));
    }
  }
  CHECK(inside > 20);
  CHECK(shrunk > inside * 9 / 10);
}

TEST_CASE("parity: vectors that the peers lose") {
  struct Fates {
    const char* peer;
    const char* theirs[kinds];
  };
  // Squares underflow to a norm of 0 (tiny), overflow to Inf (huge), and Inf * 0 is NaN (inf).
  const Fates all[] = {
      {"torch.renorm", {"kept", "kept", "lost: all 0", "kept", "lost: NaN and 0"}},
      {"torch W", {"kept", "kept", "lost: all 0", "lost: all NaN", "lost: NaN and 0"}},
      {"keras", {"kept", "lost: all 0", "lost: all 0", "lost: all NaN", "lost: NaN and 0"}},
      {"mlx W", {"kept", "kept", "lost: all 0", "lost: all NaN", "lost: NaN and 0"}},
      {"mlx where", {"kept", "kept", "lost: all 0", "kept", "lost: NaN and 0"}}};
  const char* const ours[kinds] = {"kept", "kept", "rescaled", "kept", "kept"};
  int compared = 0;
  for (const Case& c : read()) {
    if (!c.hostile) continue;
    for (const Fates& fates : all) {
      if (!c.is(fates.peer)) continue;
      ++compared;
      const std::vector<Vector> vectors = vectors_of(c);
      for (int kind = 0; kind < kinds; ++kind) {
        const Vector& v = vectors[usual(c, vectors) + static_cast<std::size_t>(kind)];
        INFO(c.function << ", " << c.layout << ", hostile vector " << kind);
        CHECK(fate(v, v.theirs) == fates.theirs[kind]);
        CHECK(fate(v, v.ours) == ours[kind]);
        if (kind == huge) CHECK(v.norm(v.ours) == Catch::Approx(c.numbers[0]));
      }
    }
  }
  CHECK(compared == 25);
}

TEST_CASE("parity: the table of docs/parity.md", "[.table]") {
  for (const Case& c : read()) {
    double outside = 0, inside = 0;
    const std::vector<Vector> vectors = vectors_of(c);
    for (std::size_t v = 0; v < usual(c, vectors); ++v) {
      double& largest = vectors[v].kept(vectors[v].ours) ? inside : outside;
      largest = (std::max)(largest, vectors[v].difference());
    }
    std::cout << "| " << c.function << " | " << c.constraint << " | " << c.layout << " | "
              << outside << " | " << inside << " |\n";
  }
}
