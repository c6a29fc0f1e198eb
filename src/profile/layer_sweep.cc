#include "profile/layer_sweep.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

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
// How many layers take turns: as many as there are kinds, and few, which leave more of each other
// in the caches.
constexpr size_t kInTurns[] = {3, kKindsPeriod};
constexpr int kRounds = 10;
// Enough for a middle that is good to some two per cent.
constexpr size_t kPaceLayers = 3 * kKindsPeriod;
// Raised with every change of what layer i is.
constexpr std::string_view kLayersSchema = "edgewright.layers/5\n";

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

struct Quickest {
  const KernelImplementation* implementation = nullptr;
  double time_us = 0;
};

Quickest quickest(const KernelRequest& request) {
  Quickest best;
  for (const KernelImplementation* one : find_implementations(request.domain, request.op)) {
    if (!one->supports(request)) continue;
    const auto time_us = measure(request, *one);
    if (!time_us.ok() || (best.implementation != nullptr && *time_us >= best.time_us)) continue;
    best = {one, *time_us};
  }
  return best;
}

// A layer with its quickest kernel and memory of its own. Requests point at the description.
struct RunningLayer {
  size_t index = 0;
  std::unique_ptr<const MadeUpLayer> layer;
  MadeLayer made;
  std::unique_ptr<KernelRunner> runner;
  double alone_us = 0;
};

// Nothing for layers that are too large or that no kernel takes.
Result<std::optional<RunningLayer>> prepare(size_t index, int threads) {
  RunningLayer one{
      index, std::make_unique<const MadeUpLayer>(made_up_layer(index)), {}, nullptr, 0};
  if (work_of(operation_of(*one.layer)).multiply_adds > kMostMultiplyAdds)
    return std::optional<RunningLayer>();
  EDGEWRIGHT_ASSIGN(one.made, make(*one.layer, threads));
  const Quickest best = quickest(one.made.request);
  if (best.implementation == nullptr) return std::optional<RunningLayer>();
  one.alone_us = best.time_us;
  EDGEWRIGHT_ASSIGN(KernelRunner runner,
                    KernelRunner::create(one.made.request, *best.implementation));
  one.runner = std::make_unique<KernelRunner>(std::move(runner));
  return std::optional<RunningLayer>(std::move(one));
}

// Runs layers in turn, as a plan does: in one arena, which the layers before have just used;
// weights and code are as far away as what the others need is large.
Status time_in_turns(std::span<RunningLayer> group, std::vector<LayerTime>& times) {
  size_t arena_bytes = 0, all_bytes = 0;
  for (const RunningLayer& one : group) {
    arena_bytes = std::max(arena_bytes, one.runner->operand_bytes());
    all_bytes += one.runner->constant_bytes();
  }
  all_bytes += arena_bytes;
  EDGEWRIGHT_ASSIGN(Tensor arena,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(arena_bytes)}));
  for (RunningLayer& one : group) one.runner->share({arena.mutable_bytes(), arena_bytes});
  const double clock_us = clock_pair_us() / 2;
  std::vector<std::vector<double>> turns_us(group.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < group.size(); ++i) {
      group[i].runner->write_operands();
      const auto before = Clock::now();
      group[i].runner->run();
      turns_us[i].push_back(microseconds(before, Clock::now()));
    }
  }
  for (size_t i = 0; i < group.size(); ++i) {
    const double turn_us = mean_at(quiet_runs(turns_us[i]), turns_us[i]) - clock_us;
    const size_t constant_bytes = group[i].runner->constant_bytes();
    const size_t own_bytes = constant_bytes + group[i].runner->operand_bytes();
    times.push_back({group[i].index, std::max(turn_us, group[i].alone_us),
                     static_cast<double>(all_bytes - std::min(all_bytes, own_bytes)),
                     static_cast<double>(constant_bytes)});
  }
  return {};
}

}  // namespace

Result<std::vector<LayerTime>> sweep_layers(const SweepOptions& options) {
  std::vector<LayerTime> times;
  const auto begin = Clock::now();
  const size_t end = options.first + options.count;
  for (size_t i = options.first; i < end;) {
    if (std::chrono::duration<double>(Clock::now() - begin).count() > options.seconds) break;
    const size_t block_end = std::min(end, (i / kKindsPeriod + 1) * kKindsPeriod);
    std::vector<RunningLayer> block;
    for (; i < block_end; ++i) {
      if (options.progress) options.progress("layers", i - options.first, options.count);
      EDGEWRIGHT_ASSIGN(auto one, prepare(i, options.threads));
      if (!one) continue;
      times.push_back({i, one->alone_us, 0, static_cast<double>(one->runner->constant_bytes())});
      block.push_back(std::move(*one));
    }
    for (const size_t size : kInTurns) {
      for (size_t first = 0; first + 1 < block.size(); first += size) {
        const size_t count = std::min(size, block.size() - first);
        EDGEWRIGHT_TRY(time_in_turns(std::span(block).subspan(first, count), times));
      }
    }
  }
  return times;
}

TimeSample sample_of(const LayerTime& layer, const Roofline& roofline) {
  const MadeUpLayer made = made_up_layer(layer.index);
  Operation operation = operation_of(made);
  operation.packed_bytes = static_cast<int64_t>(layer.constant_bytes);
  const Work work = work_of(operation);
  const Features features = features_of(operation, work, layer.others_bytes);
  return {work.kind, features, base_time_us(roofline, work, features), layer.time_us};
}

double pace_of(const TimeModel& model, std::span<const LayerTime> layers) {
  std::vector<double> ratios;
  for (const LayerTime& layer : layers) {
    const TimeSample sample = sample_of(layer, {&model.roofs(), 1});
    if (!model.knows(sample.kind, sample.features)) continue;
    ratios.push_back(layer.time_us / model.predict_us(sample.features, sample.base_us));
  }
  return ratios.empty() ? 1 : quantile(std::move(ratios), 0.5);
}

Result<double> machine_pace(const TimeModel& model) {
  SweepOptions sweep;
  sweep.count = kPaceLayers;
  EDGEWRIGHT_ASSIGN(const auto layers, sweep_layers(sweep));
  return pace_of(model, layers);
}

bool is_held_back(const LayerTime& layer) { return layer.index / kKindsPeriod % 2 == 1; }

std::string layer_times_to_csv(std::span<const LayerTime> layers) {
  std::string text(kLayersSchema);
  for (const LayerTime& layer : layers) {
    text += fmt::format("{},{},{},{}\n", layer.index, layer.time_us, layer.others_bytes,
                        layer.constant_bytes);
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
    const bool whole = read(layer.index) && read(layer.time_us) && read(layer.others_bytes) &&
                       read(layer.constant_bytes) && at == end;
    const auto is_size = [](double bytes) { return bytes >= 0 && bytes <= kMostBytes; };
    if (!whole || layer.index > kMostLayers || !std::isfinite(layer.time_us) ||
        layer.time_us <= 0 || !is_size(layer.others_bytes) || !is_size(layer.constant_bytes)) {
      return bad_input(
          "{}: line {} is '{}', expected the number of a layer, a positive time, the bytes of "
          "others and of its constants; remove the file",
          file, line, row.substr(0, 40));
    }
    layers.push_back(layer);
  }
  return layers;
}

}  // namespace edgewright
