#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "serve/batching/plan_batch.h"
#include "serve/served_model.h"

namespace edgewright {

// What a model's config.pbtxt says, as far as it matters here. Source of the fields:
// triton-inference-server/common, protobuf/model_config.proto.
struct ServingConfig {
  std::string name, backend;
  int64_t max_batch_size = 0;  // 0: the first dimension is one like the others
  bool dynamic_batching = false;
  BatchLimits batching;            // max_rows 0 without dynamic batching
  int64_t default_timeout_us = 0;  // from a request's arrival; 0: the server's
  bool timeout_override = false;   // a request's own timeout goes before that
  int instances = 0;               // 0: not said
  std::string file_name;           // of the model in its version's folder; empty: any known one

  struct VersionPolicy {
    int64_t latest = 1;             // so many of the highest numbers; 0: all
    std::vector<int64_t> specific;  // in place of that where not empty
  };
  VersionPolicy versions;

  struct Port {
    std::string name;
    DType dtype = DType::kUndefined;
    std::vector<int64_t> dims;  // without the batch's
  };
  std::vector<Port> inputs, outputs;  // empty: as the model says
  std::map<std::string, std::string> parameters;
  std::vector<std::string> warnings;  // what was read and has no effect
};

// Errors: bad input with the line; unsupported for what would have to change the answers and cannot
// (ensembles, sequences, GPUs, other backends).
Result<ServingConfig> read_serving_config(std::string_view text);

// Whether the model is what its configuration says: names, types, shapes.
Status check_ports(const ServingConfig& config, const std::vector<ServedPort>& inputs,
                   const std::vector<ServedPort>& outputs);

}  // namespace edgewright
