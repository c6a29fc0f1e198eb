#pragma once

#include <functional>
#include <span>

#include "split/codec/coded.h"
#include "tensor/tensor.h"

namespace edgewright {

// What a form of activations does to a cut model's answers.
struct WireAccuracy {
  double agreement = 1;           // share of samples whose top answer stays
  double relative_l2 = 0;         // of the activations
  double output_relative_l2 = 0;  // of the first float32 output
  size_t samples = 0;
  double encode_us = 0;    // median of one sample
  double sent_bytes = 0;   // mean of one sample
  double plain_bytes = 0;  // the same as float32
};

using NamedTensors = std::map<std::string, Tensor>;
// The second half, from the values that are sent.
using SecondHalf = std::function<Result<NamedTensors>(const NamedTensors& sent)>;

// Runs the second half on what the form leaves of the samples, and on the samples themselves; stops
// early, though not before eight samples, when `enough_us` have passed. `noise` (may be empty)
// changes the values before they are sent.
using SentNoise = std::function<Result<NamedTensors>(const NamedTensors& sent)>;
Result<WireAccuracy> wire_accuracy(const SentForm& form, std::span<const NamedTensors> sent,
                                   const SecondHalf& rest, double enough_us,
                                   const SentNoise& noise = {});

}  // namespace edgewright
