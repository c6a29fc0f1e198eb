#include <zip.h>

#include <cstring>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "formats/npy/npy.h"

namespace edgewright {
namespace {

// An array that claims more than this is refused before anything is inflated.
constexpr zip_uint64_t kMaxArrayBytes = zip_uint64_t{1} << 33;
constexpr std::string_view kEnding = ".npy";

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

Result<Archive> open_archive(const std::string& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code), zip_discard);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    Error result =
        bad_input("cannot read {} as a .npz archive: {}", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return result;
  }
  return archive;
}

Result<Tensor> read_entry(zip_t* archive, zip_uint64_t index, const zip_stat_t& info) {
  // Deflate packs at most 1032 to 1, so a larger claim is a lie.
  if (info.size > kMaxArrayBytes || info.size / 1100 > info.comp_size + 1) {
    return bad_input("the entry claims {} bytes out of {} compressed ones", info.size,
                     info.comp_size);
  }
  std::string bytes(info.size, '\0');
  zip_file_t* file = zip_fopen_index(archive, index, 0);
  if (file == nullptr) return bad_input("cannot read the entry: {}", zip_strerror(archive));
  const zip_int64_t got = zip_fread(file, bytes.data(), bytes.size());
  zip_fclose(file);
  if (got != static_cast<zip_int64_t>(bytes.size())) return bad_input("the entry is cut short");
  return parse_npy(std::as_bytes(std::span(bytes)));
}

std::string_view array_name(std::string_view file_name) {
  if (file_name.ends_with(kEnding)) file_name.remove_suffix(kEnding.size());
  return file_name;
}

}  // namespace

Result<NamedTensors> read_npz(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const Archive archive, open_archive(path));
  NamedTensors tensors;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t info;
    if (zip_stat_index(archive.get(), index, 0, &info) != 0 || info.name == nullptr) {
      return bad_input("{}: entry {} has no description", path, i);
    }
    auto tensor = read_entry(archive.get(), index, info);
    if (!tensor.ok()) {
      return std::move(tensor).error().at(fmt::format("{}: array '{}'", path, info.name));
    }
    tensors[std::string(array_name(info.name))] = *std::move(tensor);
  }
  return tensors;
}

Status write_npz(const std::string& path, const NamedTensors& tensors) {
  const std::string temporary = path + ".partial";
  int code = 0;
  Archive archive(zip_open(temporary.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code), zip_discard);
  if (archive == nullptr) return usage_error("cannot create {}", path);
  std::vector<std::string> contents;
  contents.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EDGEWRIGHT_ASSIGN(std::string bytes, format_npy(tensor));
    contents.push_back(std::move(bytes));
    zip_source_t* source =
        zip_source_buffer(archive.get(), contents.back().data(), contents.back().size(), 0);
    const std::string entry = name + std::string(kEnding);
    const zip_int64_t index = zip_file_add(archive.get(), entry.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      return internal_error("cannot add '{}' to {}", name, path);
    }
    // A fixed time stamp: the same tensors give the same bytes.
    zip_file_set_mtime(archive.get(), static_cast<zip_uint64_t>(index), 315532800, 0);
  }
  zip_t* open = archive.release();
  if (zip_close(open) != 0) {
    zip_discard(open);
    return internal_error("cannot write {}", path);
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  return error ? Status(internal_error("cannot finish {}: {}", path, error.message())) : Status();
}

Result<NamedTensors> read_data(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return read_npz(path);
  NamedTensors tensors;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() != kEnding) continue;
    EDGEWRIGHT_ASSIGN(tensors[entry.path().stem().string()], read_npy(entry.path().string()));
  }
  if (tensors.empty()) return bad_input("{} holds no .npy files", path);
  return tensors;
}

}  // namespace edgewright
