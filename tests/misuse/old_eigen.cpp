// refused: rein needs Eigen 3.4 or newer
#include <Eigen/Core>

#ifdef MISUSE
#undef EIGEN_MAJOR_VERSION
#define EIGEN_MAJOR_VERSION 3
#endif

#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& w) { rein::MaxNorm{1.0, rein::per_row}(w); }
