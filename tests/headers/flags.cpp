// A program of three translation units, of which two are compiled with flags of their own: each
// defines PART as the name of its function. Whichever copy of a function the linker keeps, both
// must find what they are promised.

#ifdef PART

#include <rein/rein.hpp>

// Four steps of 4 x 40 weights, whose rows become, in turn: longer than the limit, a NaN, so long
// that squares overflow, and short enough to stay.
void PART(float* weights, const float* gradient) {
  using W = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<W> w(weights, 4, 40);
  const Eigen::Map<const W> g(gradient, 4, 40);
  rein::Adam adam{w, {.learning_rate = 0.01}, rein::MaxNorm{1.0, rein::per_row}};
  for (int step = 0; step < 4; ++step) adam.step(w, g);
}

#else

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <initializer_list>

void first(float* weights, const float* gradient);
void second(float* weights, const float* gradient);

int main() {
  constexpr int cols = 40;
  float one[4 * cols], other[4 * cols], gradient[4 * cols];
  for (int i = 0; i < 4 * cols; ++i) {
    const int row = i / cols;
    one[i] = row == 2 ? 1e30f : row == 3 ? 0.01f : static_cast<float>(i % 7);
    gradient[i] = static_cast<float>(i % 5 - 2);
  }
  one[cols + 3] = std::bit_cast<float>(std::uint32_t{0x7FC00000});
  for (int i = 0; i < 4 * cols; ++i) other[i] = one[i];
  first(one, gradient);
  second(other, gradient);

  int wrong = 0;
  for (const float* w : {one, other}) {
    for (int row = 0; row < 4; ++row) {
      double square = 0;
      int nans = 0;
      for (const float* x = w + row * cols; x != w + (row + 1) * cols; ++x) {
        const bool nan = (std::bit_cast<std::uint32_t>(*x) & 0x7F800000) == 0x7F800000;
        nans += nan;
        if (!nan) square += static_cast<double>(*x) * static_cast<double>(*x);
      }
      const double norm = std::sqrt(square);
      const bool ok = row == 1   ? nans == 1 && norm > 5
                      : row == 3 ? nans == 0 && norm > 0.05 && norm < 0.5
                                 : nans == 0 && std::abs(norm - 1) < 1e-6;
      if (ok) continue;
      std::printf("row %d: norm %.9g, %d NaNs\n", row, norm, nans);
      ++wrong;
    }
  }
  for (int i = 0; i < 4 * cols; ++i) {
    const double difference = static_cast<double>(one[i]) - static_cast<double>(other[i]);
    if (i != cols + 3 && !(std::abs(difference) <= 2e-6)) ++wrong;
  }
  std::printf("%d wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}

#endif
