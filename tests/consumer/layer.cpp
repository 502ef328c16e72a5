#include "layer.hpp"

#include <rein/rein.hpp>

void constrain(Eigen::MatrixXf& weights) { rein::MaxNorm{2.0, rein::per_row}(weights); }
