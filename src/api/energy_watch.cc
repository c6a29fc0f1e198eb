#include "api/energy_watch.h"

#include <algorithm>
#include <chrono>

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// Counters wrap after a minute at the soonest, sensors only know moments: ten a second serve both
// and wake the machine seldom.
constexpr std::chrono::milliseconds kPeriod{100};

double now_s() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

}  // namespace

EnergyWatch::EnergyWatch(const std::string& root)
    : files_(root), inventory_(take_inventory(files_)) {}

EnergyWatch::~EnergyWatch() { stop_sampling(); }

void EnergyWatch::sample() {
  std::lock_guard lock(mutex_);
  meter_->sample(now_s());
}

void EnergyWatch::keep_sampling() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [this] { return stop_; })) meter_->sample(now_s());
}

void EnergyWatch::stop_sampling() {
  if (!sampler_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  sampler_.join();
  stop_ = false;
}

void EnergyWatch::begin() {
  stop_sampling();
  if (inventory_.sources.empty()) return;
  meter_ = std::make_unique<EnergyMeter>(files_, inventory_.sources);
  sample();
  sampler_ = std::thread([this] { keep_sampling(); });
}

EnergyFigures EnergyWatch::end(int64_t units) {
  stop_sampling();
  return so_far(units);
}

std::optional<double> EnergyWatch::joules() {
  if (meter_ == nullptr) return std::nullopt;
  const std::lock_guard lock(mutex_);
  meter_->sample(now_s());
  return meter_->working() ? std::optional(meter_->energy_j()) : std::nullopt;
}

EnergyFigures EnergyWatch::so_far(int64_t units) {
  EnergyFigures figures;
  if (meter_ == nullptr) {
    figures.method = "not measured: no energy counter or power sensor that may be read";
    return figures;
  }
  std::lock_guard lock(mutex_);
  meter_->sample(now_s());
  figures.method = meter_->method();
  figures.samples = meter_->samples();
  figures.window_s = meter_->window_s();
  figures.energy_j = meter_->energy_j();
  figures.measured = meter_->working();
  if (figures.window_s > 0) figures.mean_power_w = figures.energy_j / figures.window_s;
  if (units > 0) figures.mj_per_unit = figures.energy_j * 1e3 / static_cast<double>(units);
  for (const ZoneFile& zone : inventory_.zones) {
    const auto reading = files_.read_number(zone.folder + "/temp");
    if (reading.ok() && *reading < 200'000) {
      figures.hottest_c = std::max(figures.hottest_c, static_cast<double>(*reading) * 1e-3);
    }
  }
  return figures;
}

}  // namespace edgewright
