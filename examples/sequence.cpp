// Max-norm in a recurrent network.
//
// An Elman network (Cognitive Science 14, 1990) forecasts next month's mean temperature in
// Nottingham from the months before. It learns from 5 years of them, at learning rates from
// sensible to far too high, under max-norm and under what else is used: weight decay, clipped
// gradients.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include <rein/rein.hpp>

#include "temperature_io.hpp"

namespace {

constexpr int units = 16, training = 60, window = 12, batch = 8, steps = 500;
constexpr std::uint64_t seeds = 10;

using Months = Eigen::VectorXd;  // standardised temperatures

// A row holds what comes into one unit: from all units, from the input, and the bias.
struct Network {
  Eigen::Matrix<double, units, units + 2> hidden = hidden.Zero();
  Eigen::Matrix<double, 1, units + 1> output = output.Zero();
};

template <int Sequences>
using States = Eigen::Matrix<double, units, Sequences>;
template <int Sequences>
using Inputs = Eigen::Matrix<double, units + 2, Sequences>;  // states, temperature, 1

// One month: the forecasts for the next one. The states go into `in` and come out updated.
template <int Sequences>
auto advance(const Network& net, const Eigen::Matrix<double, 1, Sequences>& temperature,
             States<Sequences>& states, Inputs<Sequences>& in) {
  in << states, temperature, Eigen::Matrix<double, 1, Sequences>::Ones();
  states = (net.hidden * in).array().tanh();
  return Eigen::Matrix<double, 1, Sequences>((net.output.head<units>() * states).array() +
                                             net.output(units));
}

// Of half the mean squared error over a batch of windows (a column each, a month longer than what
// goes in), by backpropagation through time.
Network gradient(const Network& net, const Eigen::Matrix<double, window + 1, batch>& windows) {
  Network sum;
  std::array<Inputs<batch>, window> in;
  std::array<States<batch>, window> states;
  std::array<Eigen::Matrix<double, 1, batch>, window> error;
  States<batch> now = now.Zero();
  for (std::size_t t = 0; t < window; ++t) {
    const auto month = static_cast<Eigen::Index>(t);
    error[t] = advance<batch>(net, windows.row(month), now, in[t]) - windows.row(month + 1);
    error[t] /= batch * window;
    states[t] = now;
  }
  States<batch> back = back.Zero();
  for (std::size_t t = window; t-- > 0;) {
    sum.output.head<units>() += error[t] * states[t].transpose();
    sum.output(units) += error[t].sum();
    back += net.output.head<units>().transpose() * error[t];
    back.array() *= 1 - states[t].array().square();
    sum.hidden += back * in[t].transpose();
    back = (net.hidden.leftCols<units>().transpose() * back).eval();
  }
  return sum;
}

// The root mean square error of the forecasts for the months that are held out.
double held_out_error(const Network& net, const Months& series) {
  States<1> states = states.Zero();
  Inputs<1> in;
  double sum = 0;
  for (Eigen::Index t = 0; t + 1 < series.size(); ++t) {
    const double error = advance<1>(net, series.segment<1>(t), states, in)(0) - series(t + 1);
    if (t + 1 >= training) sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(series.size() - training));
}

// The generator of Steele, Lea and Flood (OOPSLA 2014).
struct SplitMix64 {
  std::uint64_t state;

  std::uint64_t operator()() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // In [-1, 1).
  double number() { return static_cast<double>((*this)() >> 11) * 0x1p-52 - 1; }
};

// How a run is trained, beside its constraint.
struct Setting {
  double learning_rate;
  double weight_decay = 0;
  double clip = (std::numeric_limits<double>::max)();
};

template <class Constraint>
Network train(const Months& series, const Setting& setting, const Constraint& constraint,
              std::uint64_t seed) {
  SplitMix64 random{seed};
  Network net;
  for (double& weight : net.hidden.leftCols<units + 1>().reshaped()) weight = 0.3 * random.number();
  for (double& weight : net.output.head<units>()) weight = 0.3 * random.number();

  const rein::SgdOptions options{.learning_rate = setting.learning_rate,
                                 .momentum = 0.9,
                                 .weight_decay = setting.weight_decay};
  rein::Sgd step_hidden{net.hidden, options, constraint};
  rein::Sgd step_output{net.output, options, constraint};
  for (int step = 0; step < steps; ++step) {
    Eigen::Matrix<double, window + 1, batch> windows;
    for (auto one : windows.colwise()) {
      one = series.segment<window + 1>(static_cast<Eigen::Index>(random() % (training - window)));
    }
    Network d = gradient(net, windows);
    rein::clip_gradient_norm(setting.clip, d.hidden, d.output);
    step_hidden.step(net.hidden, d.hidden);
    step_output.step(net.output, d.output);
  }
  return net;
}

double root_mean_square(const Eigen::VectorXd& x) {
  return x.norm() / std::sqrt(static_cast<double>(x.size()));
}

// One line of the table, in degrees: `spread` of them are 1 in the series.
template <class Constraint>
void show(const char* name, const Months& series, double spread, const Setting& setting,
          const Constraint& constraint) {
  const auto or_infinity = [](double x) { return std::isfinite(x) ? x : HUGE_VAL; };
  const double always_the_mean = root_mean_square(series.tail(series.size() - training));
  std::vector<double> errors;
  double norm = 0;
  int diverged = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Network net = train(series, setting, constraint, seed);
    errors.push_back(or_infinity(held_out_error(net, series)));
    diverged += errors.back() > always_the_mean;
    Eigen::Array<double, units + 1, 1> norms;
    norms << rein::norms(net.hidden, rein::per_row), rein::norms(net.output, rein::per_row);
    norm = (std::max)(norm, or_infinity(norms.maxCoeff<Eigen::PropagateNaN>()));
  }
  std::sort(errors.begin(), errors.end());
  const double median = (errors[(seeds - 1) / 2] + errors[seeds / 2]) / 2;
  std::printf("%5g  %-23s%#10.3g%#10.3g%#10.3g%6d of %zu\n", setting.learning_rate, name,
              spread * median, spread * errors.back(), norm, diverged, errors.size());
}

void run() {
  const std::vector<double> celsius =
      read_celsius(parse({"--data", REIN_EXAMPLE_DATA_DIR "/nottingham_1920_1939.csv"}));
  const auto count = static_cast<Eigen::Index>(celsius.size()), held_out = count - training;
  Months series = Months::Map(celsius.data(), count);
  series.array() -= series.head(training).mean();
  const double spread = root_mean_square(series.head(training));
  series /= spread;

  const Months mean_year =
      Eigen::Map<Eigen::MatrixXd>(series.data(), 12, training / 12).rowwise().mean();
  const Months known = series.tail(held_out);
  std::printf(
      "%d months to learn from, %td held out. Errors without a network, in degrees:\n"
      "%.2f (the month's mean), %.2f (last year's month), %.2f (always the mean).\n\n",
      training, held_out, spread * root_mean_square(known - mean_year.replicate(held_out / 12, 1)),
      spread * root_mean_square(known - series.segment(training - 12, held_out)),
      spread * root_mean_square(known));

  std::printf("%5s  %-23s%10s%10s%10s%12s\n", "rate", "", "error", "worst", "norm", "diverged");
  for (const double rate : {0.01, 0.1, 0.7}) {
    const rein::Unconstrained none;
    show("nothing", series, spread, {rate}, none);
    show("weight decay 0.01", series, spread, {.learning_rate = rate, .weight_decay = 0.01}, none);
    show("gradient clipped to 0.1", series, spread, {.learning_rate = rate, .clip = 0.1}, none);
    show("max-norm 2", series, spread, {rate}, rein::MaxNorm{2.0, rein::per_row});
    show("max-norm 1", series, spread, {rate}, rein::MaxNorm{1.0, rein::per_row});
    show("max-norm 0.5", series, spread, {rate}, rein::MaxNorm{0.5, rein::per_row});
  }
}

}  // namespace

int main() try { run(); } catch (const std::exception& error) {
  std::fprintf(stderr, "sequence: %s\n", error.what());
  return 2;
}
