#include "profile/layer_sweep.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <random>

#include "profile/kernel_runner.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
// Larger layers would take most of the sweep's time and are rare on edge devices.
constexpr int64_t kMostMultiplyAdds = 200'000'000;
// The kinds of layers follow each other with this period.
constexpr size_t kKindsPeriod = 12;
constexpr size_t kMostLayers = 1'000'000;
constexpr double kMostBytes = 1e12;
// How many layers take turns: as many as there are kinds, and few, which leave more of each other
// in the caches.
constexpr size_t kInTurns[] = {3, kKindsPeriod};
constexpr int kRounds = 10;
// Raised with every change of what layer i is.
constexpr std::string_view kLayersSchema = "edgewright.layers/5\n";

// One operation. Its constants are shapes until they are made: what a layer's time depends on can
// be said without them.
struct Layer {
  std::string domain = "edgewright", op;
  Attributes attributes;
  std::vector<TensorSpec> inputs, outputs;
  std::vector<bool> is_constant;  // per input

  void input(Dims dims, Layout layout = Layout::kPlain, DType dtype = DType::kFloat32) {
    inputs.push_back({dtype, std::move(dims), layout, nullptr});
    is_constant.push_back(false);
  }
  void constant(Dims dims, DType dtype = DType::kFloat32) {
    input(std::move(dims), Layout::kPlain, dtype);
    is_constant.back() = true;
  }
  void output(Dims dims, Layout layout = Layout::kPlain, DType dtype = DType::kFloat32) {
    outputs.push_back({dtype, std::move(dims), layout, nullptr});
  }
  void omitted() {
    inputs.emplace_back();
    is_constant.push_back(false);
  }
};

// A layer that can be run.
struct MadeLayer {
  std::vector<Tensor> constants;
  KernelRequest request;
};

Result<MadeLayer> make(const Layer& layer, int threads) {
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

class Shapes {
 public:
  explicit Shapes(uint64_t seed) : random_(seed) {}

  int64_t log_uniform(int64_t low, int64_t high) {
    const double share = uniform();
    const double value = std::exp(std::log(static_cast<double>(low)) * (1 - share) +
                                  std::log(static_cast<double>(high)) * share);
    return std::llround(value);
  }
  // Mostly multiples of sixteen or eight, as networks have them.
  int64_t channels(int64_t low, int64_t high) {
    const int64_t drawn = log_uniform(low, high);
    const double share = uniform();
    return share < 0.5 ? rounded(drawn, 16) : share < 0.8 ? rounded(drawn, 8) : drawn;
  }
  // Width and height of images: mostly multiples of four or two.
  int64_t side() {
    const int64_t drawn = log_uniform(4, 112);
    const double share = uniform();
    return share < 0.5 ? rounded(drawn, 4) : share < 0.75 ? rounded(drawn, 2) : drawn;
  }
  int64_t one_of(std::initializer_list<int64_t> values) {
    return values.begin()[static_cast<size_t>(uniform() * static_cast<double>(values.size()))];
  }
  bool chance(double share) { return uniform() < share; }

 private:
  static int64_t rounded(int64_t value, int64_t step) {
    return std::max(step, (value + step / 2) / step * step);
  }
  // The standard fixes the generator's numbers but not those of its distributions.
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  std::mt19937_64 random_;
};

Layer convolution(Shapes& shapes) {
  Layer layer;
  layer.op = "Conv2d";
  const int64_t in = shapes.channels(3, 512), out = shapes.channels(8, 512);
  const int64_t kernel = shapes.one_of({1, 1, 3, 3, 3, 5}), stride = shapes.one_of({1, 1, 1, 2});
  const int64_t size = std::max(shapes.side(), kernel);
  const int64_t pad = kernel / 2, result = (size + 2 * pad - kernel) / stride + 1;
  layer.attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  layer.attributes.set("strides", std::vector<int64_t>{stride, stride});
  layer.attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
  if (shapes.chance(0.6)) layer.attributes.set("activation", std::string("Relu"));
  layer.input({1, in, size, size}, in == 3 ? Layout::kPlain : Layout::kNchw16c);
  layer.constant({out, in, kernel, kernel});
  layer.constant({out});
  if (shapes.chance(0.3)) {
    layer.input({1, out, result, result}, Layout::kNchw16c);
  } else {
    layer.omitted();
  }
  layer.output({1, out, result, result}, Layout::kNchw16c);
  return layer;
}

Layer depthwise(Shapes& shapes) {
  Layer layer;
  layer.op = "Conv2d";
  const int64_t channels = shapes.channels(8, 960);
  const int64_t kernel = shapes.one_of({3, 3, 5}), stride = shapes.one_of({1, 1, 2});
  const int64_t size = std::max(shapes.side(), kernel);
  const int64_t pad = kernel / 2, result = (size + 2 * pad - kernel) / stride + 1;
  layer.attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  layer.attributes.set("strides", std::vector<int64_t>{stride, stride});
  layer.attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
  layer.attributes.set("group", channels);
  if (shapes.chance(0.8)) layer.attributes.set("activation", std::string("Relu"));
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.constant({channels, 1, kernel, kernel});
  layer.constant({channels});
  layer.omitted();
  layer.output({1, channels, result, result}, Layout::kNchw16c);
  return layer;
}

Layer product(Shapes& shapes) {
  Layer layer;
  layer.op = "MatMul";
  const int64_t m = shapes.chance(0.35) ? 1 : shapes.log_uniform(2, 512);
  const int64_t k = shapes.channels(16, 2048), n = shapes.channels(16, m == 1 ? 6144 : 2048);
  layer.input({1, m, k});
  layer.constant({k, n});
  if (shapes.chance(0.5)) {
    layer.constant({n});
  } else {
    layer.omitted();
  }
  if (shapes.chance(0.2)) layer.input({1, m, n});
  if (shapes.chance(0.3)) layer.attributes.set("activation", std::string("GeluTanh"));
  layer.output({1, m, n});
  return layer;
}

// Softmax over a few classes for each of many places, as detectors have it, is a case apart.
Layer softmax(Shapes& shapes, int64_t rows, int64_t width) {
  const bool narrow = shapes.chance(0.5);
  const Dims dims =
      narrow ? Dims{1, 32 * rows, shapes.one_of({2, 3, 4, 8, 21})} : Dims{1, rows, width};
  Layer layer;
  layer.domain = "";
  layer.op = "Softmax";
  layer.input(dims);
  layer.output(dims);
  return layer;
}

Layer pooling(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.domain = "";
  layer.op = "MaxPool";
  const int64_t kernel = shapes.one_of({2, 3}), size = rows / 2 + kernel;
  layer.attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  layer.attributes.set("strides", std::vector<int64_t>{2, 2});
  const int64_t channels = shapes.channels(8, 256), result = (size - kernel) / 2 + 1;
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.output({1, channels, result, result}, Layout::kNchw16c);
  return layer;
}

Layer average(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.domain = "";
  layer.op = "GlobalAveragePool";
  const int64_t channels = shapes.channels(8, 1280), size = std::max<int64_t>(2, rows / 8);
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.output({1, channels, 1, 1}, Layout::kNchw16c);
  return layer;
}

// Heads brought together or apart, as attention does.
Layer transpose(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.domain = "";
  layer.op = "Transpose";
  const int64_t heads = shapes.one_of({2, 4, 8, 12}), size = shapes.one_of({32, 64});
  layer.attributes.set("perm", std::vector<int64_t>{0, 2, 1, 3});
  layer.input({1, rows, heads, size});
  layer.output({1, heads, rows, size});
  return layer;
}

// Images side by side, channel after channel.
Layer channel_concat(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.domain = "";
  layer.op = "Concat";
  layer.attributes.set("axis", int64_t{1});
  const int64_t channels = 16 * shapes.log_uniform(1, 24), size = std::max<int64_t>(2, rows / 4);
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.output({1, 2 * channels, size, size}, Layout::kNchw16c);
  return layer;
}

Layer reordering(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.op = "Reorder";
  layer.input({1, shapes.channels(8, 256), rows / 8 + 1, rows / 8 + 1});
  layer.output(layer.inputs[0].dims, Layout::kNchw16c);
  return layer;
}

Layer attention(Shapes& shapes, int64_t rows) {
  Layer layer;
  layer.op = "Attention";
  const int64_t heads = shapes.one_of({2, 3, 4, 6, 8}), size = shapes.one_of({32, 64});
  layer.attributes.set("num_heads", heads);
  for (int i = 0; i < 3; ++i) layer.input({1, rows, heads * size});
  layer.output({1, rows, heads * size});
  return layer;
}

Layer normalisation(int64_t rows, int64_t width) {
  Layer layer;
  layer.domain = "";
  layer.op = "LayerNormalization";
  layer.input({1, rows, width});
  layer.constant({width});
  layer.constant({width});
  layer.output({1, rows, width});
  return layer;
}

// Two tensors of the same size: side by side, or one on the other.
Layer pair(bool joined, int64_t rows, int64_t width) {
  Layer layer;
  layer.input({1, rows, width});
  layer.input({1, rows, width});
  layer.output({1, rows, joined ? 2 * width : width});
  if (joined) {
    layer.domain = "";
    layer.op = "Concat";
    layer.attributes.set("axis", int64_t{2});
  } else {
    layer.op = "Elementwise";
    layer.attributes.set("program", std::string("t0=Add(i0,i1);t1=Relu(t0)"));
  }
  return layer;
}

// What a product of bytes makes of its sums: mostly bytes, floats where the next layer has none.
DType finish(Shapes& shapes, Layer& layer, int64_t columns) {
  layer.constant({columns});
  layer.constant({columns});
  const DType out = shapes.chance(0.75) ? DType::kUint8 : DType::kFloat32;
  layer.attributes.set("x_zero", int64_t{117});
  layer.attributes.set("y_type", static_cast<int64_t>(out));
  layer.attributes.set("y_scale", 0.75F);
  layer.attributes.set("y_zero", int64_t{3});
  return out;
}

// Bytes or floats that are added to the result; sometimes the result is wanted as floats too, for
// the residual of a later layer.
void add_residual(Shapes& shapes, Layer& layer, const Dims& dims, Layout layout, DType out) {
  const bool is_float = shapes.chance(0.5);
  layer.input(dims, layout, is_float ? DType::kFloat32 : DType::kUint8);
  layer.attributes.set("residual_scale", 0.25F);
  layer.attributes.set("residual_zero", int64_t{9});
  layer.output(dims, layout, out);
  if (out != DType::kFloat32 && shapes.chance(0.5)) layer.output(dims, layout);
}

Layer byte_convolution(Shapes& shapes, int64_t in, int64_t out, int64_t kernel, int64_t group) {
  Layer layer;
  layer.op = "QuantizedConv2d";
  const int64_t stride = shapes.one_of({1, 1, 1, 2});
  const int64_t size = std::max(shapes.side(), kernel);
  const int64_t pad = kernel / 2, result = (size + 2 * pad - kernel) / stride + 1;
  layer.attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  layer.attributes.set("strides", std::vector<int64_t>{stride, stride});
  layer.attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
  layer.attributes.set("group", group);
  if (shapes.chance(0.7)) layer.attributes.set("activation", std::string("Relu"));
  layer.input({1, in, size, size}, Layout::kNhwc, DType::kUint8);
  layer.constant({out, in / group, kernel, kernel}, DType::kInt8);
  const Dims y{1, out, result, result};
  const DType type = finish(shapes, layer, out);
  if (group == 1 && shapes.chance(0.4)) {
    add_residual(shapes, layer, y, Layout::kNhwc, type);
  } else {
    layer.output(y, Layout::kNhwc, type);
  }
  return layer;
}

Layer dense_byte_convolution(Shapes& shapes) {
  const int64_t in = shapes.chance(0.1) ? 3 : shapes.channels(8, 512);
  const int64_t out = shapes.channels(8, 512);
  return byte_convolution(shapes, in, out, shapes.one_of({3, 3, 3, 5}), 1);
}

Layer thin_byte_convolution(Shapes& shapes) {
  if (shapes.chance(0.5)) {
    const int64_t in = shapes.channels(8, 512), out = shapes.channels(8, 512);
    return byte_convolution(shapes, in, out, 1, 1);
  }
  const int64_t channels = shapes.channels(8, 960);
  return byte_convolution(shapes, channels, channels, shapes.one_of({3, 3, 5}), channels);
}

Layer byte_product(Shapes& shapes) {
  Layer layer;
  layer.op = "QuantizedMatMul";
  const int64_t m = shapes.chance(0.3) ? 1 : shapes.log_uniform(2, 512);
  const int64_t k = shapes.channels(16, 2048), n = shapes.channels(16, 2048);
  layer.input({1, m, k}, Layout::kPlain, DType::kUint8);
  layer.constant({k, n}, DType::kInt8);
  const DType type = finish(shapes, layer, n);
  if (shapes.chance(0.3)) layer.attributes.set("activation", std::string("GeluTanh"));
  if (shapes.chance(0.3)) {
    add_residual(shapes, layer, {1, m, n}, Layout::kPlain, type);
  } else {
    layer.output({1, m, n}, Layout::kPlain, type);
  }
  return layer;
}

Layer byte_attention(Shapes& shapes) {
  Layer layer;
  layer.op = "QuantizedAttention";
  const int64_t heads = shapes.one_of({2, 3, 4, 6, 8}), size = shapes.one_of({32, 64});
  const int64_t rows = shapes.log_uniform(4, 256);
  layer.attributes.set("num_heads", heads);
  layer.attributes.set("scale", 0.125F);
  for (const char* name : {"q", "k", "v", "weights", "y"}) {
    layer.attributes.set(std::string(name) + "_scale", 0.01F);
    layer.attributes.set(std::string(name) + "_zero", int64_t{3});
    layer.attributes.set(std::string(name) + "_type", static_cast<int64_t>(DType::kUint8));
  }
  layer.input({1, rows, 3 * heads * size});
  layer.output({1, rows, heads * size}, Layout::kPlain, DType::kUint8);
  return layer;
}

// Floats that become bytes, and bytes that are laid out otherwise.
Layer rounding(Shapes& shapes) {
  Layer layer;
  const int64_t channels = shapes.channels(3, 512), size = shapes.log_uniform(1, 64);
  const Dims dims{1, channels, size, size};
  if (shapes.chance(0.5)) {
    layer.op = "Elementwise";
    layer.attributes.set("program", std::string("t0=QuantizeUint8(i0,0.05,117)"));
    layer.input(dims);
    layer.output(dims, Layout::kPlain, DType::kUint8);
  } else {
    layer.op = "Reorder";
    layer.input(dims, Layout::kPlain, DType::kUint8);
    layer.output(dims, Layout::kNhwc, DType::kUint8);
  }
  return layer;
}

Layer other(Shapes& shapes) {
  const int64_t rows = shapes.log_uniform(1, 256), width = shapes.channels(16, 1024);
  switch (shapes.one_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})) {
    case 0: return attention(shapes, rows);
    case 1: return normalisation(rows, width);
    case 2:
    case 3: return softmax(shapes, rows, width);
    case 4: return reordering(shapes, rows);
    case 5: return pooling(shapes, rows);
    case 6: return pair(true, rows, width);
    case 7: return average(shapes, rows);
    case 8: return transpose(shapes, rows);
    case 9: return channel_concat(shapes, rows);
    default: return pair(false, rows, width);
  }
}

Layer layer_of(size_t index) {
  Shapes shapes(index * 7919 + 17);
  switch (index % kKindsPeriod) {
    case 0:
    case 2:
    case 5: return convolution(shapes);
    case 3: return depthwise(shapes);
    case 7: return other(shapes);
    case 8: return dense_byte_convolution(shapes);
    case 9: return thin_byte_convolution(shapes);
    case 10: return byte_product(shapes);
    case 11: return shapes.chance(0.5) ? byte_attention(shapes) : rounding(shapes);
    default: return product(shapes);
  }
}

Operation operation_of(const Layer& layer) {
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
  std::unique_ptr<const Layer> layer;
  MadeLayer made;
  std::unique_ptr<KernelRunner> runner;
  double alone_us = 0;
};

// Nothing for layers that are too large or that no kernel takes.
Result<std::optional<RunningLayer>> prepare(size_t index, int threads) {
  RunningLayer one{index, std::make_unique<const Layer>(layer_of(index)), {}, nullptr, 0};
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
  const Layer made = layer_of(layer.index);
  Operation operation = operation_of(made);
  operation.packed_bytes = static_cast<int64_t>(layer.constant_bytes);
  const Work work = work_of(operation);
  const Features features = features_of(operation, work, layer.others_bytes);
  return {work.kind, features, base_time_us(roofline, work, features), layer.time_us};
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
