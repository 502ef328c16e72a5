#pragma once

#include <Eigen/Core>

// Defined in the program's second translation unit, which includes rein too.
void constrain(Eigen::MatrixXf& weights);
