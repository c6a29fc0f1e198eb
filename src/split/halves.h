#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "split/problem.h"
#include "split/work.h"

namespace edgewright {

// A model cut in two that compute, one after the other, what the whole computes.
struct ModelHalves {
  // Takes the inputs that its nodes need; gives the values that are sent, then its share of the
  // model's outputs. Without nodes when everything runs on the server.
  Model device;
  // Takes the values that are sent and the inputs that its nodes need; gives its share of the
  // model's outputs. Without nodes when everything runs on the device.
  Model server;
  // Values that travel: outputs of the device half, or inputs of the whole model, that the server
  // half takes. Under their own names.
  std::vector<std::string> sent;
  std::vector<std::string> device_outputs, server_outputs;  // of the whole model
};

// `work` must be graph_work() of this model's graph. Nodes that depend on no input go wherever they
// are needed, into both halves if both do. Two tiers only.
Result<ModelHalves> split_model(const Model& model, const GraphWork& work,
                                const Placement& placement);

// The nodes that make `gives` out of `takes` (values that nodes make) and the model's inputs, as a
// model of its own: its inputs are those of the model that are used, then `takes`.
Model model_part(const Model& model, const std::vector<std::string>& takes,
                 const std::vector<std::string>& gives);

}  // namespace edgewright
