#include "profile/cache_model.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace edgewright {
namespace {

// Output channels or columns that a pass over the input serves: two vectors of 16 lanes.
constexpr int64_t kColumnsPerPass = 32;
// Rows that share a loaded weight in the registers.
constexpr double kRowsPerTile = 6;
constexpr int64_t kMaxPasses = 32;
constexpr int64_t kCacheLineBytes = 64;
// The trace has about this many accesses at most; blocks grow with the model.
constexpr int64_t kTraceLength = 1 << 20;

struct Access {
  uint32_t step;
  uint64_t block;
  float weight;  // accesses that this one stands for
};

// Distinct blocks since the last use, by a Fenwick tree over the times of last uses (Bennett and
// Kruskal 1975).
class ReuseDistance {
 public:
  explicit ReuseDistance(size_t length) : tree_(length + 1, 0) {}

  // -1 for the first use.
  int64_t touch(uint64_t block) {
    const size_t now = ++time_;
    int64_t distance = -1;
    const auto [entry, first] = last_.try_emplace(block, now);
    if (!first) {
      distance = sum(now - 1) - sum(entry->second);
      add(entry->second, -1);
      entry->second = now;
    }
    add(now, 1);
    return distance;
  }

 private:
  void add(size_t at, int32_t value) {
    for (; at < tree_.size(); at += at & (~at + 1)) tree_[at] += value;
  }
  int64_t sum(size_t at) const {
    int64_t total = 0;
    for (; at > 0; at &= at - 1) total += tree_[at];
    return total;
  }

  std::vector<int32_t> tree_;
  std::unordered_map<uint64_t, size_t> last_;
  size_t time_ = 0;
};

// A stretch of memory in one address space for the whole plan.
struct Region {
  uint64_t begin = 0;
  int64_t size_bytes = 0;
};

// Spaces are far apart, so that blocks of different storage never meet.
constexpr uint64_t kSpaceBytes = uint64_t{1} << 44;

Region region_of(const PlanValue& value) {
  const auto size = static_cast<int64_t>(value.size_bytes);
  uint64_t space = 0;
  switch (value.storage) {
    case Storage::kNone: return {};
    case Storage::kArena: break;
    case Storage::kInput: space = 1 + uint64_t{value.slot}; break;
    case Storage::kOutput: space = 1000 + uint64_t{value.slot}; break;
    case Storage::kHeap: space = 2000 + uint64_t{value.slot}; break;
    case Storage::kConstant: space = 10000 + uint64_t{value.slot}; break;
  }
  return {space * kSpaceBytes + value.offset, size};
}

class Trace {
 public:
  explicit Trace(const Plan& plan) : plan_(plan) {
    int64_t total = 0;
    for (const PlanStep& step : plan.steps) {
      const Work work = work_of(operation_of(plan, step));
      total += (work.bytes_read - work.weight_bytes) * std::min(passes(step), kMaxPasses) +
               work.weight_bytes + work.bytes_written;
    }
    block_bytes_ = kCacheLineBytes;
    while (total / block_bytes_ > kTraceLength) block_bytes_ *= 2;
    for (size_t i = 0; i < plan.steps.size(); ++i) add_step(static_cast<uint32_t>(i));
  }

  const std::vector<Access>& accesses() const { return accesses_; }
  int64_t block_bytes() const { return block_bytes_; }

  static int64_t columns(const Operation& operation) {
    const auto& dims = operation.outputs.empty() ? std::nullopt : operation.outputs[0].dims;
    if (!dims || dims->empty()) return 1;
    const Work work = work_of(operation);
    if (work.kind == WorkKind::kConvolution) return dims->size() > 1 ? (*dims)[1] : 1;
    return work.kind == WorkKind::kMatrix ? dims->back() : 1;
  }

 private:
  int64_t passes(const PlanStep& step) const {
    const int64_t count = columns(operation_of(plan_, step));
    return std::max<int64_t>(1, (count + kColumnsPerPass - 1) / kColumnsPerPass);
  }

  void touch(uint32_t step, const Region& region, int64_t part, int64_t parts, float weight) {
    const auto unit = static_cast<uint64_t>(block_bytes_);
    if (region.size_bytes <= 0) return;
    const uint64_t first = region.begin / unit;
    const uint64_t last = (region.begin + static_cast<uint64_t>(region.size_bytes) - 1) / unit + 1;
    const auto count = static_cast<int64_t>(last - first);
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) {
      accesses_.push_back({step, first + static_cast<uint64_t>(i), weight});
    }
  }

  void add_step(uint32_t index) {
    const PlanStep& step = plan_.steps[index];
    std::vector<Region> sliced, whole;
    const Work work = work_of(operation_of(plan_, step));
    if (work.kind == WorkKind::kView) return;
    for (const int32_t input : step.inputs) {
      if (input < 0) continue;
      const PlanValue& value = plan_.values[static_cast<size_t>(input)];
      const bool is_constant = value.storage == Storage::kConstant;
      if (is_constant && !step.packed.empty_handle()) continue;
      (is_constant ? sliced : whole).push_back(limited(region_of(value), work));
    }
    if (!step.packed.empty_handle()) {
      sliced.push_back({(100000 + uint64_t{index}) * kSpaceBytes,
                        static_cast<int64_t>(step.packed.size_bytes())});
    }
    for (const int32_t output : step.outputs) {
      if (output >= 0) sliced.push_back(region_of(plan_.values[static_cast<size_t>(output)]));
    }
    const int64_t all = passes(step), made = std::min(all, kMaxPasses);
    const bool streams = all == 1;
    for (int64_t pass = 0; pass < made; ++pass) {
      // One pass goes over everything in step; the first of several reads its input new.
      const float weight =
          pass == 0 ? 1.0F : static_cast<float>(all - 1) / static_cast<float>(made - 1);
      for (const Region& region : whole) touch(index, region, 0, 1, weight);
      for (const Region& region : sliced) {
        touch(index, region, streams ? 0 : pass, streams ? 1 : made, 1.0F);
      }
    }
  }

  // A gather reads no more of its table than it writes.
  static Region limited(Region region, const Work& work) {
    region.size_bytes = std::min(region.size_bytes, std::max(work.bytes_read, int64_t{1}));
    return region;
  }

  const Plan& plan_;
  int64_t block_bytes_ = kCacheLineBytes;
  std::vector<Access> accesses_;
};

struct WeightedDistance {
  int64_t distance_bytes;
  double weight;
};

std::vector<int64_t> percentiles(std::vector<WeightedDistance>& distances) {
  std::ranges::sort(distances, {}, &WeightedDistance::distance_bytes);
  double total = 0;
  for (const auto& entry : distances) total += entry.weight;
  std::vector<int64_t> result;
  for (const double share : {0.1, 0.5, 0.9}) {
    double seen = 0;
    for (const auto& entry : distances) {
      seen += entry.weight;
      if (seen < share * total) continue;
      result.push_back(entry.distance_bytes);
      break;
    }
  }
  return result;
}

// Loads of the registers, which the block trace is too coarse to see.
int64_t register_loads(const Operation& operation, const Work& work) {
  if (work.kind != WorkKind::kConvolution && work.kind != WorkKind::kMatrix) return 0;
  const double item = std::max(1, dtype_bits(work.compute_dtype) / 8);
  const double columns = std::min<double>(
      kColumnsPerPass, static_cast<double>(std::max<int64_t>(1, Trace::columns(operation))));
  const double loads = 1 / columns + 1 / kRowsPerTile;
  return static_cast<int64_t>(static_cast<double>(work.multiply_adds) * loads * item);
}

bool last_axis_moves(const Operation& operation) {
  const auto order = operation.attributes->get_ints("perm");
  return order.empty() || order.back() != static_cast<int64_t>(order.size()) - 1;
}

}  // namespace

AccessPattern access_pattern(const Operation& operation, const Work& work,
                             int64_t largest_private_bytes) {
  if (work.kind == WorkKind::kView) return {"none", 1};
  const double item = std::max(1, dtype_bits(work.compute_dtype) / 8);
  const double scattered = item / kCacheLineBytes;
  const std::string& op = operation.op;
  if (op == "Transpose" && last_axis_moves(operation)) {
    // The axis that becomes the last is read with a stride; writes are dense.
    return {"strided", (1 + scattered) / 2};
  }
  if (op == "Reorder") return {"strided", (1 + scattered) / 2};
  if (op.starts_with("Gather") || op.starts_with("Scatter") || op == "GridSample" ||
      op == "NonMaxSuppression") {
    const bool rows = op == "Gather" && !operation.outputs.empty() && operation.outputs[0].dims &&
                      operation.outputs[0].dims->size() > 1;
    const auto row = rows ? static_cast<double>(operation.outputs[0].dims->back()) * item : item;
    return {"random", std::min(1.0, row / kCacheLineBytes)};
  }
  const auto strides = operation.attributes->get_ints("strides");
  const auto kernel = operation.attributes->get_ints("kernel_shape");
  if (!strides.empty() && !kernel.empty() && strides.back() > kernel.back()) {
    return {"strided", static_cast<double>(kernel.back()) / static_cast<double>(strides.back())};
  }
  const bool once = work.kind != WorkKind::kMatrix && work.kind != WorkKind::kConvolution;
  if (once && work.bytes_read + work.bytes_written > largest_private_bytes) {
    return {"streaming", 1};
  }
  return {"unit-stride", 1};
}

std::vector<StepTraffic> cache_traffic(const Plan& plan, const std::vector<int64_t>& capacities) {
  const Trace trace(plan);
  const auto& accesses = trace.accesses();
  ReuseDistance reuse(accesses.size() * 2);
  for (const Access& access : accesses) reuse.touch(access.block);
  std::vector<StepTraffic> result(plan.steps.size());
  std::vector<std::vector<WeightedDistance>> distances(plan.steps.size());
  for (StepTraffic& step : result) step.level_bytes.assign(capacities.size() + 1, 0);
  for (const Access& access : accesses) {
    const int64_t blocks = reuse.touch(access.block);
    const int64_t distance = blocks < 0 ? -1 : blocks * trace.block_bytes();
    const auto bytes = static_cast<double>(trace.block_bytes()) * access.weight;
    StepTraffic& step = result[access.step];
    for (size_t level = 0; level <= capacities.size(); ++level) {
      step.level_bytes[level] += static_cast<int64_t>(bytes);
      if (level < capacities.size() && distance >= 0 && distance < capacities[level]) break;
    }
    distances[access.step].push_back({distance, bytes});
  }
  for (size_t i = 0; i < result.size(); ++i) {
    const Operation operation = operation_of(plan, plan.steps[i]);
    const int64_t loads = register_loads(operation, work_of(operation));
    result[i].level_bytes[0] = std::max(result[i].level_bytes[0], loads);
    if (!distances[i].empty()) result[i].reuse_distance_bytes = percentiles(distances[i]);
  }
  return result;
}

}  // namespace edgewright
