#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graph/type.h"

// The layers of an IR file as they stand there, without meaning. The format is described in
// OpenVINO's documentation, "Intermediate Representation" and "Operation sets".
namespace edgewright::openvino_ir {

struct Port {
  DType dtype = DType::kUndefined;
  std::optional<Shape> shape;
  std::vector<std::string> names;  // of the tensor
};

// One output of one layer.
struct Endpoint {
  size_t layer = 0, port = 0;
  bool operator==(const Endpoint&) const = default;
};

using LayerData = std::vector<std::pair<std::string, std::string>>;

struct Layer {
  std::string name, type, version;
  LayerData data;
  std::vector<Endpoint> inputs;
  std::vector<Port> outputs;
  std::optional<Tensor> constant;  // of a Const
  bool is_decompression = false;   // a Convert that only undoes how a weight is stored

  // Null when absent.
  const std::string* find(std::string_view key) const;
};

struct Ir {
  std::string name;
  std::vector<Layer> layers;  // every layer after those that it reads
};

// "f32" for float32; empty for types that IR has not.
std::string_view element_type(DType dtype);
std::optional<DType> element_dtype(std::string_view text);
// Why element_dtype has nothing: kUnsupported for a type of OpenVINO that is not read here, else
// kBadInput. Case does not count, as port precisions are in capitals.
Error element_type_error(std::string_view text);

// The path of the constants beside an xml file.
std::string weights_path(const std::string& xml_path);

Status write_ir(const Ir& ir, const std::string& path);
// Layers come in an order of use; every endpoint exists and every constant lies within the file.
Result<Ir> read_ir(const std::string& path);

}  // namespace edgewright::openvino_ir
