#include "runtime/timing_cache.h"

#include <cmath>

#include "base/file.h"
#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::string_view kSchema = "edgewright.timings/4";
constexpr size_t kMaxFileBytes = size_t{64} << 20;

// The entries of a file as far as they make sense.
std::map<std::string, KernelTimes> read_times(const std::string& path) {
  std::map<std::string, KernelTimes> times;
  if (path.empty()) return times;
  const auto text = read_file(path, kMaxFileBytes);
  if (!text.ok()) return times;
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("schema", Json()) != kSchema) return times;
  const auto entries = json.find("times_us");
  if (entries == json.end() || !entries->is_object()) return times;
  for (const auto& [key, value] : entries->items()) {
    if (!value.is_array() || value.size() != 2) continue;
    if (!value[0].is_number() || !value[1].is_number()) continue;
    const KernelTimes read{value[0].get<double>(), value[1].get<double>()};
    const bool sound = std::isfinite(read.run_us) && read.run_us > 0 &&
                       std::isfinite(read.make_us) && read.make_us >= 0;
    if (sound) times.emplace(key, read);
  }
  return times;
}

}  // namespace

TimingCache::TimingCache(std::string path) : path_(std::move(path)), times_(read_times(path_)) {}

std::optional<KernelTimes> TimingCache::find(const std::string& key) const {
  const auto it = times_.find(key);
  if (it == times_.end()) return std::nullopt;
  return it->second;
}

void TimingCache::put(const std::string& key, KernelTimes times) {
  times_[key] = times;
  changed_ = true;
}

Status TimingCache::save() {
  if (path_.empty() || !changed_) return {};
  for (const auto& [key, times] : read_times(path_)) times_.emplace(key, times);
  Json json;
  json["schema"] = kSchema;
  json["times_us"] = Json::object();  // run, make
  for (const auto& [key, times] : times_) json["times_us"][key] = {times.run_us, times.make_us};
  EDGEWRIGHT_TRY(write_file(path_, json.dump(1) + "\n"));
  changed_ = false;
  return {};
}

}  // namespace edgewright
