#include "profile/layer_sweep.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numbers>

#include "profile/made_up_layers.h"
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
// Enough for a middle that is good to some two per cent.
constexpr size_t kPaceLayers = 3 * kKindsPeriod;
// Raised with every change of what layer i is.
constexpr std::string_view kLayersSchema = "edgewright.layers/8\n";

// A layer that can be run.
struct MadeLayer {
  std::vector<Tensor> constants;
  KernelRequest request;
};

Result<MadeLayer> make(const MadeUpLayer& layer, int threads) {
  MadeLayer made{{},
                 {layer.domain, layer.op, &layer.attributes, layer.inputs, layer.outputs, threads}};
  made.constants.reserve(layer.inputs.size());  // the request points at them
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    if (!layer.is_constant[i]) continue;
    const TensorSpec& spec = layer.inputs[i];
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(spec.dtype, spec.dims));
    if (spec.dtype == DType::kFloat32) {
      std::fill_n(tensor.mutable_data<float>(), tensor.element_count(), 0.01F);
    } else {
      std::fill_n(tensor.mutable_data<int8_t>(), tensor.element_count(), int8_t{3});
    }
    made.constants.push_back(std::move(tensor));
    made.request.inputs[i].constant = &made.constants.back();
  }
  return made;
}

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

struct Chosen {
  const KernelImplementation* implementation = nullptr;
  double time_us = 0, cost_us = 0;
};

// As the kernels of a plan are chosen. The quickest alone is often one whose code is generated,
// which plans of small layers do without: of those `with_generated` is false.
Chosen choose(const KernelRequest& request, bool with_generated) {
  Chosen best;
  for (const KernelImplementation* one : find_implementations(request.domain, request.op)) {
    if (!one->supports(request) || (!with_generated && is_generated(*one))) continue;
    const auto found = measure_kernel(request, *one);
    if (!found.ok()) continue;
    const double cost_us = choice_cost_us(*one, found->run_us, found->make_us);
    if (best.implementation != nullptr && cost_us >= best.cost_us) continue;
    best = {one, found->run_us, cost_us};
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

// Nothing for layers that are too large or that no kernel takes.
Status time_layer(size_t index, int threads, const OtherData& others,
                  std::vector<LayerTime>& times) {
  const MadeUpLayer layer = made_up_layer(index);
  if (work_of(operation_of(layer)).multiply_adds > kMostMultiplyAdds) return {};
  EDGEWRIGHT_ASSIGN(const MadeLayer made, make(layer, threads));
  const Chosen best = choose(made.request, index / kKindsPeriod % 4 < 2);
  if (best.implementation == nullptr) return {};
  EDGEWRIGHT_ASSIGN(KernelRunner kernel, KernelRunner::create(made.request, *best.implementation));
  const auto constant_bytes = static_cast<double>(kernel.constant_bytes());
  const bool generated = is_generated(*best.implementation);
  times.push_back({index, best.time_us, 0, constant_bytes, generated});
  for (int i = 0; i < kFarTimes; ++i) {
    const double bytes = others_bytes_of(index, i);
    const double far_us = others.far_run_us(kernel, bytes);
    times.push_back({index, std::max(far_us, best.time_us), bytes, constant_bytes, generated});
  }
  return {};
}

}  // namespace

Result<std::vector<LayerTime>> sweep_layers(const SweepOptions& options) {
  EDGEWRIGHT_ASSIGN(const OtherData others, OtherData::allocate(kMostOthersBytes, options.move));
  std::vector<LayerTime> times;
  const auto begin = Clock::now();
  for (size_t i = 0; i < options.count; ++i) {
    if (std::chrono::duration<double>(Clock::now() - begin).count() > options.seconds) break;
    if (options.progress) options.progress("layers", i, options.count);
    EDGEWRIGHT_TRY(time_layer(options.first + i, options.threads, others, times));
  }
  return times;
}

std::vector<TimeSample> samples_of(std::span<const LayerTime> layers, const Roofline& roofline) {
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
    samples.push_back({work.kind, features, base_time_us(roofline, work, features), layer.time_us});
  }
  return samples;
}

double pace_of(const TimeModel& model, std::span<const LayerTime> layers) {
  std::vector<double> ratios;
  for (const TimeSample& sample : samples_of(layers, {&model.roofs(), 1})) {
    if (!model.knows(sample.kind, sample.features)) continue;
    ratios.push_back(sample.time_us / model.predict_us(sample.features, sample.base_us));
  }
  return ratios.empty() ? 1 : quantile(std::move(ratios), 0.5);
}

Result<double> machine_pace(const TimeModel& model, const MoveKernels& move) {
  SweepOptions sweep;
  sweep.move = move;
  sweep.count = kPaceLayers;
  EDGEWRIGHT_ASSIGN(const auto layers, sweep_layers(sweep));
  return pace_of(model, layers);
}

bool is_held_back(const LayerTime& layer) { return layer.index / kKindsPeriod % 2 == 1; }

std::string layer_times_to_csv(std::span<const LayerTime> layers) {
  std::string text(kLayersSchema);
  for (const LayerTime& layer : layers) {
    text += fmt::format("{},{},{},{},{}\n", layer.index, layer.time_us, layer.others_bytes,
                        layer.constant_bytes, layer.is_generated ? 1 : 0);
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
                       read(layer.constant_bytes) && read(generated) && at == end;
    layer.is_generated = generated == 1;
    const auto is_size = [](double bytes) { return bytes >= 0 && bytes <= kMostBytes; };
    if (!whole || layer.index > kMostLayers || !std::isfinite(layer.time_us) ||
        layer.time_us <= 0 || !is_size(layer.others_bytes) || !is_size(layer.constant_bytes) ||
        generated < 0 || generated > 1) {
      return bad_input(
          "{}: line {} is '{}', expected the number of a layer, a positive time, the bytes of "
          "others and of its constants, and 1 where its code is generated; remove the file",
          file, line, row.substr(0, 40));
    }
    layers.push_back(layer);
  }
  return layers;
}

}  // namespace edgewright
