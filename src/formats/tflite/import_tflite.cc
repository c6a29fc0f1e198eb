#include "formats/tflite/import.h"
#include "formats/tflite/tflite.h"

namespace edgewright {

Result<Model> import_tflite(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const auto file, MappedFile::open(path));
  const auto bytes = file->bytes();
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  constexpr size_t kHeader = 8;  // an offset and the identifier
  if (bytes.size() < kHeader || !tflite_schema::ModelBufferHasIdentifier(data)) {
    return bad_input("{}: found no identifier TFL3 at byte 4, expected a TFLite model", path);
  }
  flatbuffers::Verifier verifier(data, bytes.size());
  if (!tflite_schema::VerifyModelBuffer(verifier)) {
    return bad_input("{}: the tables point outside of the file or are nested too deep", path);
  }
  auto model = tflite_io::Importer(*tflite_schema::GetModel(data), file).run();
  if (!model.ok()) return std::move(model).error().at(path);
  return model;
}

}  // namespace edgewright
