#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "power/govern/governor.h"

namespace edgewright {
namespace {

// include/uapi/linux/sched/types.h, up to the clamps; not in the C library's headers.
struct SchedulingAttributes {
  uint32_t size = 56, policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
  uint32_t clamp_low = 0, clamp_high = 0;
};
constexpr uint64_t kKeepPolicy = 0x08, kKeepParameters = 0x10, kClampLow = 0x20, kClampHigh = 0x40;

SchedulingAttributes clamping(uint32_t lowest, uint32_t highest) {
  SchedulingAttributes attributes;
  attributes.flags = kKeepPolicy | kKeepParameters | kClampLow | kClampHigh;
  attributes.clamp_low = lowest;
  attributes.clamp_high = highest;
  return attributes;
}

class LinuxProcess : public ProcessControl {
 public:
  explicit LinuxProcess(int pid) : pid_(pid) {}
  ~LinuxProcess() override {
    for (const auto& [thread, mask] : before_) ::sched_setaffinity(thread, sizeof mask, &mask);
    for (const auto& [thread, clamps] : clamps_before_) {
      SchedulingAttributes attributes = clamping(clamps.first, clamps.second);
      ::syscall(SYS_sched_setattr, thread, &attributes, 0);
    }
  }
  LinuxProcess(const LinuxProcess&) = delete;
  LinuxProcess& operator=(const LinuxProcess&) = delete;

  Status set_affinity(const std::vector<int>& cpus) override {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (const int cpu : cpus) {
      if (cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &mask);
    }
    return for_each_thread([&](int thread) {
      cpu_set_t before;
      if (!before_.contains(thread) && ::sched_getaffinity(thread, sizeof before, &before) == 0) {
        before_.emplace(thread, before);
      }
      return ::sched_setaffinity(thread, sizeof mask, &mask) == 0;
    });
  }

  Status set_clamps(int lowest, int highest) override {
    SchedulingAttributes attributes =
        clamping(static_cast<uint32_t>(lowest), static_cast<uint32_t>(highest));
    return for_each_thread([&](int thread) {
      SchedulingAttributes before;
      if (!clamps_before_.contains(thread) &&
          ::syscall(SYS_sched_getattr, thread, &before, sizeof before, 0) == 0) {
        clamps_before_.emplace(thread, std::pair(before.clamp_low, before.clamp_high));
      }
      return ::syscall(SYS_sched_setattr, thread, &attributes, 0) == 0;
    });
  }

 private:
  template <class Act>
  Status for_each_thread(Act act) {
    RootedFiles files("/");
    const auto threads = files.list(fmt::format("proc/{}/task", pid_));
    if (threads.empty()) return bad_input("there is no process {}", pid_);
    for (const std::string& thread : threads) {
      // A thread may have ended meanwhile.
      if (!act(std::stoi(thread)) && errno != ESRCH) {
        return bad_input("process {}: {}", pid_, std::strerror(errno));
      }
    }
    return {};
  }

  int pid_;
  std::map<int, cpu_set_t> before_;
  std::map<int, std::pair<uint32_t, uint32_t>> clamps_before_;
};

}  // namespace

std::unique_ptr<ProcessControl> control_process(int pid) {
  return std::make_unique<LinuxProcess>(pid);
}

}  // namespace edgewright
