#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "formats/coreml/coreml.h"
#include "formats/coreml/import.h"
#include "formats/coreml/program.h"

namespace edgewright {
namespace {

constexpr size_t kMaxManifestBytes = size_t{1} << 20;

// Where the package's root item lies. The file's word is not taken for a way out of the folder.
Result<std::filesystem::path> specification_path(const std::filesystem::path& package) {
  const std::filesystem::path file = package / "Manifest.json";
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(file.string(), kMaxManifestBytes));
  const Json manifest = Json::parse(text, nullptr, false);
  const auto text_at = [](const Json& object, const std::string& key) {
    return object.is_object() && object.contains(key) && object[key].is_string()
               ? object[key].get<std::string>()
               : std::string();
  };
  const std::string root = text_at(manifest, "rootModelIdentifier");
  if (root.empty() || !manifest.contains("itemInfoEntries") ||
      !manifest["itemInfoEntries"].is_object() || !manifest["itemInfoEntries"].contains(root)) {
    return bad_input("{}: found no root item, expected a Core ML package", file.string());
  }
  const std::filesystem::path inner = text_at(manifest["itemInfoEntries"][root], "path");
  const bool leads_out = std::ranges::find(inner, "..") != inner.end();
  if (inner.empty() || inner.is_absolute() || leads_out) {
    return bad_input("{}: the root item lies at '{}'", file.string(), inner.string());
  }
  return package / "Data" / inner;
}

}  // namespace

Result<Model> import_coreml(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const auto specification, specification_path(path));
  EDGEWRIGHT_ASSIGN(const auto file, MappedFile::open(specification.string()));
  coreml::WeightsReader weights;
  const auto blobs = specification.parent_path() / "weights" / "weight.bin";
  std::error_code error;
  if (std::filesystem::exists(blobs, error)) {
    EDGEWRIGHT_ASSIGN(weights, coreml::WeightsReader::open(blobs.string()));
  }
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto program = coreml::read_program(text, weights);
  if (!program.ok()) return std::move(program).error().at(path);
  auto model = coreml::Importer(*program).run();
  if (!model.ok()) return std::move(model).error().at(path);
  return model;
}

}  // namespace edgewright
