#include "profile/made_up_layers.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace edgewright {
namespace {

using Layer = MadeUpLayer;

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

// A square window that keeps the size at stride 1; gives what is left of `size`.
int64_t slide(Layer& layer, int64_t kernel, int64_t stride, int64_t size) {
  const int64_t pad = kernel / 2;
  layer.attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  layer.attributes.set("strides", std::vector<int64_t>{stride, stride});
  layer.attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
  return (size + 2 * pad - kernel) / stride + 1;
}

Layer convolution(Shapes& shapes) {
  Layer layer;
  layer.op = "Conv2d";
  const int64_t in = shapes.channels(3, 512), out = shapes.channels(8, 512);
  const int64_t kernel = shapes.one_of({1, 1, 3, 3, 3, 5}), stride = shapes.one_of({1, 1, 1, 2});
  const int64_t size = std::max(shapes.side(), kernel);
  const int64_t result = slide(layer, kernel, stride, size);
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
  const int64_t result = slide(layer, kernel, stride, size);
  layer.attributes.set("group", channels);
  if (shapes.chance(0.8)) layer.attributes.set("activation", std::string("Relu"));
  layer.input({1, channels, size, size}, Layout::kNchw16c);
  layer.constant({channels, 1, kernel, kernel});
  layer.constant({channels});
  layer.omitted();
  layer.output({1, channels, result, result}, Layout::kNchw16c);
  return layer;
}

// By the error function, or approximated: the first takes about twice as long.
std::string gelu(Shapes& shapes) { return shapes.chance(0.5) ? "Gelu" : "GeluTanh"; }

// Queries with keys, or weights with values: neither is known before.
Layer dynamic_product(Shapes& shapes, int64_t m) {
  Layer layer;
  layer.op = "MatMul";
  const int64_t heads = shapes.one_of({1, 2, 4, 8}), rows = std::min<int64_t>(m, 256);
  const int64_t size = shapes.one_of({2, 8, 32, 64}), length = shapes.log_uniform(1, 256);
  const bool of_values = shapes.chance(0.5);
  const int64_t k = of_values ? length : size, n = of_values ? size : length;
  layer.input({1, heads, rows, k});
  layer.input({1, heads, k, n});
  layer.omitted();
  layer.output({1, heads, rows, n});
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
  if (shapes.chance(0.3)) layer.attributes.set("activation", gelu(shapes));
  layer.output({1, m, n});
  return shapes.chance(0.2) ? dynamic_product(shapes, m) : layer;
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
  const int64_t result = slide(layer, kernel, stride, size);
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
  if (shapes.chance(0.3)) layer.attributes.set("activation", gelu(shapes));
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

}  // namespace

MadeUpLayer made_up_layer(size_t index) {
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

Result<MadeLayer> make_layer(const MadeUpLayer& layer, int threads) {
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

}  // namespace edgewright
