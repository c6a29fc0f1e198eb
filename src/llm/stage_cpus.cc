#include "llm/stage_cpus.h"

#include <charconv>
#include <set>

namespace edgewright {
namespace {

constexpr int kMostCpu = 1023;
constexpr size_t kMostStages = 16;

// "0-3,6"; empty for anything else.
std::vector<int> cpu_list(std::string_view text) {
  std::vector<int> cpus;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    int first = -1, last = -1;
    auto read = std::from_chars(at, end, first);
    if (read.ec != std::errc()) return {};
    last = first;
    if (read.ptr != end && *read.ptr == '-') {
      read = std::from_chars(read.ptr + 1, end, last);
      if (read.ec != std::errc()) return {};
    }
    if (first < 0 || last < first || last > kMostCpu) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (read.ptr == end) return cpus;
    if (*read.ptr != ',') return {};
    at = read.ptr + 1;
  }
}

}  // namespace

Result<StageCpus> parse_stages(std::string_view text) {
  StageCpus stages;
  if (text == "none") return stages;
  std::set<int> seen;
  for (std::string_view rest = text;;) {
    const size_t slash = rest.find('/');
    stages.push_back(cpu_list(rest.substr(0, slash)));
    bool sound = !stages.back().empty() && stages.size() <= kMostStages;
    for (const int cpu : stages.back()) sound &= seen.insert(cpu).second;
    if (!sound) break;
    if (slash == std::string_view::npos) {
      if (stages.size() > 1) return stages;
      break;
    }
    rest.remove_prefix(slash + 1);
  }
  return usage_error(
      "stages '{}', expected the CPUs of each as in 0-3/4,5/6-7, 2 to {} of them, none twice; or "
      "none",
      text.substr(0, 80), kMostStages);
}

}  // namespace edgewright
