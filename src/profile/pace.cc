#include "profile/pace.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "profile/made_up_layers.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// Of the endless sequence: convolution, depthwise, two products; product and depthwise of bytes.
constexpr size_t kLayers[] = {1308, 411, 589, 808, 1066, 165};
constexpr int kRuns = 3;
constexpr double kNearQuickest = 1.15, kQuickest = 0.1;
constexpr std::chrono::milliseconds kWaitPeriod{5};

double best_us(KernelRunner& kernel) {
  kernel.run();  // brings its data near
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRuns; ++i) {
    const auto before = Clock::now();
    kernel.run();
    best = std::min(best, microseconds(before, Clock::now()));
  }
  return best;
}

}  // namespace

Result<PaceMeter> PaceMeter::create() {
  PaceMeter meter;
  for (const size_t index : kLayers) {
    const MadeUpLayer layer = made_up_layer(index);
    EDGEWRIGHT_ASSIGN(MadeLayer made, make_layer(layer, 1));
    // The first of the table that takes it, so that it is the same one each time.
    for (const KernelImplementation* one :
         find_implementations(made.request.domain, made.request.op)) {
      if (!one->supports(made.request)) continue;
      EDGEWRIGHT_ASSIGN(KernelRunner kernel, KernelRunner::create(made.request, *one));
      meter.layers_.push_back(std::move(kernel));
      break;
    }
    meter.constants_.push_back(std::move(made.constants));
  }
  return meter;
}

double PaceMeter::round_us() {
  if (layers_.empty()) return 1;
  double logarithms = 0;
  for (KernelRunner& layer : layers_) logarithms += std::log(best_us(layer));
  return std::exp(logarithms / static_cast<double>(layers_.size()));
}

double slowest_undisturbed_us(std::span<const double> paces) {
  return kNearQuickest * quantile({paces.begin(), paces.end()}, kQuickest);
}

PaceWatch::PaceWatch(std::function<double()> ask, double quick_us, double patience_us)
    : ask_(std::move(ask)),
      quick_us_(quick_us > 0 ? quick_us : std::numeric_limits<double>::infinity()),
      patience_us_(patience_us) {}

double PaceWatch::read_us() {
  const double pace_us = ask_();
  quick_us_ = std::min(quick_us_, pace_us);
  return pace_us;
}

double PaceWatch::wait_us(double pace_us) {
  while (pace_us > kNearQuickest * quick_us_ && waited_us_ < patience_us_) {
    const auto start = Clock::now();
    std::this_thread::sleep_for(kWaitPeriod);
    pace_us = read_us();
    waited_us_ += microseconds(start, Clock::now());
  }
  return pace_us;
}

}  // namespace edgewright
