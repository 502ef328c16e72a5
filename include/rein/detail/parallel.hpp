#pragma once

#include <algorithm>

#include <Eigen/Core>

#include <rein/constraint.hpp>
#include <rein/detail/scalar.hpp>

namespace rein::detail {

// To start a thread takes some 10 us, in which so many bytes are read.
inline constexpr Index worth_a_thread = 256 * 1024;

// How many threads to use for `bytes` of memory that come in so many pieces: as many as Eigen uses,
// if the program is compiled with OpenMP, is not in a parallel region already, and there is enough
// for each.
inline Index threads_for([[maybe_unused]] Index pieces, [[maybe_unused]] Index bytes) {
#if defined(EIGEN_HAS_OPENMP)
  if (bytes < 2 * worth_a_thread || omp_in_parallel()) return 1;
  return (std::min)({static_cast<Index>(Eigen::nbThreads()), pieces, bytes / worth_a_thread});
#else
  return 1;
#endif
}

// Calls work(begin, end) on ranges that make up [0, count), each in a thread of its own. Ranges
// begin at multiples of `grain`; none is shorter than half of it unless it is the only one.
template <class Work>
void in_parallel(Index count, [[maybe_unused]] Index grain, [[maybe_unused]] Index bytes,
                 const Work& work) {
#if defined(EIGEN_HAS_OPENMP)
  const Index grains = (count + grain / 2) / grain;
  if (const Index threads = threads_for(grains, bytes); threads > 1) {
#pragma omp parallel num_threads(static_cast <int>(threads))
    {
      const Index team = omp_get_num_threads();
      const Index me = omp_get_thread_num();
      work(grains * me / team * grain, me + 1 == team ? count : grains * (me + 1) / team * grain);
    }
    return;
  }
#endif
  work(Index(0), count);
}

// The same with work that gives a Report each; the sum of these.
template <class Work>
Report report_in_parallel(Index count, [[maybe_unused]] Index grain, [[maybe_unused]] Index bytes,
                          const Work& work) {
#if defined(EIGEN_HAS_OPENMP)
  if (threads_for(count, bytes) > 1) {
    Report total;
    in_parallel(count, grain, bytes, [&](Index begin, Index end) {
      const Report report = work(begin, end);
#pragma omp critical(rein_report)
      total += report;
    });
    return total;
  }
#endif
  return work(Index(0), count);
}

}  // namespace rein::detail
