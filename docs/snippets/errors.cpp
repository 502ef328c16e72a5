#include <cstdio>
#include <stdexcept>

#include <rein/rein.hpp>

template <class F>
void attempt(F f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    std::printf("%s\n", e.what());
  }
}

int main() {
  using namespace rein;
  Eigen::MatrixXf W = Eigen::MatrixXf::Ones(4, 3);
  Eigen::VectorXf b = Eigen::VectorXf::Ones(3);
  const MaxNorm max_norm{1, per_row};
  Sgd sgd{W};

  attempt([&] { MaxNorm{-1, per_row}; });
  attempt([&] { MinMaxNorm{2, 1, per_row}; });
  attempt([&] { Box{1, 0}; });
  attempt([&] { L1Ball{-2, per_row}; });
  attempt([&] { Halfspace{Eigen::Vector3f::Zero(), 1, per_row}; });
  attempt([&] { Halfspace{Eigen::Vector4f::Ones(), 1, per_row}(W); });
  attempt([&] { every(0, max_norm); });
  attempt([&] { per_filter("oihw", {4, 3, 1}); });
  attempt([&] { MaxNorm{1, per_filter("oihw", {4, 3, 2, 2})}(W); });
  attempt([&] { max_norm(W, tied(b)); });
  attempt([&] { max_norm(W, only({0, 4})); });
  attempt([&] { max_norm(W, only({1, 1})); });
  attempt([&] { rescale(W, per_row, Eigen::Array3f(1, 1, 1)); });
  attempt([&] { Adam{W, {.beta1 = 1}}; });
  attempt([&] { sgd.step(W, Eigen::MatrixXf::Ones(3, 4)); });
}
