#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edgewright/inspect.h"
#include "edgewright/tensor.h"

namespace edgewright {

struct InferenceOptions {
  std::string backend = "native";  // or "reference"
  int threads = 1;
  InputShapes shapes;    // fix symbolic dimensions in advance
  bool optimise = true;  // native backend on an ONNX file: run the passes first
  bool tune = false;     // measure the kernels of every layer when a plan is made
  // File that keeps measured times between runs; empty: only this session knows them.
  std::string timing_cache;
};

using TensorMap = std::map<std::string, Tensor>;

// A model that is ready to run. run() may be called again and again; one call at a time.
class InferenceSession {
 public:
  // An .onnx file or a .ewplan file.
  static Result<InferenceSession> open(const std::string& path,
                                       const InferenceOptions& options = {});
  ~InferenceSession();
  InferenceSession(InferenceSession&&) noexcept;
  InferenceSession& operator=(InferenceSession&&) noexcept;

  const std::vector<InterfaceValue>& inputs() const;
  const std::vector<InterfaceValue>& outputs() const;
  // Every input by name; inputs with a default may be missing. Outputs that are no tensors (empty
  // optionals) are left out; the elements of a sequence are NAME.0, NAME.1, ...
  Result<TensorMap> run(const TensorMap& inputs);

  // Bytes of the static arena, and the largest set of values alive at one time in it; 0 before the
  // first run and for the reference backend.
  int64_t arena_bytes() const;
  int64_t live_set_bytes() const;
  const std::vector<std::string>& warnings() const;

 private:
  struct State;
  explicit InferenceSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace edgewright
