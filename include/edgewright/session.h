#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edgewright/tensor.h"

namespace edgewright {

// An input or output of a model. Dimensions as text: a number, a symbol, or "?"; has_shape is false
// when not even the rank is known.
struct InterfaceValue {
  std::string name;
  std::string dtype;  // "float32", or "sequence(float32[*])" for what is no tensor
  bool has_shape = false;
  std::vector<std::string> shape;
};

struct InspectReport {
  std::vector<InterfaceValue> inputs, outputs;
  int64_t nodes = 0;                         // control-flow bodies included
  std::map<std::string, int64_t> operators;  // "Conv", "com.microsoft::Gelu" -> count
  int64_t parameters = 0;                    // elements of all constants
  int64_t parameter_bytes = 0;
  // Multiply-adds of convolutions and matrix products whose shapes are known.
  int64_t macs = 0;
  bool macs_complete = true;  // false: some such node has an unknown shape
  int opset = 0;
  int ir_version = 0;
  std::string producer;
  std::vector<std::string> unknown_operators;  // nobody knows their types
  std::vector<std::string> warnings;
};

// Reads a model and describes it. `shapes`: input name -> dimensions that fix symbolic ones.
using InputShapes = std::map<std::string, std::vector<int64_t>>;
Result<InspectReport> inspect(const std::string& path, const InputShapes& shapes = {});

// The readable text form of a model; large constants elided unless `whole`.
Result<std::string> model_text(const std::string& path, bool whole = false);
// Parses the text form and prints it again: the same bytes for text that model_text made whole.
Result<std::string> reprint_text(const std::string& text);

// The versioned JSON documents of the command line ({"schema": "edgewright.<command>/1", ...}): the
// same report gives the same bytes. Every report type has such a function.
std::string to_json(const InspectReport& report);

// Adds the operators of shared libraries (see edgewright_operator.h) to this process, before models
// that use them are opened. kBadInput naming the file that is no such library.
Status load_operators(const std::vector<std::string>& paths);

// The shapes that an input may have: every dimension lies between min and max. A plan for opt is
// made when the model opens; another shape gets its plan when it first comes.
struct ShapeRange {
  std::vector<int64_t> min, opt, max;
};
using ShapeRanges = std::map<std::string, ShapeRange>;  // by input

struct InferenceOptions {
  // Or "reference", "openvino", "mixed", or "mixed:native,openvino,...": an engine for each
  // segment.
  std::string backend = "native";
  // OpenVINO's C library (libopenvino_c.so), for the backends openvino and mixed; empty: as the
  // system finds it. Loaded when it is first needed; nothing else needs it.
  std::string openvino_library;
  int threads = 1;
  // The CPUs of the engine's threads, one for each: thread i runs on cpus[i]. The first thread is
  // the caller's own, which stays where it is. Empty: the system decides.
  std::vector<int> cpus;
  InputShapes shapes;  // fix symbolic dimensions in advance
  // Shapes that may come, for inputs whose dimensions are open; others are refused (kBadInput). For
  // models in the native backend: plans and other backends have one shape (kUsage).
  ShapeRanges ranges;
  bool optimise = true;  // native backend on an ONNX file: run the passes first
  bool tune = false;     // measure the kernels of every layer when a plan is made
  // File that keeps measured times between runs; empty: only this session knows them.
  std::string timing_cache;
};

// A run of a model's nodes in one backend, and how long it takes there, measured.
struct MixSegment {
  std::string backend, first, last;  // first and last: names of nodes
  int64_t nodes = 0;
  double time_us = 0;
};
// What the backend "mixed" chose, and from what.
struct MixReport {
  std::vector<MixSegment> segments;        // one: that backend alone is as quick as any mix
  double predicted_us = 0;                 // the segments' times together, handing over included
  std::map<std::string, double> alone_us;  // the whole model in one backend, measured
  int64_t transitions = 0;
  double bytes_moved = 0;          // between segments, in one inference
  std::vector<std::string> notes;  // what was left out or assumed, and why
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
  // optionals) are left out; the elements of a sequence are NAME.0, NAME.1, ..., a map is NAME.keys
  // and NAME.values.
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

// One output of a run that was written to a file.
struct RunOutput {
  std::string name, dtype, file;
  std::vector<int64_t> shape;
};
std::string run_to_json(const std::vector<RunOutput>& outputs, const std::string& backend,
                        const std::vector<std::string>& warnings);

}  // namespace edgewright
