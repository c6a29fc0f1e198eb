#include "formats/onnx/external_data.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace edgewright::onnx_io {
namespace {

namespace fs = std::filesystem;

Result<size_t> parse_size(const std::string& key, const std::string& text) {
  size_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) {
    return bad_input("{} '{}' of external data is not a number of bytes", key, text);
  }
  return value;
}

struct Location {
  std::string file;
  size_t offset = 0;
  std::optional<size_t> length;
};

Result<Location> parse_location(const onnx::TensorProto& proto) {
  Location location;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location.file = entry.value();
    if (entry.key() == "offset") {
      EDGEWRIGHT_ASSIGN(location.offset, parse_size("offset", entry.value()));
    }
    if (entry.key() == "length") {
      EDGEWRIGHT_ASSIGN(location.length, parse_size("length", entry.value()));
    }
  }
  if (location.file.empty()) return bad_input("external data without a location");
  return location;
}

// Whether `path` is `folder` or lies below it; both are canonical.
bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

bool is_aligned(const std::byte* data, DType dtype) {
  const size_t alignment = std::clamp<size_t>(static_cast<size_t>(dtype_bits(dtype)) / 8, 1, 8);
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

}  // namespace

Result<fs::path> ExternalData::locate(const std::string& location) const {
  const fs::path relative(location);
  if (relative.is_absolute() || location.find('\0') != std::string::npos) {
    return bad_input("external data location '{}' is not a path relative to the model", location);
  }
  std::error_code error;
  const fs::path folder = fs::canonical(folder_.empty() ? "." : folder_, error);
  if (error) return bad_input("cannot open the model's folder {}: {}", folder_, error.message());
  // weakly_canonical follows the links of the part that exists, so that an escaping location is
  // called so whether or not its file is there.
  const fs::path path = fs::weakly_canonical(folder / relative, error);
  if (error) return bad_input("external data '{}': {}", location, error.message());
  if (!is_inside(path, folder)) {
    return bad_input(
        "external data location '{}' leaves the model's folder; keep data files beside the model",
        location);
  }
  return path;
}

Result<ExternalData::OpenFile*> ExternalData::open(const std::string& location) {
  EDGEWRIGHT_ASSIGN(const fs::path path, locate(location));
  if (const auto it = files_.find(path); it != files_.end()) return &it->second;
  auto file = MappedFile::open(path.string());
  if (!file.ok()) return std::move(file).error().at(fmt::format("external data '{}'", location));
  OpenFile& opened = files_[path];
  opened.file = *std::move(file);
  return &opened;
}

Status ExternalData::claim(OpenFile& file, size_t begin, size_t end) {
  if (begin == end) return {};
  const auto next = file.ranges.upper_bound(begin);
  const bool overlaps_next = next != file.ranges.end() && next->first < end;
  if (overlaps_next || (next != file.ranges.begin() && std::prev(next)->second > begin)) {
    return bad_input("bytes {} to {} of {} overlap those of another tensor", begin, end,
                     file.file->path());
  }
  file.ranges[begin] = end;
  return {};
}

Result<Tensor> ExternalData::load(const onnx::TensorProto& proto, DType dtype, Dims dims) {
  if (dtype == DType::kString) return bad_input("external data cannot hold strings");
  EDGEWRIGHT_ASSIGN(const Location location, parse_location(proto));
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count > INT64_MAX / 16) return bad_input("shape {} is too large", dims_text(dims));
  const size_t size_bytes = dtype_bytes(dtype, static_cast<size_t>(count));
  if (location.length && *location.length != size_bytes) {
    return bad_input("external data has length {}, {} of shape {} takes {} bytes", *location.length,
                     dtype_name(dtype), dims_text(dims), size_bytes);
  }
  EDGEWRIGHT_ASSIGN(OpenFile* const file, open(location.file));
  const auto bytes = file->file->bytes();
  if (location.offset > bytes.size() || bytes.size() - location.offset < size_bytes) {
    return bad_input("external data needs {} bytes at offset {} of '{}', which has only {} bytes",
                     size_bytes, location.offset, location.file, bytes.size());
  }
  EDGEWRIGHT_TRY(claim(*file, location.offset, location.offset + size_bytes));
  const std::byte* data = bytes.data() + location.offset;
  if (dtype != DType::kBool && is_aligned(data, dtype)) {
    return Tensor::view(dtype, std::move(dims), data, file->file);
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  if (size_bytes > 0) std::memcpy(tensor.mutable_bytes(), data, size_bytes);
  return tensor;
}

}  // namespace edgewright::onnx_io
