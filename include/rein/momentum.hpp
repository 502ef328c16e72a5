#pragma once

namespace rein {

/// What becomes of the momentum m (Adam's first moment) of a vector w that the constraint of a step
/// has changed; the option after_projection of Sgd and Adam.
///
/// m is as the step left it, w as the constraint left it. <m, w> is the sum over the stored numbers
/// of both, a complex entry being two. Vectors that the constraint leaves alone keep their
/// momentum's bits, and second moments are never touched. Under `tangent`, a w of zeros has no
/// direction and keeps its momentum, and so does a w whose momentum holds a NaN or an Inf.
///
///     rein::Sgd sgd{W, {.momentum = 0.9, .after_projection = rein::Momentum::tangent}, max_norm};
enum class Momentum {
  keep,     ///< nothing, as in all frameworks
  reset,    ///< m <- 0
  tangent,  ///< m <- m - <m, w> / <w, w> * w: its component along w goes
};

}  // namespace rein
