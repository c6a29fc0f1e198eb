#include "api/deploy/bundle.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "base/digest.h"
#include "base/file.h"

namespace edgewright {
namespace {

constexpr size_t kMaxRecordBytes = size_t{1} << 24;
constexpr const char* kFolders[] = {"models", "proof", "plans", "stages", "calibration"};

// The name that an unfinished file would have got: AtomicFile adds a dot and six characters, a
// writer that checks what it wrote adds ".unverified". The name itself for all others.
std::string finished_name(std::string name) {
  constexpr size_t kRandom = 6;
  const auto is_random = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  if (name.size() > kRandom + 1 && name[name.size() - kRandom - 1] == '.' &&
      std::all_of(name.end() - kRandom, name.end(), is_random)) {
    name.resize(name.size() - kRandom - 1);
  }
  constexpr std::string_view kUnverified = ".unverified";
  if (const size_t at = name.find(kUnverified); at != std::string::npos) {
    name.erase(at, kUnverified.size());
    // A plan keeps its own ending in front of it.
    if (name.ends_with(".ewplan.ewplan")) name.resize(name.size() - std::size(".ewplan") + 1);
  }
  return name;
}

void remove_empty_folders(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_directory(error)) folders.push_back(entry.path());
  }
  // Inner ones lie behind the outer; only empty ones can be removed this way.
  for (auto it = folders.rbegin(); it != folders.rend(); ++it) {
    if (std::filesystem::is_empty(*it, error)) std::filesystem::remove(*it, error);
  }
}

std::string record_path(const std::string& name) { return "stages/" + name + ".json"; }

}  // namespace

Result<Bundle> Bundle::create(const std::string& folder) {
  std::error_code error;
  for (const char* part : kFolders) {
    std::filesystem::create_directories(folder + "/" + part, error);
    if (error) {
      return usage_error("cannot make the bundle {}/{}: {}", folder, part, error.message());
    }
  }
  return Bundle(folder);
}

Status Bundle::write(const std::string& relative, std::string_view text) {
  described_.erase(relative);
  return write_file(path(relative), text);
}

Result<BundleFile> Bundle::describe(const std::string& relative) {
  if (const auto it = described_.find(relative); it != described_.end()) return it->second;
  BundleFile file{relative};
  EDGEWRIGHT_ASSIGN(file.sha256, sha256_of_file(path(relative)));
  std::error_code error;
  file.size_bytes = static_cast<int64_t>(std::filesystem::file_size(path(relative), error));
  described_[relative] = file;
  return file;
}

std::vector<std::string> Bundle::files_below(const std::string& relative) const {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path(relative), error)) {
    if (!entry.is_regular_file(error)) continue;
    files.push_back(entry.path().lexically_relative(folder_).string());
  }
  std::ranges::sort(files);
  return files;
}

void Bundle::remove_leftovers(const std::vector<std::string>& keep) const {
  const std::set<std::string> kept(keep.begin(), keep.end());
  std::set<std::string> ours = kept;
  if (const auto text = read_file(path("manifest.json"), kMaxRecordBytes); text.ok()) {
    const Json manifest = Json::parse(*text, nullptr, false);
    if (manifest.is_object() && manifest.contains("files") && manifest["files"].is_array()) {
      for (const Json& entry : manifest["files"]) {
        if (entry.is_object()) ours.insert(entry.value("path", ""));
      }
    }
  }
  ours.insert({"manifest.json", "measurements.json", "report.html"});
  const auto is_ours = [&](const std::string& file) {
    if (kept.contains(file)) return false;
    // An ending such as ".tflite" looks like one of a file in the making: whole names come first.
    return ours.contains(file) || ours.contains(finished_name(file));
  };
  std::error_code error;
  for (const char* part : kFolders) {
    for (const std::string& file : files_below(part)) {
      if (is_ours(file)) std::filesystem::remove(path(file), error);
    }
  }
  std::vector<std::string> root;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (entry.is_regular_file(error)) root.push_back(entry.path().filename().string());
  }
  for (const std::string& file : root) {
    if (file != finished_name(file) && is_ours(file)) std::filesystem::remove(path(file), error);
  }
  remove_empty_folders(path("models"));
}

Result<Json> Bundle::kept(const std::string& name, const std::string& key) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path(record_path(name)), kMaxRecordBytes));
  const Json record = Json::parse(text, nullptr, false);
  // A record that somebody damaged is as good as none.
  const auto miss = check_failed("no usable record of stage {}", name);
  if (!record.is_object() || record.value("key", "") != key) return miss;
  if (!record.contains("files") || !record["files"].is_array()) return miss;
  for (const Json& entry : record["files"]) {
    const auto file = describe(entry.value("path", ""));
    if (!file.ok() || file->sha256 != entry.value("sha256", "")) return miss;
  }
  return record;
}

void Bundle::add_files(const Json& record) {
  for (const Json& entry : record["files"]) files_.push_back(entry.value("path", ""));
  std::ranges::sort(files_);
}

Result<Json> Bundle::stage(const std::string& name, const std::vector<std::string>& inputs,
                           const Work& work) {
  std::string joined(version());
  for (const std::string& input : inputs) joined += "\n" + std::to_string(input.size()) + input;
  const std::string key = sha256(joined);
  if (const auto record = kept(name, key); record.ok()) {
    stages_.push_back({name, true});
    add_files(*record);
    return (*record)["result"];
  }
  auto outcome = work();
  if (!outcome.ok()) return std::move(outcome).error().at("stage " + name);
  Json record = {{"key", key}, {"files", Json::array()}, {"result", outcome->result}};
  for (const std::string& relative : outcome->files) {
    described_.erase(relative);
    EDGEWRIGHT_ASSIGN(const BundleFile file, describe(relative));
    record["files"].push_back({{"path", file.path}, {"sha256", file.sha256}});
  }
  EDGEWRIGHT_TRY(write(record_path(name), record.dump(1) + "\n"));
  stages_.push_back({name, false});
  add_files(record);
  return outcome->result;
}

}  // namespace edgewright
