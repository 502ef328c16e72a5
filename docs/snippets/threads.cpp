#include <cstdio>
#include <thread>
#include <vector>

#include <rein/rein.hpp>

int main() {
  std::vector<Eigen::MatrixXf> layers(4, Eigen::MatrixXf::Constant(64, 64, 1));
  std::vector<rein::Report> reports(layers.size());
  const rein::MaxNorm max_norm{1.0, rein::per_row};  // shared: a call does not change it

  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    threads.emplace_back([&, i] { reports[i] = max_norm(layers[i]); });
  }
  for (std::thread& thread : threads) thread.join();

  rein::Report all;
  for (const rein::Report& report : reports) all += report;
  std::printf("changed %td of %td\n", all.changed, all.checked);
}
