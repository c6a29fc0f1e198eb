#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "split/work.h"

namespace edgewright {
namespace {

// "0.5TFLOP/s" -> 5e11 for the unit "FLOP/s". Nothing when the text is not of this form.
std::optional<double> amount(std::string_view text, std::string_view unit) {
  if (!text.ends_with(unit)) return std::nullopt;
  text.remove_suffix(unit.size());
  constexpr std::pair<char, double> kPrefixes[] = {
      {'k', 1e3}, {'M', 1e6}, {'G', 1e9}, {'T', 1e12}, {'P', 1e15}};
  double factor = 1;
  for (const auto& [letter, value] : kPrefixes) {
    if (!text.ends_with(letter)) continue;
    factor = value;
    text.remove_suffix(1);
    break;
  }
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || !(number > 0) || number > 1e9) {
    return std::nullopt;
  }
  return number * factor;
}

}  // namespace

double TierSpeed::time_us(const LayerWork& work) const {
  const double compute_us = 1e6 * work.flops / flops_per_s;
  return bytes_per_s > 0 ? std::max(compute_us, 1e6 * work.moved_bytes / bytes_per_s) : compute_us;
}

TierSpeed speed_of(const Roofs& roofs) {
  TierSpeed speed;
  const ComputeRoof* compute = find_compute_roof(roofs, "float32");
  if (compute != nullptr) speed.flops_per_s = 1e9 * compute->all_gop_s.value;
  if (!roofs.memory.empty()) speed.bytes_per_s = 1e9 * roofs.memory.back().read_all_gb_s.value;
  speed.name = fmt::format("{} (roofs {}: {:.4g} GFLOP/s, {:.4g} GB/s, {} cores)", roofs.device,
                           roofs.is_measured ? "measured" : "as stated", speed.flops_per_s / 1e9,
                           speed.bytes_per_s / 1e9, roofs.cores);
  speed.roofs = roofs;
  return speed;
}

Result<TierSpeed> tier_speed(const std::string& text) {
  const size_t comma = text.find(',');
  const auto flops = amount(std::string_view(text).substr(0, comma), "FLOP/s");
  if (!flops && text.find('=') != std::string::npos) {
    EDGEWRIGHT_ASSIGN(const Roofs roofs, parse_roofs(text));
    return speed_of(roofs);
  }
  if (!flops) {
    auto device = load_device(text);
    if (!device.ok()) {
      return usage_error(
          "found '{}', expected a speed as 0.5TFLOP/s or 500GFLOP/s,25GB/s, or a device: {}", text,
          device.error().message);
    }
    EDGEWRIGHT_ASSIGN(const Roofs roofs, roofs_of(*device));
    TierSpeed speed = speed_of(roofs);
    for (const Cluster& cluster : device->clusters) {
      if (cluster.operating_points.empty()) continue;
      speed.power_mw += static_cast<double>(cluster.cpus.size()) *
                        static_cast<double>(cluster.operating_points.back().power_uw) / 1e3;
    }
    speed.power_mw += device->platform_power_mw;
    return speed;
  }
  TierSpeed speed;
  speed.name = text;
  speed.flops_per_s = *flops;
  if (comma == std::string::npos) return speed;
  const auto bytes = amount(std::string_view(text).substr(comma + 1), "B/s");
  if (!bytes) return usage_error("found '{}', expected a speed as 500GFLOP/s,25GB/s", text);
  speed.bytes_per_s = *bytes;
  return speed;
}

SplitProblem timed(const SplitWork& work, const std::vector<TierSpeed>& tiers,
                   const std::vector<SplitHop>& hops) {
  EDGEWRIGHT_CHECK(tiers.size() == hops.size() + 1);
  SplitProblem problem;
  problem.tensors = work.tensors;
  problem.hops = hops;
  for (size_t i = 0; i < work.layers.size(); ++i) {
    const LayerWork& layer = work.layers[i];
    SplitLayer timed_layer{layer.name, {}, layer.result_bytes, layer.weight_bytes, 0};
    for (const TierSpeed& tier : tiers) {
      timed_layer.time_us.push_back(i == 0 ? 0 : tier.time_us(layer));
    }
    // mW x us = nJ.
    timed_layer.energy_mj = timed_layer.time_us[0] * tiers[0].power_mw * 1e-6;
    problem.layers.push_back(std::move(timed_layer));
  }
  return problem;
}

SplitProblem timed(const Graph& graph, const GraphWork& work, const std::vector<TierSpeed>& tiers,
                   const std::vector<SplitHop>& hops) {
  SplitProblem problem = timed(work.work, tiers, hops);
  for (size_t tier = 0; tier < tiers.size(); ++tier) {
    if (!tiers[tier].roofs) continue;
    const auto costs = predict(graph, *tiers[tier].roofs, tiers[tier].roofs->cores);
    EDGEWRIGHT_CHECK(costs.size() == graph.nodes().size());
    std::map<const Node*, double> times_us;
    size_t index = 0;
    for (const Node& node : graph.nodes()) times_us[&node] = costs[index++].time_us;
    for (size_t layer = 1; layer < work.nodes.size(); ++layer) {
      problem.layers[layer].time_us[tier] = times_us[work.nodes[layer]];
    }
  }
  for (SplitLayer& layer : problem.layers) {
    layer.energy_mj = layer.time_us[0] * tiers[0].power_mw * 1e-6;
  }
  return problem;
}

Result<double> input_bytes(std::string_view form, double element_count, double tensor_bytes) {
  // Wallace 1991: 1.5 bits a pixel; a pixel is three elements.
  constexpr double kJpegBytesPerElement = 1.5 / 8 / 3;
  if (form == "tensor") return tensor_bytes;
  if (form == "raw") return element_count;
  if (form == "jpeg") return element_count * kJpegBytesPerElement;
  double bytes = 0;
  const auto [end, code] = std::from_chars(form.data(), form.data() + form.size(), bytes);
  if (code != std::errc() || end != form.data() + form.size() || !(bytes >= 0) || bytes > 1e15) {
    return usage_error("found --input-as {}, expected tensor, raw, jpeg or a number of bytes",
                       form);
  }
  return bytes;
}

}  // namespace edgewright
