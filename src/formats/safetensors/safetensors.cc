#include "formats/safetensors/safetensors.h"

#include <cstring>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "base/quote.h"

namespace edgewright {
namespace {

// The limit of the format's own library.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxIndexBytes = size_t{64} << 20;

std::optional<WeightEncoding> encoding_of(const std::string& dtype) {
  if (dtype == "F32") return WeightEncoding::kF32;
  if (dtype == "F16") return WeightEncoding::kF16;
  if (dtype == "BF16") return WeightEncoding::kBf16;
  return std::nullopt;
}

Result<Dims> read_shape(const Json& entry) {
  const auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array() || shape->size() > 8) {
    return bad_input("expected \"shape\": a list of at most 8 dimensions");
  }
  Dims dims;
  for (const Json& dim : *shape) {
    if (!dim.is_number_unsigned()) return bad_input("expected whole numbers in \"shape\"");
    const auto value = dim.get<uint64_t>();
    if (value > uint64_t{1} << 48) return bad_input("a dimension of {} is too large", value);
    dims.push_back(static_cast<int64_t>(value));
  }
  EDGEWRIGHT_TRY(checked_element_count(dims));
  return dims;
}

Result<std::span<const std::byte>> read_extent(const Json& entry, std::span<const std::byte> data) {
  const auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 ||
      !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned()) {
    return bad_input("expected \"data_offsets\": [begin, end]");
  }
  const auto begin = (*offsets)[0].get<uint64_t>();
  const auto end = (*offsets)[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return bad_input("found data_offsets [{}, {}], but the file holds {} bytes of data", begin, end,
                     data.size());
  }
  return data.subspan(begin, end - begin);
}

Status add_weight(const std::string& name, const Json& entry, std::span<const std::byte> data,
                  WeightSet& set) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string()) {
    return bad_input("expected an object with \"dtype\", \"shape\" and \"data_offsets\"");
  }
  StoredWeight weight;
  EDGEWRIGHT_ASSIGN(weight.dims, read_shape(entry));
  EDGEWRIGHT_ASSIGN(weight.bytes, read_extent(entry, data));
  const auto encoding = encoding_of(entry["dtype"].get<std::string>());
  if (!encoding) return {};
  weight.encoding = *encoding;
  const int64_t unit = encoding_shape(*encoding).block_bytes;
  if (weight.elements() > std::ssize(weight.bytes) / unit ||
      weight.elements() * unit != std::ssize(weight.bytes)) {
    return bad_input("found {} bytes, expected {} {} values", weight.bytes.size(),
                     dims_text(weight.dims), encoding_shape(*encoding).name);
  }
  if (!set.weights.emplace(name, std::move(weight)).second) {
    return bad_input("the weight is there twice");
  }
  return {};
}

Result<std::set<std::string>> shard_names(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxIndexBytes));
  const Json index = Json::parse(text, nullptr, false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return bad_input("{}: expected JSON with a \"weight_map\"", path);
  }
  std::set<std::string> names;
  for (const Json& file : index["weight_map"]) {
    if (!file.is_string()) return bad_input("{}: weight_map holds something not a name", path);
    const auto name = file.get<std::string>();
    // A shard lies beside its index, nowhere else.
    if (name.empty() || name.find_first_of("/\\") != std::string::npos || name == "..") {
      return bad_input("{}: found the shard {}, expected a plain file name", path,
                       edgewright::quoted(name));
    }
    names.insert(name);
  }
  return names;
}

}  // namespace

Status read_safetensors(const std::string& path, WeightSet& set) {
  EDGEWRIGHT_ASSIGN(auto file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() < 8) {
    return bad_input("{}: {} bytes are too few for a safetensors file", path, bytes.size());
  }
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) {
    header_bytes = header_bytes << 8 | std::to_integer<uint64_t>(bytes[static_cast<size_t>(i)]);
  }
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - 8) {
    return bad_input(
        "{}: found a header of {} bytes in a file of {}; the file is cut short or no "
        "safetensors file",
        path, header_bytes, bytes.size());
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data() + 8);
  const Json header = Json::parse(text, text + header_bytes, nullptr, false);
  if (!header.is_object()) return bad_input("{}: the header is not a JSON object", path);
  const auto data = bytes.subspan(8 + header_bytes);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    Status added = add_weight(name, entry, data, set);
    if (!added.ok())
      return std::move(added).error().at(fmt::format("{}: {}", path, edgewright::quoted(name)));
  }
  set.files.push_back(std::move(file));
  return {};
}

Result<WeightSet> read_safetensors_folder(const std::string& folder) {
  const std::filesystem::path place(folder);
  const std::string index = (place / "model.safetensors.index.json").string();
  WeightSet set;
  if (!std::filesystem::exists(index)) {
    EDGEWRIGHT_TRY(read_safetensors((place / "model.safetensors").string(), set));
    return set;
  }
  EDGEWRIGHT_ASSIGN(const auto names, shard_names(index));
  for (const std::string& name : names) {
    EDGEWRIGHT_TRY(read_safetensors((place / name).string(), set));
  }
  return set;
}

}  // namespace edgewright
