#pragma once

#include <algorithm>

#include <Eigen/Core>

#include <rein/detail/scalar.hpp>

namespace rein::detail {

// Calls work(begin, end) on ranges that make up [0, count), from as many
// threads as Eigen uses if the program is compiled with OpenMP, is not in a
// parallel region already, and there are `bytes` enough for it: to start a
// thread takes some 10 us, in which 256 KiB are read. Ranges begin at multiples
// of `grain`.
template <class Work>
void in_parallel(Index count, [[maybe_unused]] Index grain, [[maybe_unused]] Index bytes,
                 const Work& work) {
#if defined(EIGEN_HAS_OPENMP)
  constexpr Index worth_a_thread = 256 * 1024;
  const Index grains = (count + grain - 1) / grain;
  const Index threads =
      (std::min)({static_cast<Index>(Eigen::nbThreads()), grains, bytes / worth_a_thread});
  if (threads > 1 && !omp_in_parallel()) {
#pragma omp parallel num_threads(static_cast <int>(threads))
    {
      const Index team = omp_get_num_threads();
      const Index me = omp_get_thread_num();
      work((std::min)(grains * me / team * grain, count),
           (std::min)(grains * (me + 1) / team * grain, count));
    }
    return;
  }
#endif
  work(Index(0), count);
}

}  // namespace rein::detail
