#include "base/file.h"
#include "formats/tflite/emit.h"

namespace edgewright {
namespace {

// Offsets in a FlatBuffer are 32 bits, signed in places.
constexpr int64_t kMaxBytes = (int64_t{1} << 31) - (1 << 20);

int64_t constant_bytes(const Graph& graph) {
  int64_t total = 0;
  for (const Value& value : graph.values()) {
    if (value.is_constant()) total += static_cast<int64_t>(value.constant->size_bytes());
  }
  return total;
}

}  // namespace

bool tflite_has(const Node& node) { return tflite_io::find_row(node) != nullptr; }

Result<std::vector<std::string>> export_tflite(const Model& model, const std::string& path,
                                               const TfliteOptions& options) {
  const int64_t total = constant_bytes(*model.graph) / (options.half_weights ? 2 : 1);
  if (total > kMaxBytes) {
    return unsupported(
        "{} bytes of constants, a TFLite file holds less than 2 GiB; "
        "--precision int8 or fp16 makes them smaller",
        total);
  }
  EDGEWRIGHT_ASSIGN(const auto tables, tflite_io::Emitter(options).run(*model.graph));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(tflite_schema::Model::Pack(builder, tables.get()),
                 tflite_schema::ModelIdentifier());
  EDGEWRIGHT_TRY(write_file(
      path, {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}));
  return std::vector<std::string>{path};
}

}  // namespace edgewright
