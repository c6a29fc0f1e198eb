#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/session.h"

namespace edgewright {

// What of a model runs on another framework, what falls back and what that costs.
struct TargetOptions {
  std::string target;    // NAME@VERSION: "tensorrt@8.6"
  std::string hardware;  // "gpu"; empty: the framework's first
  InputShapes shapes;
  std::string device;       // whose CPU: of the catalogue, a file or "peak=..,bandwidth=.."
  std::string accelerator;  // "peak=..,bandwidth=.." in place of a usual one of that hardware
  // GELU where it has to be decomposed: the largest error allowed, over this range of its input.
  double gelu_max_error = 1e-3, gelu_low = -8, gelu_high = 8;
  std::string data;    // DATA: its samples show that range, GELU by GELU
  bool as_is = false;  // the model is not optimised first
  // Also writes the model with the plan applied to this .onnx file: opened operators, casts, opset.
  std::string fix;
};

// Where one node goes: "native"; "fuse" (native thanks to a fusion of ours); "decompose"; "cast";
// "custom" (a plugin is needed); "cpu"; "no".
struct NodePlacement {
  std::string node, op, placement;
  double time_us = 0;  // there
  std::string reason;  // the table's row: basis and source
  std::string advice;  // what would avoid a fallback; empty where there is none
};

// A model that was written so that fallbacks which can be avoided are.
struct FixedTargetModel {
  std::string path;
  std::map<std::string, int64_t> counts;  // of its own nodes as they are
  int64_t transitions = 0;
  double predicted_us = 0;
  std::vector<std::string> changes;
  double relative_l2 = 0;  // of the worst output, against the model as it came
};

struct TargetReport {
  std::string framework, version, hardware, description;
  std::vector<NodePlacement> nodes;
  std::map<std::string, int64_t> counts;  // placement -> nodes
  int64_t transitions = 0;                // values that cross between accelerator and CPU
  double bytes_moved = 0;
  double predicted_us = 0;      // with transfers
  double unconstrained_us = 0;  // had the target everything as one operation of its own
  int opset = 0;                // of the model that the target's importer reads; 0: any
  std::vector<std::string> assumptions;
  std::optional<FixedTargetModel> fixed;  // with TargetOptions::fix
  bool passed = false;                    // every node runs somewhere, without a plugin
  std::vector<std::string> warnings;
};

Result<TargetReport> check_target(const std::string& model, const TargetOptions& options);
std::string to_json(const TargetReport& report);
// Frameworks of the support tables.
std::vector<std::string> target_names();

// Import, optimise, choose a precision, prove, predict, plan power and cut, bundle.
struct DeployOptions {
  std::string model;         // an ONNX model or a language model
  std::string device;        // of the catalogue, or a file
  std::string server, link;  // both or none: also plan a cut
  std::string data;          // DATA, for calibration (its first half) and for judging
  std::string output;        // the bundle, a folder
  InputShapes shapes;
  // Formats of other runtimes that the bundle holds too, as ConvertOptions::to takes them ("gguf"
  // for language models). Empty: those of the runtimes that such a device usually has; "none": no
  // other.
  std::vector<std::string> targets;
  // Limits by name: latency-ms, energy-mj, size-mb, accuracy-points (default 0.5).
  std::map<std::string, double> goals;
  int threads = 1;
  uint64_t seed = 0;
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

struct DeployStage {
  std::string name;
  bool reused = false;  // its results were in the bundle already
};
struct DeployChoice {
  std::string what, chosen, runner_up, why;
};
// A limit and what the deployment reaches. `predicted` figures are of the device, not of this
// machine.
struct DeployGoal {
  std::string name;
  double limit = 0, reached = 0;
  bool passed = false;
};
struct BundleFile {
  std::string path, sha256;
  int64_t size_bytes = 0;
};

struct DeployReport {
  std::string bundle, model, device;
  std::vector<DeployStage> stages;
  std::vector<DeployChoice> choices;
  std::vector<DeployGoal> goals;
  std::string binding_constraint;  // the missed goal that is furthest off; empty when all are met
  std::vector<BundleFile> files;
  bool passed = false;
  std::vector<std::string> warnings;
};

// Every file of the bundle but measurements.json and report.html is the same for the same input;
// every stage is kept by the content of what it was made from, so that a run that was cut off goes
// on where it stopped.
Result<DeployReport> deploy(const DeployOptions& options);
// Whether the files of a bundle are those of its manifest, and its model still gives the recorded
// outputs on this machine.
Result<DeployReport> check_bundle(const std::string& bundle, int threads = 1);
// Writes a bundle's model (`model`: as its report names it) as a model repository that `serve` and
// Triton read, REPOSITORY/NAME/1/model.onnx and config.pbtxt, and REPOSITORY/NAME.yaml, a KServe
// InferenceService; NAME is the bundle folder's. Returns the files.
Result<std::vector<std::string>> export_bundle(const std::string& bundle, const std::string& model,
                                               const std::string& repository);
std::string to_json(const DeployReport& report);

// Writes one self-contained HTML page that shows a document of any to_json: charts, tables that
// sort and filter, no network. kUnsupported when the program was built without the page, kBadInput
// for text that is no such document.
Status write_report(const std::string& document, const std::string& path,
                    const std::string& command_line = "");

}  // namespace edgewright
