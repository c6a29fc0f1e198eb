#include "serve/service/catalogue.h"

#include <algorithm>

#include "serve/service/rollout_file.h"

namespace edgewright {
namespace {

Refusal no_model(const std::string& name) {
  return {RefusalKind::kUnknown, fmt::format("no model '{}' in service", name)};
}

// The version that was promoted before or that a rollback kept, where one is recorded.
void add_recorded(const ModelFolder& folder, int64_t recorded,
                  std::vector<ModelFolder::Version>& chosen) {
  if (std::ranges::find(chosen, recorded, &ModelFolder::Version::number) != chosen.end()) return;
  const auto found = std::ranges::find(folder.versions, recorded, &ModelFolder::Version::number);
  if (found != folder.versions.end()) chosen.push_back(*found);
}

}  // namespace

Status Catalogue::load_all() {
  EDGEWRIGHT_ASSIGN(const std::vector<std::string> names, model_names(repository_));
  if (names.empty()) {
    return bad_input("{} holds no model; expected {}/MODEL/1/model.onnx", repository_, repository_);
  }
  for (const std::string& name : names) {
    const Status loaded = load(name);
    if (loaded.ok()) continue;
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[name];
    entry.failed = {{name, "", "UNAVAILABLE", loaded.error().message}};
    entry.warnings = {fmt::format("{}: {}", name, loaded.error().message)};
  }
  return {};
}

Result<Catalogue::Entry> Catalogue::open_entry(const std::string& name) const {
  EDGEWRIGHT_ASSIGN(const ModelFolder folder, read_model_folder(repository_, name));
  EDGEWRIGHT_ASSIGN(std::vector<ModelFolder::Version> chosen, chosen_versions(folder));
  EDGEWRIGHT_ASSIGN(const int64_t recorded, recorded_service(folder.path));
  if (recorded > 0) add_recorded(folder, recorded, chosen);
  Entry entry;
  entry.warnings = folder.config.warnings;
  std::optional<Error> first_error;
  for (const ModelFolder::Version& version : chosen) {
    auto opened = ModelVersion::open(folder, version, opener_, options_);
    if (opened.ok()) {
      entry.versions[version.number] = *std::move(opened);
      continue;
    }
    const Error& error = opened.error();
    entry.failed.push_back({name, std::to_string(version.number), "UNAVAILABLE", error.message});
    entry.warnings.push_back(error.message);
    if (!first_error) first_error = error;
  }
  if (entry.versions.empty()) return *first_error;
  entry.service = entry.versions.contains(recorded) ? recorded : entry.versions.rbegin()->first;
  return entry;
}

Status Catalogue::load(const std::string& name) {
  const std::lock_guard load_lock(load_mutex_);
  EDGEWRIGHT_ASSIGN(Entry entry, open_entry(name));
  Versions before;
  {
    const std::lock_guard lock(mutex_);
    Entry& current = entries_[name];
    before.swap(current.versions);
    current = std::move(entry);
  }
  for (const auto& [number, version] : before) version->close();
  return {};
}

Reply<bool> Catalogue::unload(const std::string& name) {
  Versions before;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return no_model(name);
    before.swap(found->second.versions);
    found->second.failed = {{name, "", "UNAVAILABLE", "unloaded"}};
  }
  for (const auto& [number, version] : before) version->close();
  return true;
}

Reply<std::shared_ptr<ModelVersion>> Catalogue::find(const std::string& name,
                                                     const std::string& version) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return no_model(name);
  const Versions& versions = entry->second.versions;
  if (versions.empty()) {
    const auto& failed = entry->second.failed;
    return Refusal{RefusalKind::kUnavailable,
                   fmt::format("model '{}' is not ready: {}", name,
                               failed.empty() ? "unloaded" : failed[0].reason)};
  }
  if (version.empty()) {
    const auto service = versions.find(entry->second.service);
    return service == versions.end() ? versions.rbegin()->second : service->second;
  }
  for (const auto& [number, opened] : versions) {
    if (std::to_string(number) == version) return opened;
  }
  return Refusal{RefusalKind::kUnknown,
                 fmt::format("no version '{}' of model '{}' in service", version, name)};
}

Result<std::shared_ptr<ModelVersion>> Catalogue::add_version(const std::string& name,
                                                             int64_t number) {
  const std::lock_guard load_lock(load_mutex_);
  EDGEWRIGHT_ASSIGN(const ModelFolder folder, read_model_folder(repository_, name));
  const auto found = std::ranges::find(folder.versions, number, &ModelFolder::Version::number);
  if (found == folder.versions.end()) return bad_input("no version {} of '{}'", number, name);
  EDGEWRIGHT_ASSIGN(std::shared_ptr<ModelVersion> opened,
                    ModelVersion::open(folder, *found, opener_, options_));
  const std::lock_guard lock(mutex_);
  entries_[name].versions[number] = opened;
  return opened;
}

void Catalogue::set_service(const std::string& name, int64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found != entries_.end()) found->second.service = number;
}

std::vector<IndexRow> Catalogue::index(bool ready_only) const {
  const std::lock_guard lock(mutex_);
  std::vector<IndexRow> rows;
  for (const auto& [name, entry] : entries_) {
    for (const auto& [number, version] : entry.versions) {
      rows.push_back({name, std::to_string(number), "READY", ""});
    }
    if (!ready_only) rows.insert(rows.end(), entry.failed.begin(), entry.failed.end());
  }
  return rows;
}

std::vector<std::string> Catalogue::versions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> numbers;
  const auto found = entries_.find(name);
  if (found == entries_.end()) return numbers;
  for (const auto& [number, version] : found->second.versions) {
    numbers.push_back(std::to_string(number));
  }
  return numbers;
}

std::vector<std::shared_ptr<ModelVersion>> Catalogue::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ModelVersion>> list;
  for (const auto& [name, entry] : entries_) {
    for (const auto& [number, version] : entry.versions) list.push_back(version);
  }
  return list;
}

std::vector<std::string> Catalogue::warnings() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> list;
  for (const auto& [name, entry] : entries_) {
    list.insert(list.end(), entry.warnings.begin(), entry.warnings.end());
  }
  return list;
}

}  // namespace edgewright
