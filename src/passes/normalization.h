#pragma once

#include <optional>

#include "passes/pass.h"
#include "passes/pattern.h"

namespace edgewright {

// How a pattern of a normalisation ends: what fuse_layer_normalization and
// fuse_rms_normalization have in common. The match names x, m (the mean over the axes), e
// (epsilon) and, where the root scales or shifts, g and b.
struct Normalization {
  Value* x = nullptr;      // before a Cast to float32 that the operator does inside
  Value* scale = nullptr;  // null: none
  Value* shift = nullptr;
  int64_t axis = -1;
  float epsilon = 0;
};

// Reads the match at `root`; empty when a condition fails, or when the user of the root is the
// multiplication or addition that belongs to the pattern too: then the match is to start there.
std::optional<Normalization> read_normalization(const Node& root, const Match& match,
                                                bool with_shift);

// A constant one of the shape of the normalised axes, for operators that demand a scale.
Result<Value*> add_unit_scale(Graph& graph, const Normalization& normalization);

}  // namespace edgewright
