#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/import_graph.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/opset_upgrades.h"

namespace edgewright {
namespace {

namespace pb = google::protobuf;
using onnx_io::Opsets;

// Messages within messages; a graph within a graph takes three.
constexpr int kMaxNesting = 240;
// The newest version of the file format that is understood.
constexpr int kNewestIrVersion = 14;

bool parse(pb::MessageLite& message, pb::io::ZeroCopyInputStream& stream) {
  // What is wrong is said in the Result; the protocol buffer library would write to stderr.
  static const auto previous = pb::SetLogHandler(nullptr);
  static_cast<void>(previous);
  pb::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(kMaxNesting);
  return message.ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage();
}

// Reads in blocks: the file is never in memory beside the message.
Status parse_file(const std::string& path, pb::MessageLite& message) {
  std::error_code error;
  const auto size_bytes = std::filesystem::file_size(path, error);
  if (error) return bad_input("cannot open {}: {}", path, error.message());
  if (size_bytes > INT32_MAX) {
    return bad_input(
        "{} has {} bytes, protocol buffers end at {}; save the weights as external data", path,
        size_bytes, INT32_MAX);
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return bad_input("cannot open {}", path);
  pb::io::IstreamInputStream stream(&file, 1 << 18);
  if (parse(message, stream)) return {};
  return bad_input("{} is not a whole protocol buffer of the expected kind", path);
}

Status check_header(const onnx::ModelProto& proto, Opsets& opsets) {
  if (!proto.has_graph()) return bad_input("the file holds no ONNX graph");
  if (proto.has_ir_version() && proto.ir_version() < 1) {
    return bad_input("IR version {}, at least 1 is expected", proto.ir_version());
  }
  if (proto.ir_version() > kNewestIrVersion) {
    return unsupported("IR version {} is newer than {}, the newest known; export for an older one",
                       proto.ir_version(), kNewestIrVersion);
  }
  opsets = onnx_io::opsets_of(proto.opset_import());
  if (proto.opset_import_size() == 0) opsets[""] = 1;
  const auto it = opsets.find("");
  if (it != opsets.end() && it->second > kCanonicalOpset) {
    return unsupported("opset {} is newer than {}, the newest known; export for an older one",
                       it->second, kCanonicalOpset);
  }
  for (const auto& [domain, version] : opsets) {
    if (version < 1) return bad_input("opset version {} of domain '{}'", version, domain);
  }
  return {};
}

Result<onnx_io::Functions> function_table(const onnx::ModelProto& proto) {
  onnx_io::Functions functions;
  for (const auto& function : proto.functions()) {
    const auto key = onnx_io::function_key(function.domain(), function.name(), function.overload());
    if (!functions.emplace(key, &function).second) {
      return bad_input("two functions are named '{}'", key);
    }
  }
  return functions;
}

Result<Model> import_proto(onnx::ModelProto& proto, const std::string& folder,
                           const ImportOptions& options) {
  Model model;
  Opsets opsets;
  EDGEWRIGHT_TRY(check_header(proto, opsets));
  EDGEWRIGHT_ASSIGN(auto functions, function_table(proto));
  onnx_io::ExternalData external(folder);
  onnx_io::GraphImporter importer(&external, std::move(functions), opsets,
                                  options.keep_initializer_inputs);
  EDGEWRIGHT_TRY(importer.import_main(*proto.mutable_graph(), *model.graph));
  EDGEWRIGHT_TRY(onnx_io::upgrade(*model.graph, opsets, importer.node_opsets()));
  model.source_opset = opsets.contains("") ? opsets[""] : kCanonicalOpset;
  model.domain_versions = opsets;
  model.domain_versions.erase("");
  model.ir_version = static_cast<int>(proto.ir_version());
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.documentation = proto.doc_string();
  for (const auto& entry : proto.metadata_props()) model.metadata[entry.key()] = entry.value();
  return model;
}

Result<Datum> to_datum(onnx::TensorProto& proto);
Result<Datum> to_datum(onnx::SparseTensorProto& proto);
Result<Datum> to_datum(onnx::OptionalProto& proto);
Result<Datum> to_datum(onnx::SequenceProto& proto);

template <class Field>
Result<Datum> to_sequence(Field* field) {
  std::vector<Datum> elements;
  for (auto& element : *field) {
    EDGEWRIGHT_ASSIGN(Datum datum, to_datum(element));
    elements.push_back(std::move(datum));
  }
  return Datum::sequence(std::move(elements));
}

Result<Datum> to_datum(onnx::TensorProto& proto) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, onnx_io::take_tensor(proto, nullptr));
  return Datum(std::move(tensor));
}

Result<Datum> to_datum(onnx::SparseTensorProto& proto) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, onnx_io::take_dense(proto, nullptr));
  return Datum(std::move(tensor));
}

Result<Datum> to_datum(onnx::OptionalProto& proto) {
  switch (proto.elem_type()) {
    case onnx::OptionalProto::UNDEFINED: return Datum::empty_optional();
    case onnx::OptionalProto::TENSOR:
      if (!proto.has_tensor_value()) return Datum::empty_optional();
      return to_datum(*proto.mutable_tensor_value());
    case onnx::OptionalProto::SPARSE_TENSOR: return to_datum(*proto.mutable_sparse_tensor_value());
    case onnx::OptionalProto::SEQUENCE:
      if (!proto.has_sequence_value()) return Datum::empty_optional();
      return to_datum(*proto.mutable_sequence_value());
    case onnx::OptionalProto::OPTIONAL: return to_datum(*proto.mutable_optional_value());
    default: return unsupported("an optional of kind {}", proto.elem_type());
  }
}

Result<Datum> to_datum(onnx::SequenceProto& proto) {
  switch (proto.elem_type()) {
    case onnx::SequenceProto::TENSOR: return to_sequence(proto.mutable_tensor_values());
    case onnx::SequenceProto::SPARSE_TENSOR:
      return to_sequence(proto.mutable_sparse_tensor_values());
    case onnx::SequenceProto::SEQUENCE: return to_sequence(proto.mutable_sequence_values());
    case onnx::SequenceProto::OPTIONAL: return to_sequence(proto.mutable_optional_values());
    case onnx::SequenceProto::UNDEFINED: return Datum::sequence({});
    default: return unsupported("a sequence of kind {}", proto.elem_type());
  }
}

template <class Proto>
Result<Datum> load_as(const std::string& path) {
  Proto proto;
  EDGEWRIGHT_TRY(parse_file(path, proto));
  auto datum = to_datum(proto);
  if (!datum.ok()) return std::move(datum).error().at(path);
  return datum;
}

}  // namespace

Result<Model> import_onnx(const std::string& path, const ImportOptions& options) {
  onnx::ModelProto proto;
  EDGEWRIGHT_TRY(parse_file(path, proto));
  auto model = import_proto(proto, std::filesystem::path(path).parent_path().string(), options);
  if (!model.ok()) return std::move(model).error().at(path);
  return model;
}

Result<Model> import_onnx_bytes(std::span<const std::byte> bytes, const std::string& folder,
                                const ImportOptions& options) {
  if (bytes.size() > INT32_MAX) return bad_input("a model of {} bytes in memory", bytes.size());
  onnx::ModelProto proto;
  pb::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  if (!parse(proto, stream)) return bad_input("the bytes are not a whole ONNX model");
  return import_proto(proto, folder, options);
}

Result<Tensor> load_tensor_proto(const std::string& path) {
  EDGEWRIGHT_ASSIGN(Datum datum, load_as<onnx::TensorProto>(path));
  return datum.tensor();
}

Result<Datum> load_datum_proto(const std::string& path, const ValueType& type) {
  switch (type.kind) {
    case ValueType::Kind::kSequence: return load_as<onnx::SequenceProto>(path);
    case ValueType::Kind::kOptional: return load_as<onnx::OptionalProto>(path);
    case ValueType::Kind::kSparseTensor: return load_as<onnx::SparseTensorProto>(path);
    default: return load_as<onnx::TensorProto>(path);
  }
}

}  // namespace edgewright
