#include "base/cpu.h"

#include <algorithm>
#include <fstream>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace edgewright {
namespace {

#if defined(__x86_64__)
// The tile unit with 8-bit products. Linux wants a process to ask for its registers once, because
// they make the stack frames of signals larger.
bool may_use_amx_int8() {
#if defined(__linux__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kTile) == 0 || (edx & kInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2), asm/prctl.h
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
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
  note(may_use_amx_int8(), "amx-int8");
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

}  // namespace

const CpuInfo& host_cpu() {
  static const CpuInfo* info = new CpuInfo{find_model(), find_features()};
  return *info;
}

std::vector<std::string> missing_features(const std::vector<std::string>& wanted) {
  std::vector<std::string> missing;
  for (const std::string& feature : wanted) {
    if (!std::ranges::binary_search(host_cpu().features, feature)) missing.push_back(feature);
  }
  return missing;
}

}  // namespace edgewright
