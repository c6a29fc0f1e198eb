#pragma once

#include <string>
#include <vector>

#include "api/cut_model.h"
#include "graph/graph.h"
#include "split/codec/coded.h"

namespace edgewright {

// The name under which a server has the second half of a model, or all of it for the cut "input":
// the file's name, the beginning of the SHA-256 of its bytes, and the cut. Halves of another model,
// or of another version of the same, have other names, so that they are never taken for it.
struct HalfNames {
  std::string stem, digest;

  static Result<HalfNames> of(const std::string& model_path);
  std::string prefix() const { return stem + "-" + digest + "-"; }
  std::string at(const std::string& cut, WireForm form = WireForm::kPlain) const;
};

// Writes a model into a repository in Triton's layout: FOLDER/NAME/config.pbtxt and
// FOLDER/NAME/1/model.onnx. Returns the files.
Result<std::vector<std::string>> write_to_repository(const Model& model, const std::string& name,
                                                     const std::string& folder);
// FOLDER/NAME/1/coded.onnx: `edgewright serve` decodes activations before it (serve/coded_half.h).
Result<std::vector<std::string>> write_coded_half(const Model& model, const std::string& name,
                                                  const std::string& folder);
// The echo model of link probes.
Result<std::vector<std::string>> write_echo_model(const std::string& folder);

}  // namespace edgewright
