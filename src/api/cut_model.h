#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/open_backend.h"
#include "split/halves.h"

namespace edgewright {

// Both halves of a model, ready to run after each other in this process.
class CutModel {
 public:
  // `cut`: the name of a layer or of a value; all layers up to it run on the device. "input": none.
  // kUsage naming some layers when there is none of this name.
  static Result<CutModel> open(const std::string& path, const InputShapes& shapes,
                               const std::string& cut, int threads);

  // Inputs of the whole model, in its order.
  const std::vector<std::string>& inputs() const { return inputs_; }
  const Dims& input_dims(size_t index) const { return input_dims_[index]; }
  const std::vector<Dims>& all_input_dims() const { return input_dims_; }
  const std::string& cut() const { return cut_; }
  const std::vector<std::string>& sent_names() const { return halves_.sent; }

  // What is sent for these inputs, by name. Time of the device half in `device_us` when not null.
  Result<TensorMap> run_device(const TensorMap& inputs, double* device_us = nullptr);
  // The model's outputs that the server half makes.
  Result<TensorMap> run_server(const TensorMap& sent);

 private:
  std::vector<std::string> inputs_;
  std::vector<Dims> input_dims_;
  std::string cut_;
  ModelHalves halves_;
  OpenedModel device_, server_;  // without a session where a half is empty
};

// One run of an opened half: tensors by name.
Result<TensorMap> run_opened(OpenedModel& half, const TensorMap& given);

// The placement that runs the layers up to the named one on the device.
Result<Placement> placement_at(const GraphWork& work, const std::string& cut);

// Samples of DATA (or `count` seeded random ones where it is empty) as inputs of a cut model, and
// their labels where there are any.
struct CutSamples {
  std::vector<TensorMap> inputs;
  std::vector<int64_t> labels;
};
Result<CutSamples> cut_samples(const CutModel& model, const std::string& data, size_t count,
                               uint64_t seed);

// The same for a model with these inputs.
Result<CutSamples> input_samples(const std::vector<std::string>& names,
                                 const std::vector<Dims>& dims, const std::string& data,
                                 size_t count, uint64_t seed);

}  // namespace edgewright
