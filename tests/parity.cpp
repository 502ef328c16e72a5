// What the peers' own functions give, stored by golden/generate_parity.py, beside what rein makes
// of the same weights; and where they differ on purpose, what both give. docs/parity.md has the
// table, which `test_parity "[.table]"` prints.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <rein/rein.hpp>

#include "laws.hpp"

namespace {

using Eigen::Index;
template <class Scalar>
using Weights = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Matrix = Weights<double>;  // which holds floats as they are

struct Case {
  std::string function, constraint, layout, scalar = "float";
  std::vector<double> numbers;  // of the constraint
  std::vector<Index> dims;
  bool hostile = false;         // the last vectors are one of each kind that follows
  Matrix before, after, again;  // again: after a second call of the peer

  double eps() const {
    return scalar == "float" ? static_cast<double>(std::numeric_limits<float>::epsilon())
                             : std::numeric_limits<double>::epsilon();
  }
  bool is(const char* start) const { return function.rfind(start, 0) == 0; }
};
enum Hostile { zero, tiny, huge, nan, inf, kinds };

// Straight to the scalar, without a double in between to round first; "nan" and "inf" too.
double number(const std::string& word, bool is_float) {
  return is_float ? static_cast<double>(std::strtof(word.c_str(), nullptr))
                  : std::strtod(word.c_str(), nullptr);
}

template <class Values>
Values rest_of(std::istream& words, bool is_float = true) {
  Values values;
  for (std::string word; words >> word;) {
    values.push_back(static_cast<typename Values::value_type>(number(word, is_float)));
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
      const Matrix before = cases.empty() ? Matrix() : cases.back().before;
      cases.emplace_back();
      cases.back().before = before;
      std::getline(words >> std::ws, cases.back().function);
    } else if (key == "scalar") {
      words >> cases.back().scalar;
    } else if (key == "constraint") {
      words >> cases.back().constraint;
      cases.back().numbers = rest_of<std::vector<double>>(words);
    } else if (key == "grouping") {
      words >> cases.back().layout;
      cases.back().dims = rest_of<std::vector<Index>>(words);
    } else if (key == "hostile") {
      cases.back().hostile = true;
    } else if (key == "before" || key == "after" || key == "again") {
      Case& c = cases.back();
      Matrix& w = key == "before" ? c.before : key == "after" ? c.after : c.again;
      const auto values = rest_of<std::vector<double>>(words, c.scalar == "float");
      const Index rows = c.dims.front();
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
              L("dhwoi"), L("ohwi"), L("hooo"), L("doooo"), L("dhwoo"));
  }
}

// What rein makes of W, an application after another.
Matrix with_rein(const Case& c, const Matrix& before) {
  if (c.scalar == "double") {  // of one grouping, for the epsilon and the range of double
    REQUIRE((c.constraint == "max_norm" && c.layout == "oi"));
    Matrix w = before;
    rein::MaxNorm{c.numbers.at(0), rein::per_row}(w);
    return w;
  }
  Weights<float> w = before.cast<float>();
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
    else if (c.constraint == "max_rms")
      rein::MaxRms{n(0), grouping}(w);
    else if (c.constraint == "zero_mean")
      rein::ZeroMean{grouping}(w);
    else if (c.constraint == "max_spectral_norm")
      rein::MaxSpectralNorm{n(0)}(w);
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
  return w.cast<double>();
}

// One vector before, after the peer's function and after rein.
struct Vector {
  std::vector<double> before, theirs, ours;
  double eps = 0;

  static double norm(const std::vector<double>& v) {
    long double sum = 0;
    for (const double x : v) sum += static_cast<long double>(x) * static_cast<long double>(x);
    return static_cast<double>(std::sqrt(sum));
  }
  bool kept(const std::vector<double>& v) const {
    return std::memcmp(v.data(), before.data(), v.size() * sizeof(double)) == 0;
  }
  // In eps, relative to the larger of the two entries.
  double difference() const {
    double largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const double a = ours[i], b = theirs[i];
      const double scale = (std::max)(std::abs(a), std::abs(b));
      if (a != b) largest = (std::max)(largest, std::abs(a - b) / scale / eps);
    }
    return largest;
  }
  // In eps, relative to the largest entry of the vector, before or after.
  double difference_of_projections() const {
    double size = 0, largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      size = (std::max)({size, std::abs(before[i]), std::abs(ours[i])});
      largest = (std::max)(largest, std::abs(ours[i] - theirs[i]));
    }
    return largest == 0 ? 0 : largest / size / eps;
  }
};

// Whether entries are differences, which cancel, and not products.
bool is_projection(const Case& c) {
  return c.constraint == "l1_ball" || c.constraint == "simplex" || c.constraint == "halfspace" ||
         c.constraint == "hyperplane" || c.constraint == "zero_mean";
}

double difference(const Case& c, const Vector& v) {
  return is_projection(c) ? v.difference_of_projections() : v.difference();
}

std::vector<Vector> vectors_of(const Case& c) {
  const Matrix ours = with_rein(c, c.before);
  std::vector<Vector> vectors;
  with_grouping(c, [&](const auto& g) {
    Matrix numbered = Matrix::Constant(c.before.rows(), c.before.cols(), 1);
    Eigen::ArrayXd number(rein::norms(numbered, g).size());
    for (Index v = 0; v < number.size(); ++v) number[v] = static_cast<double>(v + 1);
    rein::rescale(numbered, g, number);
    vectors.resize(static_cast<std::size_t>(number.size()));
    for (Index i = 0; i < ours.size(); ++i) {
      Vector& vector = vectors[static_cast<std::size_t>(numbered.data()[i]) - 1];
      vector.eps = c.eps();
      vector.before.push_back(c.before.data()[i]);
      vector.theirs.push_back(c.after.data()[i]);
      vector.ours.push_back(ours.data()[i]);
    }
  });
  return vectors;
}

// What became of a hostile vector. The peer's result is "elsewhere" where it is not rein's.
std::string fate(const Case& c, const Vector& v, const std::vector<double>& after) {
  if (v.kept(after)) return "kept";
  const auto count = [&](auto is) { return std::count_if(after.begin(), after.end(), is); };
  const auto size = std::ssize(after);
  const auto zeros = count([](double x) { return x == 0; });
  const auto nans = count([](double x) { return std::isnan(x); });
  if (zeros == size) return "all 0";
  if (nans == size) return "all NaN";
  if (nans + zeros == size) return "NaN and 0";
  if (count([](double x) { return !std::isfinite(x); }) > 0) return "Inf";
  return difference(c, v) <= 8 ? "moved" : "elsewhere";
}

// Their epsilon, which is added to norms.
double epsilon_of(const Case& c) {
  if (c.is("torch W * (norm.clamp(0, m) / (1e-8 + norm))")) return 1e-8;
  return c.is("keras") || c.is("torch.renorm") || c.is("torch Embedding") ? 1e-7 : 0;
}

std::size_t usual(const Case& c, const std::vector<Vector>& vectors) {
  return vectors.size() - (c.hostile ? static_cast<std::size_t>(kinds) : 0);
}

}  // namespace

TEST_CASE("parity: the same but for rounding and the peers' epsilon") {
  for (const Case& c : read()) {
    if (c.function.find(" entries ") != std::string::npos) continue;
    INFO(c.function << ", " << c.layout << ", " << c.scalar);
    const bool rewrites = c.is("keras") || c.is("torch W * (norm.clamp");
    const std::vector<Vector> vectors = vectors_of(c);
    bool any_kept = false, any_changed = false;
    for (std::size_t v = 0; v < usual(c, vectors); ++v) {
      const Vector& vector = vectors[v];
      const double norm = vector.norm(vector.before);
      INFO("vector " << v << " of norm " << norm);
      // What their epsilon takes away, to second order: a part e / (n + e).
      const double shrunk = epsilon_of(c) / norm / c.eps();
      CHECK(difference(c, vector) <= 4 + shrunk);
      // In double their epsilon is all there is: it explains the difference, and nothing else does.
      if (c.scalar == "double" && epsilon_of(c) > 0 && !vector.kept(vector.theirs)) {
        CHECK(vector.difference() == Catch::Approx(shrunk).epsilon(1e-5));
      }
      (vector.kept(vector.ours) ? any_kept : any_changed) = true;
      // Some rewrite what is inside the limit; rein does not.
      if (c.constraint == "max_norm" && norm < c.numbers[0]) {
        CHECK(vector.kept(vector.ours));
        if (!rewrites) CHECK(vector.kept(vector.theirs));
      }
    }
    if (vectors.size() > 1 && c.constraint == "max_norm") CHECK(any_changed);
    if (vectors.size() > 1 && c.constraint == "max_norm" && c.again.size() == 0) CHECK(any_kept);
  }
}

// torch.renorm leaves vectors above the limit by a rounding, and rescales them again at each call.
TEST_CASE("parity: a second call of torch.renorm changes entries, one of rein none") {
  int compared = 0;
  for (const Case& c : read()) {
    if (c.again.size() == 0) continue;
    ++compared;
    CHECK((c.again.array() != c.after.array()).count() == 54);
    const Matrix once = with_rein(c, c.before);
    CHECK((with_rein(c, once).array() == once.array()).all());
  }
  CHECK(compared == 1);
}

// -Inf, Inf, NaN, 2, 0.1, -1: the peers clamp an Inf, and so hide where it came from. rein leaves
// it, as all that is not finite, and counts it.
TEST_CASE("parity: entries that are not finite are kept, and clamped by the peers") {
  int compared = 0;
  for (const Case& c : read()) {
    if (c.function.find(" entries ") == std::string::npos) continue;
    INFO(c.function);
    ++compared;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const bool box = c.constraint == "box";
    const double low = box ? -0.25 : 0;
    const auto entry = [](const Matrix& w, Index i) { return w.data()[i]; };
    const Matrix ours = with_rein(c, c.before);
    CHECK(entry(c.after, 0) == low);
    CHECK(entry(ours, 0) == -infinity);
    CHECK(entry(c.after, 1) == (box ? 0.5 : infinity));
    CHECK(entry(ours, 1) == infinity);
    CHECK(std::isnan(entry(c.after, 2)));
    CHECK(std::isnan(entry(ours, 2)));
    for (const Index i : {3, 4, 5}) CHECK(entry(c.after, i) == entry(ours, i));
    CHECK(entry(ours, 5) == low);
  }
  CHECK(compared == 7);
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
    const char* ours[kinds] = {"kept", "kept", "moved", "kept", "kept"};
  };
  // Squares underflow to a norm of 0 (tiny), overflow to Inf (huge), and Inf * 0 is NaN (inf).
  const Fates all[] = {
      {"torch.renorm", {"kept", "kept", "all 0", "kept", "NaN and 0"}},
      {"torch W * (m", {"kept", "kept", "all 0", "all NaN", "NaN and 0"}},
      {"torch W * (norm", {"kept", "all 0", "all 0", "all NaN", "NaN and 0"}},
      {"keras MaxNorm", {"kept", "all 0", "all 0", "all NaN", "NaN and 0"}},
      {"mlx W", {"kept", "kept", "all 0", "all NaN", "NaN and 0"}},
      {"mlx where", {"kept", "kept", "all 0", "kept", "NaN and 0"}},
      {"optax vmap projection_l2_ball", {"kept", "kept", "all 0", "all NaN", "NaN and 0"}},
      // Unit norms: a norm that underflows is 0, and 1e-24 / 1e-7 is 1e-17, not 1 / sqrt(7).
      {"keras UnitNorm",
       {"kept", "elsewhere", "all 0", "all NaN", "NaN and 0"},
       {"kept", "moved", "moved", "kept", "kept"}},
      {"torch normalize",
       {"kept", "elsewhere", "all 0", "all NaN", "NaN and 0"},
       {"kept", "moved", "moved", "kept", "kept"}},
      // Divides by 0 without an epsilon.
      {"optax vmap projection_l2_sphere",
       {"all NaN", "Inf", "all 0", "all NaN", "NaN and 0"},
       {"kept", "moved", "moved", "kept", "kept"}},
      // The norm aimed at is rate * high + (1 - rate) * Inf: 0 * Inf, or Inf / Inf, is NaN.
      {"keras MinMaxNorm",
       {"kept", "elsewhere", "all NaN", "all NaN", "all NaN"},
       {"kept", "moved", "moved", "kept", "kept"}},
      // Exact projections; a zero vector is no exception, a NaN or an Inf is.
      {"optax vmap projection_l1_ball", {"kept", "kept", "moved", "all NaN", "all NaN"}},
      {"optax vmap projection_simplex",
       {"moved", "moved", "moved", "all NaN", "all NaN"},
       {"moved", "moved", "moved", "kept", "kept"}},
      {"optax vmap projection_halfspace", {"kept", "kept", "moved", "all NaN", "Inf"}},
      {"optax vmap projection_hyperplane",
       {"moved", "moved", "moved", "all NaN", "Inf"},
       {"moved", "moved", "moved", "kept", "kept"}}};
  int compared = 0, hostile = 0;
  for (const Case& c : read()) {
    if (!c.hostile) continue;
    ++hostile;
    for (const Fates& fates : all) {
      if (!c.is(fates.peer)) continue;
      ++compared;
      const std::vector<Vector> vectors = vectors_of(c);
      for (int kind = 0; kind < kinds; ++kind) {
        const Vector& v = vectors[usual(c, vectors) + static_cast<std::size_t>(kind)];
        INFO(c.function << ", " << c.layout << ", " << c.scalar << ", hostile vector " << kind);
        CHECK(fate(c, v, v.theirs) == fates.theirs[kind]);
        const std::string ours = fate(c, v, v.ours);
        CHECK((ours == "elsewhere" ? "moved" : ours) == fates.ours[kind]);
        if (kind == huge && c.constraint == "max_norm") {
          CHECK(v.norm(v.ours) == Catch::Approx(c.numbers[0]));
        }
        if ((kind == tiny || kind == huge) && c.constraint == "unit_norm") {
          CHECK(v.norm(v.ours) == Catch::Approx(1));
        }
        // With the rate, (1 - rate) * n + rate * low from 0 or so, or high from 1e20.
        if (kind == tiny && c.constraint == "min_max_norm") {
          CHECK(v.norm(v.ours) == Catch::Approx(c.numbers[2] * c.numbers[0]));
        }
        if (kind == huge && c.constraint == "min_max_norm") {
          const double norm = v.norm(v.before), rate = c.numbers[2];
          CHECK(v.norm(v.ours) == Catch::Approx((1 - rate) * norm + rate * c.numbers[1]));
        }
      }
    }
  }
  CHECK(compared == hostile);
}

TEST_CASE("parity: the table of docs/parity.md", "[.table]") {
  for (const Case& c : read()) {
    double outside = 0, inside = 0;
    const std::vector<Vector> vectors = vectors_of(c);
    for (std::size_t v = 0; v < usual(c, vectors); ++v) {
      double& largest = vectors[v].kept(vectors[v].ours) ? inside : outside;
      largest = (std::max)(largest, difference(c, vectors[v]));
    }
    std::cout << "| " << c.function << " | " << c.constraint << " | " << c.layout << " | "
              << c.scalar << " | " << outside << " | " << inside << " |\n";
  }
}
