#include "profile/counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace edgewright {
namespace {

struct Event {
  const char* name;
  uint64_t config;
};
constexpr Event kEvents[] = {{"cycles", PERF_COUNT_HW_CPU_CYCLES},
                             {"instructions", PERF_COUNT_HW_INSTRUCTIONS},
                             {"cache misses", PERF_COUNT_HW_CACHE_MISSES},
                             {"branch misses", PERF_COUNT_HW_BRANCH_MISSES}};

class Counter {
 public:
  explicit Counter(const Event& event) {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = event.config;
    attributes.disabled = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    descriptor_ = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    error_ = descriptor_ < 0 ? errno : 0;
  }
  ~Counter() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Counter(Counter&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), error_(other.error_) {}
  Counter& operator=(Counter&&) = delete;

  int error() const { return error_; }
  void start() const { ioctl(descriptor_, PERF_EVENT_IOC_ENABLE, 0); }
  int64_t stop() const {
    ioctl(descriptor_, PERF_EVENT_IOC_DISABLE, 0);
    int64_t count = 0;
    return read(descriptor_, &count, sizeof(count)) == sizeof(count) ? count : 0;
  }

 private:
  int descriptor_ = -1;
  int error_ = 0;
};

}  // namespace

Result<std::vector<CounterFigure>> count_events(const std::function<Status()>& work) {
  std::vector<Counter> counters;
  counters.reserve(std::size(kEvents));
  for (const Event& event : kEvents) {
    counters.emplace_back(event);
    if (counters.back().error() == 0) continue;
    return unsupported("this system gives no {} counter ({})", event.name,
                       std::strerror(counters.back().error()));
  }
  for (const Counter& counter : counters) counter.start();
  const Status status = work();
  std::vector<CounterFigure> figures;
  figures.reserve(counters.size());
  for (size_t i = 0; i < counters.size(); ++i) {
    figures.push_back({kEvents[i].name, counters[i].stop()});
  }
  if (!status.ok()) return status.error();
  return figures;
}

}  // namespace edgewright
