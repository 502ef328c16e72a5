#pragma once

#include <rein/adam.hpp>
#include <rein/box.hpp>
#include <rein/constraint.hpp>
#include <rein/grouping.hpp>
#include <rein/l1_ball.hpp>
#include <rein/max_norm.hpp>
#include <rein/max_rms.hpp>
#include <rein/min_max_norm.hpp>
#include <rein/non_negative.hpp>
#include <rein/norms.hpp>
#include <rein/only.hpp>
#include <rein/sgd.hpp>
#include <rein/simplex.hpp>
#include <rein/tied.hpp>
#include <rein/unit_norm.hpp>
#include <rein/version.hpp>
