#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

// The messages of the Open Inference Protocol, version 2, as values: what HTTP and gRPC carry in
// forms of their own. Source: github.com/kserve/open-inference-protocol (specification/protocol)
// and, for parameters and binary data, the extensions of triton-inference-server/server
// (docs/protocol).
namespace edgewright::oip {

// What a JSON scalar and gRPC's InferParameter have in common.
using Parameter = std::variant<bool, int64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter>;

// An input of a request or an output of a response.
struct NamedTensor {
  std::string name;
  Tensor tensor;
  Parameters parameters;  // without those that say how the data travel
  bool binary = false;    // HTTP: the data follow the JSON, or are to follow it
};

struct RequestedOutput {
  std::string name;
  // HTTP: binary data wanted for this output; by InferRequest::binary_outputs where it is not said.
  bool binary = false;
  // The largest so many values as "VALUE:INDEX" texts instead of the tensor; 0: the tensor.
  int64_t classes = 0;
  Parameters parameters;
};

struct InferRequest {
  std::string model, version;  // HTTP: of the address, not of the body; no version: the server's
  std::string id;
  Parameters parameters;
  std::vector<NamedTensor> inputs;
  std::vector<RequestedOutput> outputs;  // empty: all
  bool binary_outputs = false;           // HTTP: of outputs that are not named
};

struct InferResponse {
  std::string model, version, id;
  Parameters parameters;
  std::vector<NamedTensor> outputs;
};

struct TensorMetadata {
  std::string name, datatype;
  std::vector<int64_t> shape;  // -1: any size
};
struct ModelMetadata {
  std::string name, platform;
  std::vector<std::string> versions;
  std::vector<TensorMetadata> inputs, outputs;
};
struct ServerMetadata {
  std::string name, version;
  std::vector<std::string> extensions;
};

}  // namespace edgewright::oip
