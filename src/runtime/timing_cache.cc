#include "runtime/timing_cache.h"

#include <cmath>

#include "base/file.h"
#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::string_view kSchema = "edgewright.timings/3";
constexpr size_t kMaxFileBytes = size_t{64} << 20;

// The entries of a file as far as they make sense.
std::map<std::string, double> read_times(const std::string& path) {
  std::map<std::string, double> times;
  if (path.empty()) return times;
  const auto text = read_file(path, kMaxFileBytes);
  if (!text.ok()) return times;
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("schema", Json()) != kSchema) return times;
  const auto entries = json.find("times_us");
  if (entries == json.end() || !entries->is_object()) return times;
  for (const auto& [key, value] : entries->items()) {
    if (!value.is_number()) continue;
    const double time_us = value.get<double>();
    if (std::isfinite(time_us) && time_us > 0) times.emplace(key, time_us);
  }
  return times;
}

}  // namespace

TimingCache::TimingCache(std::string path) : path_(std::move(path)), times_us_(read_times(path_)) {}

std::optional<double> TimingCache::find(const std::string& key) const {
  const auto it = times_us_.find(key);
  if (it == times_us_.end()) return std::nullopt;
  return it->second;
}

void TimingCache::put(const std::string& key, double time_us) {
  times_us_[key] = time_us;
  changed_ = true;
}

Status TimingCache::save() {
  if (path_.empty() || !changed_) return {};
  for (const auto& [key, time_us] : read_times(path_)) times_us_.emplace(key, time_us);
  Json json;
  json["schema"] = kSchema;
  json["times_us"] = Json(times_us_);
  EDGEWRIGHT_TRY(write_file(path_, json.dump(1) + "\n"));
  changed_ = false;
  return {};
}

}  // namespace edgewright
