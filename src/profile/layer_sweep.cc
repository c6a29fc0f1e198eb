#include "profile/layer_sweep.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numbers>

#include "profile/made_up_layers.h"
#include "profile/pace.h"
#include "profile/step_times.h"
#include "runtime/kernel_runner.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
// Larger layers would take most of the sweep's time and are rare on edge devices.
constexpr int64_t kMostMultiplyAdds = 200'000'000;
constexpr size_t kMostLayers = 1'000'000;
constexpr double kMostBytes = 1e12;
// What other operators move between two runs: from a few tensors to a model of many megabytes.
constexpr double kFewestOthersBytes = 1 << 14, kMostOthersBytes = 1 << 25;
constexpr int kFarTimes = 2;
// A layer is timed so often at most, until the pace has changed by no more than this meanwhile.
constexpr int kMostTimings = 4;
constexpr double kSteadyPace = 1.08;
constexpr double kPatience = 1.0 / 3;  // of the time for the sweep
// Raised with every change of what layer i is.
constexpr std::string_view kLayersSchema = "edgewright.layers/9\n";

Operation operation_of(const MadeUpLayer& layer) {
  const auto operand = [](const TensorSpec& spec, bool is_constant) {
    CountedOperand made;
    made.dtype = spec.dtype;
    if (spec.dtype == DType::kUndefined) return made;
    made.dims = spec.dims;
    made.is_constant = is_constant;
    made.size_bytes = static_cast<int64_t>(stored_size_bytes(spec));
    return made;
  };
  Operation operation{"", layer.domain, layer.op, &layer.attributes, {}, {}, 0};
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    operation.inputs.push_back(operand(layer.inputs[i], layer.is_constant[i]));
  }
  for (const TensorSpec& output : layer.outputs) {
    operation.outputs.push_back(operand(output, false));
  }
  return operation;
}

// As the kernels of a plan are chosen. The quickest alone is often one whose code is generated,
// which plans of small layers do without: of those `with_generated` is false.
const KernelImplementation* choose(const KernelRequest& request, bool with_generated) {
  const KernelImplementation* best = nullptr;
  double best_cost_us = 0;
  for (const KernelImplementation* one : find_implementations(request.domain, request.op)) {
    if (!one->supports(request) || (!with_generated && is_generated(*one))) continue;
    const auto found = measure_kernel(request, *one);
    if (!found.ok()) continue;
    const double cost_us = choice_cost_us(*one, found->run_us, found->make_us);
    if (best != nullptr && cost_us >= best_cost_us) continue;
    best = one;
    best_cost_us = cost_us;
  }
  return best;
}

// Evenly spread on a logarithmic scale, always the same for a layer (by the golden ratio, whose
// multiples fall apart).
double others_bytes_of(size_t index, int time) {
  const double share = std::fmod(
      static_cast<double>(index * kFarTimes + static_cast<size_t>(time)) * std::numbers::phi, 1.0);
  return kFewestOthersBytes * std::pow(kMostOthersBytes / kFewestOthersBytes, share);
}

// The times of one layer, and how much the machine's pace changed meanwhile.
struct Timed {
  std::vector<LayerTime> times;
  double pace_ratio = 1;  // of the slowest to the quickest moment
};

Result<Timed> times_of(const MadeLayer& made, const KernelImplementation& implementation,
                       KernelRunner& kernel, LayerTime time, const OtherData& others,
                       PaceWatch& pace) {
  Timed timed;
  double before_us = pace.wait_us(pace.read_us()), alone = 0;
  double least_us = before_us, most_us = before_us;
  const auto add = [&](double time_us) {
    const double after_us = pace.read_us();
    time.pace_us = (before_us + after_us) / 2;
    time.time_us = std::max(time_us, alone * time.pace_us);  // far data makes no layer quicker
    timed.times.push_back(time);
    least_us = std::min(least_us, after_us);
    most_us = std::max(most_us, after_us);
    before_us = after_us;
  };
  EDGEWRIGHT_ASSIGN(const double alone_us, measure(made.request, implementation));
  add(alone_us);
  alone = time.time_us / time.pace_us;
  for (int i = 0; i < kFarTimes; ++i) {
    time.others_bytes = others_bytes_of(time.index, i);
    add(others.far_run_us(kernel, time.others_bytes));
  }
  timed.pace_ratio = most_us / least_us;
  return timed;
}

// Nothing for layers that are too large or that no kernel takes. One during which the machine's
// pace changed is timed again, and the steadiest of its timings kept: a layer's own time is then
// not known better than the pace.
Status time_layer(size_t index, int threads, const OtherData& others, PaceWatch& pace,
                  std::vector<LayerTime>& times) {
  const MadeUpLayer layer = made_up_layer(index);
  if (work_of(operation_of(layer)).multiply_adds > kMostMultiplyAdds) return {};
  EDGEWRIGHT_ASSIGN(const MadeLayer made, make_layer(layer, threads));
  const KernelImplementation* const best = choose(made.request, index / kKindsPeriod % 4 < 2);
  if (best == nullptr) return {};
  EDGEWRIGHT_ASSIGN(KernelRunner kernel, KernelRunner::create(made.request, *best));
  LayerTime time;
  time.index = index;
  time.constant_bytes = static_cast<double>(kernel.constant_bytes());
  time.is_generated = is_generated(*best);
  EDGEWRIGHT_ASSIGN(Timed kept, times_of(made, *best, kernel, time, others, pace));
  for (int i = 1; i < kMostTimings && kept.pace_ratio > kSteadyPace; ++i) {
    EDGEWRIGHT_ASSIGN(Timed again, times_of(made, *best, kernel, time, others, pace));
    if (again.pace_ratio < kept.pace_ratio) kept = std::move(again);
  }
  times.insert(times.end(), kept.times.begin(), kept.times.end());
  return {};
}

}  // namespace

Result<std::vector<LayerTime>> sweep_layers(const SweepOptions& options) {
  EDGEWRIGHT_ASSIGN(const OtherData others, OtherData::allocate(kMostOthersBytes, options.move));
  EDGEWRIGHT_ASSIGN(PaceMeter meter, PaceMeter::create());
  PaceWatch pace([&meter] { return meter.round_us(); }, 0, kPatience * options.seconds * 1e6);
  std::vector<LayerTime> times;
  const auto begin = Clock::now();
  for (size_t i = 0; i < options.count; ++i) {
    if (std::chrono::duration<double>(Clock::now() - begin).count() > options.seconds) break;
    if (options.progress) options.progress("layers", i, options.count);
    EDGEWRIGHT_TRY(time_layer(options.first + i, options.threads, others, pace, times));
  }
  return times;
}

std::vector<LayerTime> undisturbed(std::span<const LayerTime> layers) {
  std::vector<double> paces;
  paces.reserve(layers.size());
  for (const LayerTime& layer : layers) paces.push_back(layer.pace_us);
  const double slowest_us = slowest_undisturbed_us(paces);
  std::vector<LayerTime> kept;
  for (auto first = layers.begin(); first != layers.end();) {
    const auto end = std::find_if(
        first, layers.end(), [&](const LayerTime& layer) { return layer.index != first->index; });
    const auto [least, most] = std::ranges::minmax_element(first, end, {}, &LayerTime::pace_us);
    if (most->pace_us <= slowest_us && most->pace_us <= kSteadyPace * least->pace_us) {
      kept.insert(kept.end(), first, end);
    }
    first = end;
  }
  if (kept.size() * 2 < layers.size()) kept.assign(layers.begin(), layers.end());
  return kept;
}

double usual_pace_us(std::span<const LayerTime> layers) {
  std::vector<double> paces;
  paces.reserve(layers.size());
  for (const LayerTime& layer : layers) paces.push_back(layer.pace_us);
  return quantile(std::move(paces), 0.5);
}

std::vector<TimeSample> samples_of(std::span<const LayerTime> layers, const Roofline& roofline,
                                   double pace_us) {
  std::vector<TimeSample> samples;
  samples.reserve(layers.size());
  MadeUpLayer made;
  Operation operation;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerTime& layer = layers[i];
    // The times of one layer stand together.
    if (i == 0 || layer.index != layers[i - 1].index) {
      made = made_up_layer(layer.index);
      operation = operation_of(made);
    }
    operation.packed_bytes = static_cast<int64_t>(layer.constant_bytes);
    const Work work = work_of(operation);
    const Features features =
        features_of(operation, work, {layer.others_bytes, layer.is_generated});
    const double pace = std::pow(pace_us / layer.pace_us, core_share(roofline, work, features));
    samples.push_back(
        {work.kind, features, base_time_us(roofline, work, features), layer.time_us * pace});
  }
  return samples;
}

bool is_held_back(const LayerTime& layer) { return layer.index / kKindsPeriod % 2 == 1; }

std::string layer_times_to_csv(std::span<const LayerTime> layers) {
  std::string text(kLayersSchema);
  for (const LayerTime& layer : layers) {
    text += fmt::format("{},{},{},{},{},{}\n", layer.index, layer.time_us, layer.others_bytes,
                        layer.constant_bytes, layer.is_generated ? 1 : 0, layer.pace_us);
  }
  return text;
}

Result<std::vector<LayerTime>> parse_layer_times(std::string_view text, std::string_view file) {
  if (!text.starts_with(kLayersSchema)) {
    return bad_input("{}: found no times of the present sequence of layers; remove the file", file);
  }
  text.remove_prefix(kLayersSchema.size());
  std::vector<LayerTime> layers;
  for (size_t line = 2; !text.empty(); ++line) {
    const std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), row.size() + 1));
    LayerTime layer;
    const char* const end = row.data() + row.size();
    // Each number follows a comma, the first but for the start of the line.
    const char* at = row.data();
    const auto read = [&](auto& number) {
      if (at != row.data() && (at == end || *at++ != ',')) return false;
      const auto parsed = std::from_chars(at, end, number);
      at = parsed.ptr;
      return parsed.ec == std::errc();
    };
    int generated = 0;
    const bool whole = read(layer.index) && read(layer.time_us) && read(layer.others_bytes) &&
                       read(layer.constant_bytes) && read(generated) && read(layer.pace_us) &&
                       at == end;
    layer.is_generated = generated == 1;
    const auto is_size = [](double bytes) { return bytes >= 0 && bytes <= kMostBytes; };
    if (!whole || layer.index > kMostLayers || !std::isfinite(layer.time_us) ||
        layer.time_us <= 0 || !is_size(layer.others_bytes) || !is_size(layer.constant_bytes) ||
        generated < 0 || generated > 1 || !std::isfinite(layer.pace_us) || layer.pace_us <= 0) {
      return bad_input(
          "{}: line {} is '{}', expected the number of a layer, a positive time, the bytes of "
          "others and of its constants, 1 where its code is generated, and a positive pace; remove "
          "the file",
          file, line, row.substr(0, 40));
    }
    layers.push_back(layer);
  }
  return layers;
}

}  // namespace edgewright
