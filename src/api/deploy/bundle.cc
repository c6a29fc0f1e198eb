#include "api/deploy/bundle.h"

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/file.h"

namespace edgewright {
namespace {

constexpr size_t kMaxRecordBytes = size_t{1} << 24;

std::string record_path(const std::string& name) { return "stages/" + name + ".json"; }

}  // namespace

Result<Bundle> Bundle::create(const std::string& folder) {
  std::error_code error;
  for (const char* part : {"models", "proof", "plans", "stages"}) {
    std::filesystem::create_directories(folder + "/" + part, error);
    if (error) {
      return usage_error("cannot make the bundle {}/{}: {}", folder, part, error.message());
    }
  }
  return Bundle(folder);
}

Status Bundle::write(const std::string& relative, std::string_view text) const {
  return write_file(path(relative), text);
}

Result<BundleFile> Bundle::describe(const std::string& relative) const {
  BundleFile file{relative};
  EDGEWRIGHT_ASSIGN(file.sha256, sha256_of_file(path(relative)));
  std::error_code error;
  file.size_bytes = static_cast<int64_t>(std::filesystem::file_size(path(relative), error));
  return file;
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
    EDGEWRIGHT_ASSIGN(const BundleFile file, describe(relative));
    record["files"].push_back({{"path", file.path}, {"sha256", file.sha256}});
  }
  EDGEWRIGHT_TRY(write(record_path(name), record.dump(1) + "\n"));
  stages_.push_back({name, false});
  add_files(record);
  return outcome->result;
}

}  // namespace edgewright
