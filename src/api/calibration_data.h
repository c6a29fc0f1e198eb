#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "quantize/runner.h"
#include "tensor/datum.h"

namespace edgewright {

// DATA cut into samples for the inputs of a model.
struct CalibrationData {
  std::vector<std::vector<Datum>> samples;  // by sample, then by input that is no constant
  std::vector<int64_t> labels;              // one a sample, or empty
  std::string fingerprint;                  // of all bytes
  std::vector<std::string> warnings;
};

// Reads and checks DATA: an array for every input with its type and shape, first axis = samples
// (inputs with a fixed first dimension B take B samples at a time), all of one length, no NaN or
// infinity, `labels` int64 [samples] where present. kBadInput says which array is wrong and why.
Result<CalibrationData> load_calibration_data(const Graph& graph, const std::string& path);

// Runs graphs on the samples in plans of the native engine.
class PlanRunner : public SampleRunner {
 public:
  PlanRunner(const CalibrationData& data, int threads) : data_(data), threads_(threads) {}
  size_t sample_count() const override { return data_.samples.size(); }
  Status run(const Graph& graph, std::span<const size_t> samples, Observe observe) override;

 private:
  const CalibrationData& data_;
  int threads_;
};

}  // namespace edgewright
