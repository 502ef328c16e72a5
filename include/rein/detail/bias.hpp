#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/careful.hpp>
#include <rein/detail/error.hpp>
#include <rein/detail/scalar.hpp>
#include <rein/detail/shared_entries.hpp>

// What tied() and joint() share: a bias with one entry for each vector of the weights.

namespace rein::detail {

template <class Bias>
void check_bias(const char* name, const Bias& bias, Index vectors) {
  if (bias.size() != vectors) {
    invalid_argument(name, {"the bias' size is ", text(bias.size()),
                            "; it must be the number of vectors, ", text(vectors)});
  }
}

// A bias that may be const itself: a view's constness is not its entries'.
template <class Bias>
auto& writable(const Bias& bias) {
  return const_cast<std::remove_cvref_t<Bias>&>(bias);
}

template <class W, class Bias>
void check_bias_apart(const char* name, W& weights, const Bias& bias) {
  if constexpr (Weights<std::remove_cvref_t<Bias>&>) {
    if (share_entries(weights, writable(bias))) {
      invalid_argument(name, {"the bias lies in the weights' memory; it must be apart"});
    }
  }
}

template <class Bias, class Factor>
void rescale_bias(const Bias& bias, Index v, const Factor& by) {
  if constexpr (Weights<std::remove_cvref_t<Bias>&>) {
    const ScaledNumber factor = scaled(by);
    using Scalar = typename Dense<Bias>::Scalar;
    Scalar& entry = writable(bias).coeffRef(v);
    if constexpr (ScalarTraits<Scalar>::components == 2) {
      entry = Scalar(careful_product(entry.real(), factor), careful_product(entry.imag(), factor));
    } else {
      entry = careful_product(entry, factor);
    }
  }
}

template <class Real, class Scalar>
Real square(const Scalar& x) {
  if constexpr (ScalarTraits<Scalar>::components == 2) {
    return x.real() * x.real() + x.imag() * x.imag();
  } else {
    return static_cast<Real>(x) * static_cast<Real>(x);
  }
}

// The vectors of a view, each with its entry of a bias behind its own.
template <class View, class Bias>
struct WithBias {
  using Scalar = typename View::Scalar;
  const View& view;
  const Bias& bias;
};

template <class View, class Bias, class Visit>
void for_each_component(const WithBias<View, Bias>& vectors, Index v, const Visit& visit) {
  for_each_component(vectors.view, v, visit);
  using Scalar = typename View::Scalar;
  Scalar& entry = writable(vectors.bias).coeffRef(v);
  if constexpr (ScalarTraits<Scalar>::components == 1) {
    visit(entry);
  } else {
    auto* parts = reinterpret_cast<typename ScalarTraits<Scalar>::Component*>(&entry);
    visit(parts[0]);
    visit(parts[1]);
  }
}

}  // namespace rein::detail
