#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "graph/graph.h"
#include "tensor/datum.h"

namespace edgewright {

struct ImportOptions {
  // Initialisers that are also listed as graph inputs stay inputs with a default value; otherwise
  // they are plain constants.
  bool keep_initializer_inputs = false;
};

// Reads an ONNX model. The result holds ai.onnx nodes of the canonical opset only (the file's is
// in Model::source_opset), local functions are inlined, `Constant` nodes are graph constants, and
// operators that nobody knows stay as they are. External data is mapped, not read. kBadInput for a
// malformed or hostile file, kUnsupported for an opset that is not known here.
Result<Model> import_onnx(const std::string& path, const ImportOptions& options = {});
// The same from memory; external data is looked up in `folder`.
Result<Model> import_onnx_bytes(std::span<const std::byte> bytes, const std::string& folder,
                                const ImportOptions& options = {});

struct ExportOptions {
  // 7 to 28; absent: the opset that the model came with (7 for an older one).
  std::optional<int> opset;
  // Constants of at least this size go to PATH.data beside the model. Absent: only when the model
  // would be too large for one file, and then those of 1 KiB and more.
  std::optional<size_t> external_threshold_bytes;
  // For ONNX Runtime, which has LayerNormalization in ai.onnx at any opset: it is kept there.
  // Otherwise opsets below 17 get its definition.
  bool onnx_runtime = false;
};

// Writes the model; the same model gives the same bytes. kUnsupported, naming node and reason, for
// what the opset cannot express. Nothing is written on failure. Large weights are streamed: a
// mapped weight is not kept in memory.
Status export_onnx(const Model& model, const std::string& path, const ExportOptions& options = {});

// One serialised TensorProto (the .pb files beside test models).
Result<Tensor> load_tensor_proto(const std::string& path);
// A serialised TensorProto, SparseTensorProto, SequenceProto or OptionalProto, whichever holds
// values of this type. An unknown type is read as a tensor.
Result<Datum> load_datum_proto(const std::string& path, const ValueType& type);

}  // namespace edgewright
