#include "profile/roofline.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

namespace edgewright {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMicro = 1e6;

double or_else(double value, double otherwise) { return value > 0 ? value : otherwise; }

}  // namespace

double usual_efficiency(WorkKind kind) {
  switch (kind) {
    case WorkKind::kConvolution: return 0.60;
    case WorkKind::kMatrix: return 0.60;
    case WorkKind::kDepthwise: return 0.25;
    case WorkKind::kVector: return 0.30;
    case WorkKind::kAttention: return 0.25;
    case WorkKind::kElementwise: return 0.15;
    case WorkKind::kNormalise: return 0.10;
    case WorkKind::kReduce: return 0.10;
    case WorkKind::kMove:
    case WorkKind::kView:
    case WorkKind::kOther: break;
  }
  return 0.05;
}

double Roofline::peak_gop_s(DType dtype) const {
  const bool is_int8 = dtype == DType::kInt8 || dtype == DType::kUint8;
  const ComputeRoof* roof =
      find_compute_roof(*roofs, is_int8 ? std::string_view("int8") : dtype_name(dtype));
  if (roof == nullptr) return 0;
  const double all = or_else(roof->all_gop_s.value, roof->core_gop_s.value * roofs->cores);
  return std::min(all, roof->core_gop_s.value * threads);
}

double Roofline::bandwidth_gb_s(size_t level, bool writes) const {
  const MemoryRoof& roof = roofs->memory[level];
  const double one =
      writes ? or_else(roof.write_gb_s.value, roof.read_gb_s.value) : roof.read_gb_s.value;
  const double measured = writes ? roof.write_all_gb_s.value : roof.read_all_gb_s.value;
  const double all = or_else(measured, roof.is_shared ? one : one * roofs->cores);
  return std::min(all, one * threads);
}

double Roofline::ridge(DType dtype) const {
  return peak_gop_s(dtype) / bandwidth_gb_s(roofs->memory.size() - 1, false);
}

double Roofline::dispatch_us() const {
  if (threads <= 1) return 0;
  for (const DispatchCost& cost : roofs->dispatch) {
    if (cost.threads >= threads) return cost.dispatch_us.value;
  }
  return roofs->dispatch.empty() ? 0 : roofs->dispatch.back().dispatch_us.value;
}

std::vector<LevelTraffic> compulsory_traffic(const Roofs& roofs, const Work& work) {
  std::vector<LevelTraffic> traffic;
  const int64_t bytes = work.bytes_read + work.bytes_written;
  bool reached = true;
  for (const MemoryRoof& level : roofs.memory) {
    traffic.push_back({level.name, reached ? bytes : 0});
    // A level that holds all operands keeps the traffic from those behind it.
    if (level.size_bytes > 0 && bytes <= level.size_bytes) reached = false;
  }
  return traffic;
}

RoofTimes roof_times(const Roofline& roofline, const Work& work,
                     const std::vector<LevelTraffic>& given) {
  const Roofs& roofs = *roofline.roofs;
  const auto traffic = given.empty() ? compulsory_traffic(roofs, work) : given;
  const int64_t bytes = std::max<int64_t>(1, work.bytes_read + work.bytes_written);
  const double written = static_cast<double>(work.bytes_written) / static_cast<double>(bytes);
  RoofTimes times;
  times.launch_us = roofs.step_us.value;
  times.sync_us = roofline.dispatch_us();
  const double peak = roofline.peak_gop_s(work.compute_dtype);
  const auto flops = static_cast<double>(work.flops);
  times.compute_us = peak > 0 ? flops / (peak * kGiga) * kMicro : 0;
  const bool in_blocks = work.kind == WorkKind::kConvolution || work.kind == WorkKind::kMatrix;
  const bool is_ours = roofs.is_measured && in_blocks;
  times.usual_compute_us = times.compute_us / (is_ours ? usual_efficiency(work.kind) : 1);
  times.memory_gop_s = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < roofs.memory.size(); ++i) {
    const double moved = i < traffic.size() ? static_cast<double>(traffic[i].bytes) : 0;
    const double seconds = moved * (1 - written) / (roofline.bandwidth_gb_s(i, false) * kGiga) +
                           moved * written / (roofline.bandwidth_gb_s(i, true) * kGiga);
    times.memory_us.push_back(seconds * kMicro);
    if (moved <= 0) continue;
    times.intensity = flops / moved;
    times.memory_gop_s =
        std::min(times.memory_gop_s, times.intensity * roofline.bandwidth_gb_s(i, false));
  }
  times.attainable_gop_s = std::min(peak, times.memory_gop_s);
  return times;
}

Result<Roofs> parse_roofs(std::string_view text) {
  std::map<std::string, double, std::less<>> numbers = {
      {"peak", 0}, {"bandwidth", 0}, {"cores", 1}, {"cache", 0}, {"cache_bandwidth", 0}};
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    const auto known = numbers.find(pair.substr(0, equals));
    const std::string_view digits = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    double value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (known == numbers.end() || read.ec != std::errc() ||
        read.ptr != digits.data() + digits.size() || !(value > 0)) {
      return usage_error(
          "found '{}' in the device '{}', expected peak=OPS_PER_S,"
          "bandwidth=BYTES_PER_S[,cores=N][,cache=BYTES,cache_bandwidth=BYTES_PER_S]",
          pair, text);
    }
    known->second = value;
  }
  if (numbers["peak"] == 0 || numbers["bandwidth"] == 0) {
    return usage_error("the device '{}' needs peak=OPS_PER_S and bandwidth=BYTES_PER_S", text);
  }
  Roofs roofs;
  roofs.device = text;
  roofs.source = "stated on the command line";
  roofs.cores = static_cast<int>(std::min(numbers["cores"], 4096.0));
  const double cores = roofs.cores;
  if (numbers["cache"] > 0) {
    MemoryRoof cache;
    cache.name = "cache";
    cache.size_bytes = static_cast<int64_t>(std::min(numbers["cache"], 1e15));
    cache.is_shared = true;
    cache.read_gb_s.value = or_else(numbers["cache_bandwidth"], numbers["bandwidth"]) / kGiga;
    cache.read_all_gb_s = cache.read_gb_s;
    roofs.memory.push_back(cache);
  }
  MemoryRoof main;
  main.name = "DRAM";
  main.is_shared = true;
  main.read_gb_s.value = numbers["bandwidth"] / kGiga;
  main.read_all_gb_s = main.read_gb_s;
  roofs.memory.push_back(main);
  const double peak = numbers["peak"] / kGiga;
  roofs.compute.push_back({"float32", "stated", {peak / cores, 0}, {peak, 0}});
  return roofs;
}

}  // namespace edgewright
