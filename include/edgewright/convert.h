#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/session.h"
#include "edgewright/verify.h"

namespace edgewright {

struct ConvertOptions {
  // "onnx", "plan" or one of export_format_names(); empty: from the output's ending. Or a version
  // of a runtime, NAME@VERSION[,hardware=H][,gelu-error=E]: what `targets check` plans for it is
  // applied, and the ending says the form.
  std::string to;
  int opset = 0;                     // 0: the input's
  std::string dialect = "standard";  // or "ort"
  InputShapes shapes;
  std::map<std::string, std::string> fixes;  // input -> "16000", "1,2,3" or "@file.npy"
  std::vector<std::string> disabled;         // passes
  std::string stop_after;
  bool verify = true;             // compare with the original on seeded inputs when done
  bool verify_each_pass = false;  // after every pass too; what breaks the model is dropped
  bool lossy = false;
  bool keep_initializer_inputs = false;
  // Outputs that are no tensors of numbers (labels as text, maps) give way to the tensors that they
  // are made from.
  bool tensor_outputs = false;
  // OpenVINO: the cache of a decoder (inputs past*, outputs present*) becomes states of the model.
  bool states = false;
  std::string precision = "fp32";     // one of precision_names()
  std::string calibrate;              // DATA: samples for ranges and for judging choices
  std::vector<std::string> quantize;  // "key=value": details of the precision
  bool force = false;                 // write a result that misses its goals
  bool tune = true;                   // plans: measure and choose the kernels of every layer
  std::string timing_cache;           // file that keeps measured times between runs; may be empty
  uint64_t seed = 0;
  int threads = 1;
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

struct PassResult {
  std::string name;
  bool changed = false;
  int64_t time_us = 0;
  bool verified = false;
  std::vector<std::string> faults;
};

struct Choice {
  std::string what, chosen, runner_up, why;
};

// A layer and how far its result is off when only that layer is rounded (relative L2).
struct GuiltyLayer {
  std::string name;
  double relative_l2 = 0;
};

// What a change of precision did, measured on samples that took no part in choosing ranges.
struct QuantizationReport {
  int64_t calibration_samples = 0, held_back_samples = 0;
  double relative_l2 = 0;                      // of all outputs
  double agreement = 1;                        // same largest element as the original's
  std::optional<double> reference_top1, top1;  // shares; with labels only
  double calibration_us = 0;   // int8: the pass over the samples and the ranges of all calibrators
  double int8_macs_share = 0;  // multiply-adds that run in int8
  std::vector<GuiltyLayer> guilty;  // worst first
};

// A mix of types that no other tried mix beats in cost and error.
struct MixPoint {
  double cost = 0;   // microseconds of all layers, or bytes of weights
  double error = 0;  // relative L2 of the outputs
  int64_t changed_layers = 0;
  bool knee = false, chosen = false;
};

struct ConvertReport {
  int64_t nodes_before = 0, nodes_after = 0;
  std::vector<PassResult> passes;
  std::vector<std::string> dropped_passes;
  std::map<std::string, std::string> precision;  // node -> type
  std::vector<Choice> choices;
  std::vector<MixPoint> pareto;  // of precision mixed, by rising cost
  int opset = 0;
  int64_t size_bytes = 0;
  // The final comparison; absent when it was switched off or could not run (see warnings).
  std::optional<VerifyReport> verification;
  std::optional<QuantizationReport> quantization;
  bool passed = false;
  bool written = false;  // the output exists
  std::vector<std::string> warnings;
};

// Imports, optimises, checks and writes a model. The output appears only when everything passed.
Result<ConvertReport> convert(const std::string& input, const std::string& output,
                              const ConvertOptions& options = {});

// Every pass in order: name and one line of description.
struct PassDescription {
  std::string name, summary, dialect;
  bool lossy = false;
};
std::vector<PassDescription> list_passes();

// Values of ConvertOptions::precision.
std::vector<std::string> precision_names();

// Formats of other runtimes that ConvertOptions::to may name.
std::vector<std::string> export_format_names();

std::string to_json(const ConvertReport& report);

}  // namespace edgewright
