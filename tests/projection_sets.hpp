#pragma once
// The sets of the constraints that project each vector, in long double.

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Core>

#include "projection_laws.hpp"

namespace laws {

inline long double l1_norm(const Numbers& x) {
  long double sum = 0;
  for (const long double number : x) sum += std::abs(number);
  return sum;
}

inline Set ball(double radius) {
  return {.nearest =
              [=](const Numbers& x) {
                if (l1_norm(x) <= radius) return x;
                Numbers magnitudes;
                for (const long double number : x) magnitudes.push_back(std::abs(number));
                Numbers y = nearest_in_simplex(magnitudes, radius);
                for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::copysign(y[i], x[i]);
                return y;
              },
          .violation = [=](const Numbers& x) { return std::max(l1_norm(x) - radius, 0.0L); },
          .slack = [=](const Numbers& y,
                       const auto& format) { return simplex_slack(radius, y, format); },
          .tolerance = [](const Numbers&, const Numbers& nearest,
                          const auto& format) { return simplex_tolerance(nearest, format); }};
}

inline long double sum_of(const Numbers& x) {
  long double sum = 0;
  for (const long double number : x) sum += number;
  return sum;
}

inline Set simplex(double sum) {
  return {
      .nearest = [=](const Numbers& x) { return nearest_in_simplex(x, sum); },
      .violation =
          [=](const Numbers& x) {
            const bool negative = *std::min_element(x.begin(), x.end()) < 0;
            return negative ? std::numeric_limits<long double>::infinity()
                            : std::abs(sum_of(x) - sum);
          },
      .slack = [=](const Numbers& y, const auto& format) { return simplex_slack(sum, y, format); },
      .tolerance = [](const Numbers&, const Numbers& nearest,
                      const auto& format) { return simplex_tolerance(nearest, format); }};
}

struct Products {
  long double value, magnitude, square;  // <n, x>, sum of |n_i x_i|, <n, n>
};

inline Products products(const Eigen::VectorXd& normal, const Numbers& x) {
  Products p{0, 0, 0};
  long double lost = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double n = normal(static_cast<Eigen::Index>(i));
    const long double sum = p.value + n * x[i], added = sum - p.value;
    lost += (p.value - (sum - added)) + (n * x[i] - added);
    p.value = sum;
    p.magnitude += std::abs(n * x[i]);
    p.square += n * n;
  }
  p.value += lost;
  return p;
}

inline Set plane(const Eigen::VectorXd& normal, double offset, bool below_will_do) {
  const auto excess = [=](const Numbers& x) {
    const long double above = products(normal, x).value - offset;
    return below_will_do ? std::max(above, 0.0L) : above;
  };
  return {.nearest =
              [=](const Numbers& x) {
                const long double step = excess(x) / products(normal, x).square;
                Numbers y = x;
                for (std::size_t i = 0; i < x.size(); ++i) {
                  y[i] -= step * normal(static_cast<Eigen::Index>(i));
                }
                return y;
              },
          .violation = [=](const Numbers& x) { return std::abs(excess(x)); },
          .slack =
              [=](const Numbers& y, const auto& format) {
                const Products p = products(normal, y);
                return 3 * format.epsilon() * (p.magnitude + std::abs(offset)) +
                       format.smallest() * static_cast<long double>(normal.cwiseAbs().sum() + 1);
              },
          .tolerance =
              [=](const Numbers& x, const Numbers& nearest, const auto& format) {
                const Products p = products(normal, x);
                Numbers tolerance;
                for (std::size_t i = 0; i < x.size(); ++i) {
                  const long double n = std::abs(normal(static_cast<Eigen::Index>(i)));
                  const long double terms =
                      std::abs(x[i]) + n * (p.magnitude + std::abs(offset)) / p.square;
                  tolerance.push_back(format.epsilon() * std::abs(nearest[i]) +
                                      0.51L * format.smallest() + 1e-15L * terms);
                }
                return tolerance;
              }};
}

struct Moments {
  long double mean, magnitude;
};

inline Moments moments(const Numbers& x) {
  long double sum = 0, magnitudes = 0;
  for (const long double number : x) sum += number;
  const auto n = static_cast<long double>(x.size());
  long double mean = sum / n, rest = 0;
  for (const long double number : x) rest += number - mean;
  mean += rest / n;
  for (const long double number : x) magnitudes += std::abs(number);
  return {mean, magnitudes / n};
}

inline const Set centered{
    .nearest =
        [](const Numbers& x) {
          const long double mean = moments(x).mean;
          Numbers y;
          for (const long double number : x) y.push_back(number - mean);
          return y;
        },
    .violation = [](const Numbers& x) { return std::abs(moments(x).mean); },
    .slack =
        [](const Numbers& y, const auto& format) {
          // The last term is for the sum in the oracle.
          return 2.1L * format.epsilon() * moments(y).magnitude + 0.51L * format.smallest();
        },
    .tolerance =
        [](const Numbers& x, const Numbers& nearest, const auto& format) {
          const long double mean = moments(nearest).magnitude;
          const long double doubt = 1e-18L * moments(x).magnitude;  // of the oracle's own
          Numbers tolerance;
          for (const long double y : nearest) {
            tolerance.push_back(2 * format.epsilon() * std::abs(y) + 0.51L * format.smallest() +
                                2e-16L * mean + doubt);
          }
          return tolerance;
        }};

}  // namespace laws
