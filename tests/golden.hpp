#pragma once
// Reads the trajectories that tests/golden/generate_optimizers.py stored, and makes the same
// gradients again, to the bit.

#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <Eigen/Core>

namespace golden {

/// W, or a part of the optimizer's state, after a step; row-major.
struct Record {
  std::string what;
  int step = 0;
  std::vector<double> values;
};

struct Trajectory {
  std::string name;
  std::string scalar;
  Eigen::Index rows = 0;
  Eigen::Index cols = 0;
  std::map<std::string, double> options;  // those that differ from the optimizer's defaults
  double limit = std::numeric_limits<double>::infinity();  // of each row's norm
  double pull = 0.5;
  double scale = 1;
  bool intermittent = false;
  int halve_every = 0;  // the learning rate, in steps; 0: never
  std::vector<Record> records;

  double option(const std::string& key, double otherwise) const {
    const auto found = options.find(key);
    return found == options.end() ? otherwise : found->second;
  }
};

inline std::vector<Trajectory> read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<Trajectory> all;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key.empty() || key[0] == '#') continue;
    if (key == "trajectory") {
      all.emplace_back();
      std::getline(words >> std::ws, all.back().name);
      continue;
    }
    Trajectory& t = all.at(all.size() - 1);
    if (key == "scalar") {
      words >> t.scalar;
    } else if (key == "shape") {
      words >> t.rows >> t.cols;
    } else if (key == "option") {
      words >> key;
      words >> t.options[key];
    } else if (key == "limit") {
      words >> t.limit;
    } else if (key == "pull") {
      words >> t.pull;
    } else if (key == "scale") {
      words >> t.scale;
    } else if (key == "intermittent") {
      t.intermittent = true;
    } else if (key == "halve_every") {
      words >> t.halve_every;
    } else {
      Record record{key, 0, std::vector<double>(static_cast<std::size_t>(t.rows * t.cols))};
      words >> record.step;
      for (double& x : record.values) words >> x;
      if (!words) throw std::runtime_error(path + ": cannot read: " + line);
      t.records.push_back(record);
    }
  }
  return all;
}

/// Multiples of 1/64 in [-1, 1] that look irregular; exact in every scalar.
inline double pattern(Eigen::Index i, Eigen::Index j, int step) {
  std::uint64_t h = static_cast<std::uint64_t>(i) * 73856093u +
                    static_cast<std::uint64_t>(j) * 19349663u +
                    static_cast<std::uint64_t>(step) * 83492791u;
  h ^= h >> 13;
  h *= 2654435761u;
  h ^= h >> 17;
  return (static_cast<double>(h % 129) - 64) / 64;
}

/// The same as `gradient` in generate_optimizers.py, which says what it is made of.
template <class Weights>
typename Weights::PlainObject gradient(const Trajectory& t, const Weights& w, int step) {
  using Scalar = typename Weights::Scalar;
  typename Weights::PlainObject g(w.rows(), w.cols());
  const bool silent = t.intermittent && ((step - 1) / 5 % 3 == 1 || step > 200);
  for (Eigen::Index j = 0; j < w.cols(); ++j) {
    for (Eigen::Index i = 0; i < w.rows(); ++i) {
      const auto target = static_cast<Scalar>(2 * pattern(i, j, 1000));
      const auto noise = static_cast<Scalar>(pattern(i, j, step) / 2);
      const Scalar towards = static_cast<Scalar>(t.pull) * (w(i, j) - target);
      const bool none = silent || (t.intermittent && j == 0);
      g(i, j) = none ? Scalar(0) : (towards + noise) * static_cast<Scalar>(t.scale);
    }
  }
  return g;
}

}  // namespace golden
