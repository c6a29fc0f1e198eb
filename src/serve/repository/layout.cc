#include "serve/repository/layout.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/file.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr std::pair<const char*, bool> kFiles[] = {
    {"model.ewplan", false},
    {"model.onnx", false},
    {"model.txt", false},
    {"model.ewlm", true},
    {"model.gguf", true},
    {"model", true},
    // A half whose activations come as bytes of docs/formats/activation.md.
    {"coded.onnx", false},
    // A part of a model that leaves what comes after it to the next server (relay.json says where).
    {"relay.onnx", false},
    // Language models that check drafts made elsewhere: tensors in, tensors out.
    {"checker.ewlm", false},
    {"checker.gguf", false},
    {"checker", false},
    // And those that do half of the work for a device: the prompt, or the last layers.
    {"prompt.ewlm", false},
    {"prompt.gguf", false},
    {"prompt", false},
    {"layers.ewlm", false},
    {"layers.gguf", false},
    {"layers", false},
};

// A version's folder is named by a positive number.
int64_t version_number(const std::string& name) {
  int64_t number = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number);
  return code == std::errc() && end == name.data() + name.size() && name[0] != '0' ? number : 0;
}

Result<ModelFolder::Version> find_file(const fs::path& folder, int64_t number,
                                       const std::string& file_name) {
  std::error_code error;
  for (const auto& [name, is_language] : kFiles) {
    if (!file_name.empty() && fs::path(file_name).extension() != fs::path(name).extension()) {
      continue;
    }
    const fs::path file = folder / (file_name.empty() ? name : file_name.c_str());
    if (fs::exists(file, error)) return ModelFolder::Version{number, file.string(), is_language};
  }
  return bad_input(
      "{}: no {}", folder.string(),
      file_name.empty() ? "model.onnx, model.ewplan, model.ewlm or model.gguf" : file_name.c_str());
}

}  // namespace

Result<std::vector<std::string>> model_names(const std::string& repository) {
  std::error_code error;
  if (!fs::is_directory(repository, error)) {
    return bad_input(
        "{} is no folder; expected a model repository, FOLDER/MODEL/VERSION/model.onnx",
        repository);
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(repository, error)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(error) && !name.starts_with('.')) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<ModelFolder> read_model_folder(const std::string& repository, const std::string& name) {
  // A name comes from the network too: it must not leave the repository.
  if (name.empty() || name.starts_with('.') || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos) {
    return bad_input("'{}' is no model's name", name);
  }
  const fs::path path = fs::path(repository) / name;
  std::error_code error;
  if (!fs::is_directory(path, error)) return bad_input("no model '{}' in the repository", name);
  ModelFolder folder{name, path.string(), {}, {}};
  if (const fs::path file = path / "config.pbtxt"; fs::exists(file, error)) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(file.string(), kMaxConfigBytes));
    Result<ServingConfig> config = read_serving_config(text);
    if (!config.ok()) return std::move(config).error().at(file.string());
    folder.config = *std::move(config);
    if (!folder.config.name.empty() && folder.config.name != name) {
      return bad_input("{}: the name is '{}', the folder's '{}'", file.string(), folder.config.name,
                       name);
    }
  }
  folder.config.name = name;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const int64_t number = version_number(entry.path().filename().string());
    if (number == 0 || !entry.is_directory(error)) continue;
    EDGEWRIGHT_ASSIGN(ModelFolder::Version version,
                      find_file(entry.path(), number, folder.config.file_name));
    folder.versions.push_back(std::move(version));
  }
  std::ranges::sort(folder.versions, {}, &ModelFolder::Version::number);
  if (folder.versions.empty()) {
    return bad_input("{}: no version; expected {}/1/model.onnx", path.string(), path.string());
  }
  return folder;
}

Result<std::vector<ModelFolder::Version>> chosen_versions(const ModelFolder& folder) {
  const ServingConfig::VersionPolicy& policy = folder.config.versions;
  std::vector<ModelFolder::Version> chosen;
  if (policy.specific.empty()) {
    const auto all = static_cast<int64_t>(folder.versions.size());
    const int64_t count = policy.latest == 0 ? all : std::min(policy.latest, all);
    return std::vector(folder.versions.end() - count, folder.versions.end());
  }
  for (const int64_t number : policy.specific) {
    const auto found = std::ranges::find(folder.versions, number, &ModelFolder::Version::number);
    if (found == folder.versions.end()) {
      return bad_input("{}: version {} of its version_policy is not there", folder.path, number);
    }
    chosen.push_back(*found);
  }
  std::ranges::sort(chosen, {}, &ModelFolder::Version::number);
  return chosen;
}

}  // namespace edgewright
