#include "base/cpu.h"

#include <algorithm>
#include <fstream>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace edgewright {
namespace {

#if defined(__x86_64__) && defined(__linux__)
// Linux hands out the tile registers of AMX on request only, to the whole process; the numbers are
// those of arch_prctl(2).
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return __builtin_cpu_supports("amx-tile") &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#elif defined(__x86_64__)
bool may_use_tiles() { return false; }
#endif

std::vector<std::string> find_features() {
  std::vector<std::string> features;
  const auto note = [&](bool present, const char* name) {
    if (present) features.emplace_back(name);
  };
#if defined(__x86_64__)
  note(__builtin_cpu_supports("sse4.2"), "sse4.2");
  note(__builtin_cpu_supports("avx2"), "avx2");
  note(__builtin_cpu_supports("fma"), "fma");
  note(__builtin_cpu_supports("avx512f"), "avx512f");
  note(__builtin_cpu_supports("avx512bw"), "avx512bw");
  note(__builtin_cpu_supports("avx512vl"), "avx512vl");
  note(__builtin_cpu_supports("avx512vnni"), "avx512vnni");
  note(__builtin_cpu_supports("avxvnni"), "avxvnni");
  note(__builtin_cpu_supports("avx512bf16"), "avx512bf16");
  if (may_use_tiles()) {
    note(__builtin_cpu_supports("amx-bf16"), "amx-bf16");
    note(__builtin_cpu_supports("amx-int8"), "amx-int8");
  }
#elif defined(__aarch64__) && defined(__linux__)
  const unsigned long capabilities = getauxval(AT_HWCAP);
  note((capabilities & HWCAP_ASIMD) != 0, "asimd");
  note((capabilities & HWCAP_ASIMDDP) != 0, "asimddp");
  note((capabilities & HWCAP_SVE) != 0, "sve");
#endif
  std::ranges::sort(features);
  return features;
}

std::string find_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.starts_with("model name") || line.starts_with("CPU part")) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

// Apart from the model, which is read from a file: opening a plan needs the features only.
const std::vector<std::string>& host_features() {
  static const auto* features = new std::vector<std::string>(find_features());
  return *features;
}

}  // namespace

const CpuInfo& host_cpu() {
  static const CpuInfo* info = new CpuInfo{find_model(), host_features()};
  return *info;
}

std::vector<std::string> missing_features(const std::vector<std::string>& wanted) {
  std::vector<std::string> missing;
  for (const std::string& feature : wanted) {
    if (!std::ranges::binary_search(host_features(), feature)) missing.push_back(feature);
  }
  return missing;
}

}  // namespace edgewright
