#pragma once

#include <vector>

#include "base/progress.h"
#include "profile/far_runs.h"
#include "profile/time_model.h"

namespace edgewright {

struct SweepOptions {
  size_t first = 0, count = 2000;  // which shapes of the endless sequence
  double seconds = 60;             // ends earlier when this is over
  int threads = 1;
  MoveKernels move;
  Progress progress;
};

struct LayerTime {
  size_t index = 0;  // in the endless sequence: says what was timed
  double time_us = 0;
  // What was read of other memory between two runs; 0: it ran alone in a loop.
  double others_bytes = 0;
  double constant_bytes = 0;  // as its kernel reads them: packed where it packs
  bool is_generated = false;  // its kernel's code is
  double pace_us = 1;         // of the machine around it: PaceMeter
};

// Times made-up layers with the kernels that a plan would have, each alone and twice with other
// data read in between: of every twelve, three convolutions, one depthwise, three matrix products
// of different forms and one other (attention, normalisation, softmax, layout, pooling,
// concatenation, element-wise) in float32; one convolution, one pointwise
// or depthwise, one matrix product and one other (attention, rounding, layout) in 8 bits. Shape i
// is always the same; sizes are drawn evenly on a logarithmic scale over what networks for edge
// devices have.
Result<std::vector<LayerTime>> sweep_layers(const SweepOptions& options);

// Those that were timed while nothing else slowed the machine down: the pace held during a layer
// and was near the quickest of the sweep. All where that would leave less than half. The times of
// one layer stand together.
std::vector<LayerTime> undisturbed(std::span<const LayerTime> layers);

// The middle of their paces.
double usual_pace_us(std::span<const LayerTime> layers);
// What a model of times is fitted to, one for each: times as at this pace of the machine.
std::vector<TimeSample> samples_of(std::span<const LayerTime> layers, const Roofline& roofline,
                                   double pace_us);

// Every other block of twelve layers, so that both halves hold all kinds.
bool is_held_back(const LayerTime& layer);

// One line a layer, so that a sweep can go on where another ended.
std::string layer_times_to_csv(std::span<const LayerTime> layers);
Result<std::vector<LayerTime>> parse_layer_times(std::string_view text, std::string_view file);

}  // namespace edgewright
