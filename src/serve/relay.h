#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/client.h"
#include "serve/served_model.h"

namespace edgewright {

// A part of a model on a tier between a device and the cloud: what it computes goes on to the next
// server, and the answer of that one comes back with its own. To whoever asks it looks like the
// whole rest of the model.
struct RelayPlan {
  std::string next_model;
  // Inputs of the next model: outputs of the part here, or inputs of it that only pass through.
  std::vector<std::string> sends;
  std::vector<ServedPort> passed;   // of those, inputs that the part here does not take itself
  std::vector<ServedPort> outputs;  // of both together
  double deadline_us = 30e6;        // of the next server's part
};

// `connect` opens a connection to the next server; it is tried anew when it fails. A run fails with
// kCheckFailed when the next server does not answer, so that the asker finishes by itself.
// kBadInput when `here` gives or takes other names than the plan says.
Result<std::unique_ptr<ServedModel>> relay_model(
    std::unique_ptr<ServedModel> here, RelayPlan plan,
    std::function<Result<std::unique_ptr<InferenceClient>>()> connect);

}  // namespace edgewright
