// What a weight constraint does, on temperatures.
//
// Part 1 is arithmetic: a model that is right but exaggerates, and what MaxNorm makes of it.
// Part 2 trains the same kind of model on a summer in New York, with part of the labels wrong and
// the learning rate far too high, without and with max-norm. Its options: temperature --help

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <rein/rein.hpp>

#include "temperature_io.hpp"

namespace {

// ---- Part 1: y = w*x + b, and a day is hot when y > 0 -------------------------------------------

void explain_max_norm() {
  const Eigen::Array4d x{20, 30, 31, 35};
  const auto answers = [&](const char* what, const Eigen::MatrixXd& W, const Eigen::VectorXd& b) {
    const Eigen::Array4d y = W(0) * x + b(0);
    std::printf("  %-28s%8g%8g%10g%8g%8g%8g\n", what, W(0), b(0), y(0), y(1), y(2), y(3));
    return Eigen::Array4i{(y > 0).cast<int>()};
  };

  std::printf("1. y = w*x + b says hot when y > 0\n\n");
  std::printf("  %-28s%8s%8s%10s%8s%8s%8s\n", "", "w", "b", "20 C", "30 C", "31 C", "35 C");
  Eigen::MatrixXd W{{100}};
  Eigen::VectorXd b{{-3000}};
  const auto right = answers("before", W, b);

  const rein::MaxNorm max_norm{1, rein::per_row};
  Eigen::MatrixXd alone = W;
  max_norm(alone);
  const auto without_b = answers("max_norm(W)", alone, b);

  const rein::Report report = max_norm(W, rein::tied(b));
  const auto with_b = answers("max_norm(W, rein::tied(b))", W, b);

  std::printf(
      "\n  The norm was %g and the limit is 1. Rescaling w alone keeps %td of the 4 answers;\n"
      "  with b tied to it %td of 4 stay, and only the exaggeration goes.\n",
      report.largest_norm, (without_b == right).count(), (with_b == right).count());

  W(0) = 50;
  const double y = W(0) * 2;
  rein::MaxNorm{10, rein::per_row}(W);
  std::printf("  Another: w = 50 and x = 2 give %g; under a limit of 10, w = %g and y = %g.\n\n", y,
              W(0), W(0) * 2);
}

// ---- Part 2: training ---------------------------------------------------------------------------

// The weights of one unit, [w, b]. Max-norm rescales both, so it never changes an answer.
using Unit = Eigen::RowVector2d;

struct Days {
  Eigen::MatrixX2d x;   // a day is a row: standardised temperature, 1
  Eigen::VectorXd hot;  // 1 or 0
};

double probability(double y) { return 1 / (1 + std::exp(-y)); }

// -log of the probability that the model gives to the label, on average. Stable for any y.
double log_loss(const Days& days, const Unit& W) {
  const Eigen::ArrayXd y = days.x * W.transpose();
  return (y.max(0.0) + (-y.abs()).exp().log1p() - days.hot.array() * y).mean();
}

double accuracy(const Days& days, const Unit& W) {
  const Eigen::ArrayXd y = days.x * W.transpose();
  return ((y > 0).cast<double>() == days.hot.array()).cast<double>().mean();
}

struct Split {
  Days train, held_out;
  double centre, scale;  // of the training temperatures
  std::mt19937 random;   // draws the batches: the same ones in every run on this split
};

// Holds a third of the days out, at random, and gives a fifth of the others the wrong label.
// The generator is used as it is: std::shuffle and the distributions of <random> would give other
// numbers with another standard library.
Split make_split(std::vector<double> celsius, double threshold, unsigned seed) {
  std::mt19937 random{seed};
  for (std::size_t i = celsius.size(); i > 1; --i) std::swap(celsius[i - 1], celsius[random() % i]);

  const auto days = static_cast<Eigen::Index>(celsius.size());
  const Eigen::Index training = days * 2 / 3, mislabelled = training / 5;
  const Eigen::Map<const Eigen::ArrayXd> t{celsius.data(), days};
  const double centre = t.head(training).mean();
  const double spread = std::sqrt((t.head(training) - centre).square().mean());
  const double scale = spread > 0 ? spread : 1;

  Eigen::MatrixX2d x = Eigen::MatrixX2d::Ones(days, 2);
  x.col(0) = (t - centre) / scale;
  Eigen::VectorXd hot = (t > threshold).cast<double>();
  hot.head(mislabelled) = 1 - hot.head(mislabelled).array();
  return {{x.topRows(training), hot.head(training)},
          {x.bottomRows(days - training), hot.tail(days - training)},
          centre,
          scale,
          random};
}

// y = slope * celsius + intercept
std::pair<double, double> per_degree(const Split& split, const Unit& W) {
  return {W(0) / split.scale, W(1) - W(0) * split.centre / split.scale};
}

constexpr int splits = 100, steps = 240, stride = 10, batch = 8;

struct Run {
  const char* optimizer;
  const char* constraint;
  std::vector<Unit> curve;  // the weights every `stride` steps
  int rescaled = 0;         // steps after which the constraint had something to do
  const Unit& W() const { return curve.back(); }
};

template <class Optimizer>
Run train(const Split& split, Optimizer optimizer, const char* name, const char* constraint) {
  Unit W = Unit::Zero();
  Run run{name, constraint, {W}};
  std::mt19937 random = split.random;
  const Days& days = split.train;
  for (int step = 1; step <= steps; ++step) {
    Unit gradient = Unit::Zero();
    for (int k = 0; k < batch; ++k) {
      const auto day = static_cast<Eigen::Index>(random()) % days.hot.size();
      const auto x = days.x.row(day);
      gradient += (probability(x.dot(W)) - days.hot(day)) / batch * x;
    }
    const rein::Report report = optimizer.step(W, gradient);  // the step, then the constraint
    run.rescaled += report.changed > 0;
    if (step % stride == 0) run.curve.push_back(W);
  }
  return run;
}

using Runs = std::array<Run, 4>;

struct Experiment {
  Split split;
  Runs runs;
};

Experiment experiment(const Split& split, double limit, double pace = 1) {
  const Unit W = Unit::Zero();
  const rein::SgdOptions sgd{.learning_rate = 5 * pace, .momentum = 0.95};
  const rein::AdamOptions adam{.learning_rate = 10 * pace, .beta1 = 0.95};
  const rein::MaxNorm max_norm{limit, rein::per_row};
  return {split,
          {train(split, rein::Sgd{W, sgd}, "Sgd", "none"),
           train(split, rein::Sgd{W, sgd, max_norm}, "Sgd", "max-norm"),
           train(split, rein::Adam{W, adam}, "Adam", "none"),
           train(split, rein::Adam{W, adam, max_norm}, "Adam", "max-norm")}};
}

template <class Value>
Eigen::Array4d of_each(const Runs& runs, Value value) {
  return {value(runs[0]), value(runs[1]), value(runs[2]), value(runs[3])};
}

// The mean over the second half of the steps; at such rates the last one is a matter of luck.
Eigen::Array4d late(double (*measure)(const Days&, const Unit&), const Days& days,
                    const Runs& runs) {
  return of_each(runs, [&](const Run& run) {
    double sum = 0;
    const std::size_t points = run.curve.size(), half = points / 2;
    for (std::size_t i = points - half; i < points; ++i) sum += measure(days, run.curve[i]);
    return sum / static_cast<double>(half);
  });
}

void print_row(const std::string& label, int digits, const Eigen::Array4d& value) {
  std::printf("  %-28s%10.*f%10.*f%14.*f%10.*f\n", label.c_str(), digits, value(0), digits,
              value(1), digits, value(2), digits, value(3));
}

void show_one_split(const Split& split, const Runs& runs, double threshold) {
  std::printf("  %-28s%20s%24s\n", "", runs[0].optimizer, runs[2].optimizer);
  std::printf("  %-28s%10s%10s%14s%10s\n", "constraint", runs[0].constraint, runs[1].constraint,
              runs[2].constraint, runs[3].constraint);
  print_row("training log loss *", 2, late(log_loss, split.train, runs));
  print_row("training accuracy *", 2, late(accuracy, split.train, runs));
  print_row("held-out log loss *", 2, late(log_loss, split.held_out, runs));
  print_row("held-out accuracy *", 2, late(accuracy, split.held_out, runs));

  print_row("steps rescaled, of " + std::to_string(steps), 0,
            of_each(runs, [](const Run& run) { return 1.0 * run.rescaled; }));
  print_row("weight norm, last", 2, of_each(runs, [](const Run& run) { return run.W().norm(); }));
  for (const double celsius :
       {threshold - 10, threshold - 1, threshold, threshold + 1, threshold + 5}) {
    std::ostringstream label;
    label << "P(hot) at " << celsius << " C, last";
    print_row(label.str(), 3, of_each(runs, [&](const Run& run) {
                const auto [slope, intercept] = per_degree(split, run.W());
                return probability(slope * celsius + intercept);
              }));
  }
}

void show_all_splits(const std::vector<Experiment>& experiments, double limit) {
  Eigen::Array4d loss = Eigen::Array4d::Zero(), worst = loss, right = loss, lower = loss;
  double careful = 0;
  bool reached = false;
  for (const auto& [split, runs] : experiments) {
    const Eigen::Array4d one = late(log_loss, split.held_out, runs);
    loss += one / splits;
    worst = worst.max(one);
    right += late(accuracy, split.held_out, runs) / splits;
    lower(1) += one(1) < one(0);
    lower(3) += one(3) < one(2);
    careful += late(log_loss, split.held_out, experiment(split, limit, 0.02).runs)(0) / splits;
    reached = reached || runs[1].rescaled + runs[3].rescaled > 0;
  }
  std::printf("\n  over %d such splits\n", splits);
  print_row("held-out log loss *, mean", 2, loss);
  print_row("held-out log loss *, worst", 2, worst);
  print_row("held-out accuracy *, mean", 2, right);
  std::printf("  * mean over the second half of the steps; the last one is a matter of luck\n\n");

  if (!reached) {
    std::printf("  What to see: nothing. The weights never reached the limit.\n");
    return;
  }
  std::printf(
      "  What to see: max-norm turns a mean held-out log loss of %.2f into %.2f with Sgd,\n"
      "  of %.2f into %.2f with Adam. It is lower in %g and %g of the %d splits.\n",
      loss(0), loss(1), loss(2), loss(3), lower(1), lower(3), splits);
  if (loss(1) < loss(0) && loss(3) < loss(2)) {
    std::printf(
        "  Why: wrong labels, at such rates, throw the weights far out, where each mistake\n"
        "  costs all of |y|. Under the limit they turn the weights but do not stretch them.\n");
  }
  std::printf("  It does not replace a good rate: Sgd alone has %.2f at a fiftieth of this one.\n",
              careful);
}

// ---- Files --------------------------------------------------------------------------------------

std::string learning_curves(const std::vector<Experiment>& experiments) {
  std::ostringstream csv;
  csv << "split,optimizer,constraint,step,weight_norm,train_loss,heldout_loss,train_accuracy,"
         "heldout_accuracy,slope,intercept\n";
  for (std::size_t s = 0; s < experiments.size(); ++s) {
    const auto& [split, runs] = experiments[s];
    for (const Run& run : runs) {
      for (std::size_t i = 0; i < run.curve.size(); ++i) {
        const Unit& W = run.curve[i];
        const auto [slope, intercept] = per_degree(split, W);
        csv << s + 1 << ',' << run.optimizer << ',' << run.constraint << ',' << i * stride << ','
            << W.norm() << ',' << log_loss(split.train, W) << ',' << log_loss(split.held_out, W)
            << ',' << accuracy(split.train, W) << ',' << accuracy(split.held_out, W) << ',' << slope
            << ',' << intercept << '\n';
      }
    }
  }
  return csv.str();
}

void run(const Options& options) {
  const std::vector<double> celsius = read_celsius(options);
  std::vector<Experiment> experiments;
  for (unsigned i = 0; i < splits; ++i) {
    const Split split = make_split(celsius, options.threshold, 1973 + i);
    experiments.push_back(experiment(split, options.limit));
  }
  if (!options.csv.empty()) write_file(options.csv, learning_curves(experiments));
  explain_max_norm();
  const auto hot = std::count_if(celsius.begin(), celsius.end(),
                                 [&](double t) { return t > options.threshold; });
  const auto cold = std::ssize(celsius) - hot;
  std::printf(
      "2. %td days, %td of them hot (above %g C); the same answer every day is right on %td.\n"
      "   The model learns from two thirds of them, a fifth of which have the wrong label, at\n"
      "   learning rates far too high. The others, all with the right label, are held out.\n\n",
      hot + cold, hot, options.threshold, std::max(hot, cold));
  show_one_split(experiments[0].split, experiments[0].runs, options.threshold);
  show_all_splits(experiments, options.limit);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) {
    std::printf("%s", usage);
  } else {
    run(parse(arguments));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) fail("the output cannot be written");
} catch (const std::exception& error) {
  std::fprintf(stderr, "temperature: %s\n", error.what());
  return 2;
}
