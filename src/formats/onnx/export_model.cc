// Writes models tensor by tensor: no weight is ever copied into a message.
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "formats/onnx/export_graph.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/opset_downgrades.h"
#include "formats/onnx/proto.h"

namespace edgewright {
namespace {

namespace pb = google::protobuf;

// The oldest opset that is written.
constexpr int kOldestOpset = 7;
// A message may have 2 GiB; beyond this the weights go to a file of their own.
constexpr size_t kMaxInlineBytes = size_t{1} << 30;
constexpr size_t kSmallestExternalBytes = 1024;
// Mapped pages are given back after as many bytes.
constexpr size_t kBlockBytes = size_t{1} << 24;
// Weights that are worth a page begin on one, so that readers may map them.
constexpr size_t kPageBytes = 4096;

// The file format version that came with an opset. Before 4, initialisers had to be inputs.
int ir_version_of(int opset) {
  struct Row {
    int opset, ir_version;
  };
  static constexpr Row kRows[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10},
                                  {19, 9},  {15, 8},  {12, 7},  {11, 6},  {10, 5}};
  for (const Row& row : kRows) {
    if (opset >= row.opset) return row.ir_version;
  }
  return 4;
}

// A constant and how it is stored.
struct StoredConstant {
  const Value* value = nullptr;
  std::string header;  // the tensor message without its raw data
  size_t raw_bytes = 0;
};

std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
  return bytes + static_cast<char>(number);
}

// The key of a length-delimited field.
std::string field_key(int number) { return varint(static_cast<uint64_t>(number) << 3 | 2); }

// What stands before the raw data of an inline constant.
std::string raw_prefix(const StoredConstant& constant) {
  if (constant.raw_bytes == 0) return {};
  return field_key(onnx::TensorProto::kRawDataFieldNumber) + varint(constant.raw_bytes);
}

size_t message_bytes(const StoredConstant& constant) {
  return constant.header.size() + raw_prefix(constant).size() + constant.raw_bytes;
}

Status write_bytes(AtomicFile& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto block = bytes.first(std::min(bytes.size(), kBlockBytes));
    EDGEWRIGHT_TRY(file.write(block));
    if (bytes.size() >= kPageBytes) MappedFile::release_pages(block);
    bytes = bytes.subspan(block.size());
  }
  return {};
}

void set_external(onnx::TensorProto& proto, const std::string& location, size_t offset,
                  size_t length) {
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  const std::pair<const char*, std::string> entries[] = {{"location", location},
                                                         {"offset", std::to_string(offset)},
                                                         {"length", std::to_string(length)}};
  for (const auto& [key, value] : entries) {
    auto* entry = proto.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

class ModelWriter {
 public:
  ModelWriter(const Model& model, int opset, const ExportOptions& options, std::string path)
      : model_(model), opset_(opset), options_(options), path_(std::move(path)) {}

  Status write() {
    onnx::ModelProto header;
    exporter_.fill_without_constants(*model_.graph, graph_);
    EDGEWRIGHT_TRY(store_constants());
    fill_header(header);
    const std::string graph = graph_.SerializeAsString();
    size_t graph_bytes = graph.size();
    for (const StoredConstant& constant : constants_) {
      const size_t bytes = message_bytes(constant);
      graph_bytes += key_.size() + varint(bytes).size() + bytes;
    }
    if (graph_bytes > INT32_MAX - (size_t{1} << 20)) {
      return unsupported(
          "the graph takes {} bytes, more than a protocol buffer holds; lower the "
          "external data threshold",
          graph_bytes);
    }
    EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path_));
    EDGEWRIGHT_TRY(file.write(header.SerializeAsString()));
    EDGEWRIGHT_TRY(file.write(field_key(onnx::ModelProto::kGraphFieldNumber)));
    EDGEWRIGHT_TRY(file.write(varint(graph_bytes)));
    EDGEWRIGHT_TRY(file.write(graph));
    for (const StoredConstant& constant : constants_) {
      EDGEWRIGHT_TRY(write_constant(file, constant));
    }
    if (data_) EDGEWRIGHT_TRY(data_->commit());
    return file.commit();
  }

 private:
  size_t external_threshold() const {
    if (options_.external_threshold_bytes) return *options_.external_threshold_bytes;
    size_t total = 0;
    for (const Value& value : model_.graph->values()) {
      if (value.is_constant()) total += value.constant->size_bytes();
    }
    return total > kMaxInlineBytes ? kSmallestExternalBytes : SIZE_MAX;
  }

  // Writes the external ones to the data file right away.
  Status store_constants() {
    const size_t threshold = external_threshold();
    for (const Value& value : model_.graph->values()) {
      if (!value.is_constant()) continue;
      const Tensor& tensor = *value.constant;
      onnx::TensorProto proto;
      proto.set_name(exporter_.name_of(value));
      StoredConstant stored{&value, {}, 0};
      if (tensor.dtype() == DType::kString) {
        onnx_io::to_tensor_proto(tensor, proto);
      } else {
        proto.set_data_type(static_cast<int>(tensor.dtype()));
        for (const int64_t dim : tensor.dims()) proto.add_dims(dim);
        stored.raw_bytes = tensor.size_bytes();
        if (stored.raw_bytes >= threshold && stored.raw_bytes > 0) {
          EDGEWRIGHT_TRY(store_externally(tensor, proto));
          stored.raw_bytes = 0;
        } else if (stored.raw_bytes == 0) {
          proto.set_raw_data("");
        }
      }
      stored.header = proto.SerializeAsString();
      constants_.push_back(std::move(stored));
    }
    return {};
  }

  Status store_externally(const Tensor& tensor, onnx::TensorProto& proto) {
    const std::string data_path = path_ + ".data";
    if (!data_) {
      EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(data_path));
      data_.emplace(std::move(file));
    }
    const size_t alignment = tensor.size_bytes() >= kPageBytes ? kPageBytes : kTensorAlignment;
    EDGEWRIGHT_TRY(data_->pad_to(alignment));
    set_external(proto, std::filesystem::path(data_path).filename().string(), data_->size_bytes(),
                 tensor.size_bytes());
    return write_bytes(*data_, tensor.byte_span());
  }

  Status write_constant(AtomicFile& file, const StoredConstant& constant) const {
    EDGEWRIGHT_TRY(file.write(key_));
    EDGEWRIGHT_TRY(file.write(varint(message_bytes(constant))));
    EDGEWRIGHT_TRY(file.write(constant.header));
    EDGEWRIGHT_TRY(file.write(raw_prefix(constant)));
    if (constant.raw_bytes == 0) return {};
    return write_bytes(file, constant.value->constant->byte_span());
  }

  void fill_header(onnx::ModelProto& proto) const {
    proto.set_ir_version(ir_version_of(opset_));
    proto.set_producer_name(model_.producer_name);
    proto.set_producer_version(model_.producer_version);
    if (!model_.documentation.empty()) proto.set_doc_string(model_.documentation);
    auto* standard = proto.add_opset_import();
    standard->set_domain("");
    standard->set_version(opset_);
    for (const std::string& domain : exporter_.domains()) {
      if (domain.empty()) continue;
      const auto it = model_.domain_versions.find(domain);
      auto* import = proto.add_opset_import();
      import->set_domain(domain);
      import->set_version(it == model_.domain_versions.end() ? 1 : it->second);
    }
    for (const auto& [key, value] : model_.metadata) {
      auto* entry = proto.add_metadata_props();
      entry->set_key(key);
      entry->set_value(value);
    }
  }

  const Model& model_;
  int opset_;
  const ExportOptions& options_;
  std::string path_;
  const std::string key_ = field_key(onnx::GraphProto::kInitializerFieldNumber);
  onnx_io::GraphExporter exporter_;
  onnx::GraphProto graph_;
  std::vector<StoredConstant> constants_;
  std::optional<AtomicFile> data_;
};

}  // namespace

Status export_onnx(const Model& model, const std::string& path, const ExportOptions& options) {
  const int opset = options.opset.value_or(std::max(model.source_opset, kOldestOpset));
  if (opset < kOldestOpset || opset > kCanonicalOpset) {
    return usage_error("opset {} cannot be written, {} to {} can", opset, kOldestOpset,
                       kCanonicalOpset);
  }
  Model copy = clone(model);
  if (auto status = onnx_io::downgrade(copy, opset, options.onnx_runtime); !status.ok()) {
    return std::move(status).error().at(fmt::format("export to opset {}", opset));
  }
  return ModelWriter(copy, opset, options, path).write();
}

}  // namespace edgewright
