// Multiply-adds and parameters of well-known networks against the published counts. The graphs are
// built here, their weights are inputs without values, their types are inferred.
//
// Published: torchvision's model pages (GFLOPS, which are multiply-adds there, and num_params) and
// the papers behind them; AlexNet 714.19 M, VGG-16 15.47 G, ResNet-18 1.81 G, ResNet-50 4.09 G,
// ViT-B/16 17.56 G.
#include <gtest/gtest.h>

#include "formats/onnx/type_inference.h"
#include "profile/cost_model.h"

namespace edgewright {
namespace {

class Network {
 public:
  explicit Network(int64_t size) {
    x_ =
        graph_.add_input("image", ValueType::tensor(DType::kFloat32, to_shape({1, 3, size, size})));
    channels_ = 3;
  }

  Value* current() const { return x_; }
  void set(Value* value, int64_t channels) {
    x_ = value;
    channels_ = channels;
  }
  int64_t channels() const { return channels_; }

  Value* weight(Dims dims) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    parameters_ += count;
    return graph_.add_input("w", ValueType::tensor(DType::kFloat32, to_shape(dims)));
  }
  Value* shape(Dims dims) {
    const Dims length = {static_cast<int64_t>(dims.size())};
    return graph_.add_constant("shape", Tensor::of<int64_t>(length, dims));
  }
  Value* node(std::string op, std::vector<Value*> inputs, Attributes attributes = {}) {
    return graph_.add_node(std::move(op), std::move(inputs), {"v"}, std::move(attributes))
        ->output(0);
  }

  void conv(int64_t out, int64_t kernel, int64_t stride, int64_t pad, bool has_bias) {
    Attributes attributes;
    attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
    attributes.set("strides", std::vector<int64_t>{stride, stride});
    attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
    std::vector<Value*> inputs = {x_, weight({out, channels_, kernel, kernel})};
    if (has_bias) inputs.push_back(weight({out}));
    set(node("Conv", std::move(inputs), std::move(attributes)), out);
  }
  // Scale and shift are parameters, the running mean and variance are not.
  void batch_norm() {
    Value* scale = weight({channels_});
    Value* shift = weight({channels_});
    Value* mean = weight({channels_});
    Value* variance = weight({channels_});
    parameters_ -= 2 * channels_;
    x_ = node("BatchNormalization", {x_, scale, shift, mean, variance});
  }
  void relu() { x_ = node("Relu", {x_}); }
  void max_pool(int64_t kernel, int64_t stride, int64_t pad) {
    Attributes attributes;
    attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
    attributes.set("strides", std::vector<int64_t>{stride, stride});
    attributes.set("pads", std::vector<int64_t>{pad, pad, pad, pad});
    x_ = node("MaxPool", {x_}, std::move(attributes));
  }
  void linear(int64_t in, int64_t out) {
    Attributes attributes;
    attributes.set("transB", int64_t{1});
    x_ = node("Gemm", {x_, weight({out, in}), weight({out})}, std::move(attributes));
  }
  void flatten() { x_ = node("Flatten", {x_}); }
  void global_pool() {
    x_ = node("GlobalAveragePool", {x_});
    flatten();
  }

  struct Counts {
    double multiply_adds = 0;
    int64_t parameters = 0;
    bool complete = true;
  };
  Counts count() {
    graph_.add_output(x_);
    const auto status = onnx_type_inferer().infer(graph_);
    EXPECT_TRUE(status.ok()) << status.error().message;
    Counts counts;
    counts.parameters = parameters_;
    for (const Node& node : graph_.nodes()) {
      const Work work = work_of(operation_of(node));
      counts.multiply_adds += static_cast<double>(work.multiply_adds);
      counts.complete = counts.complete && work.complete;
    }
    return counts;
  }

 private:
  Graph graph_;
  Value* x_ = nullptr;
  int64_t channels_ = 0, parameters_ = 0;
};

void expect_counts(Network& network, const char* multiply_adds, double unit, int64_t parameters) {
  const auto counts = network.count();
  EXPECT_TRUE(counts.complete);
  EXPECT_EQ(fmt::format("{:.2f}", counts.multiply_adds / unit), multiply_adds);
  EXPECT_EQ(counts.parameters, parameters);
}

TEST(NetworkCounts, AlexNet) {
  Network network(224);
  network.conv(64, 11, 4, 2, true);
  network.relu();
  network.max_pool(3, 2, 0);
  network.conv(192, 5, 1, 2, true);
  network.relu();
  network.max_pool(3, 2, 0);
  for (const int64_t out : {384, 256, 256}) {
    network.conv(out, 3, 1, 1, true);
    network.relu();
  }
  network.max_pool(3, 2, 0);
  network.flatten();
  network.linear(9216, 4096);
  network.linear(4096, 4096);
  network.linear(4096, 1000);
  expect_counts(network, "714.19", 1e6, 61'100'840);
}

TEST(NetworkCounts, Vgg16) {
  Network network(224);
  for (const auto& [out, count] :
       {std::pair<int64_t, int>{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}) {
    for (int i = 0; i < count; ++i) {
      network.conv(out, 3, 1, 1, true);
      network.relu();
    }
    network.max_pool(2, 2, 0);
  }
  network.flatten();
  network.linear(25088, 4096);
  network.linear(4096, 4096);
  network.linear(4096, 1000);
  expect_counts(network, "15.47", 1e9, 138'357'544);
}

// A block of ResNet: 3 x 3 twice, or 1 x 1, 3 x 3, 1 x 1 where it is a bottleneck.
void residual_block(Network& network, int64_t width, int64_t stride, bool bottleneck) {
  Value* input = network.current();
  const int64_t in = network.channels(), out = bottleneck ? 4 * width : width;
  const auto conv = [&](int64_t channels, int64_t kernel, int64_t step) {
    network.conv(channels, kernel, step, kernel / 2, false);
    network.batch_norm();
  };
  if (bottleneck) {
    conv(width, 1, 1);
    network.relu();
    conv(width, 3, stride);
    network.relu();
    conv(out, 1, 1);
  } else {
    conv(width, 3, stride);
    network.relu();
    conv(out, 3, 1);
  }
  Value* main = network.current();
  if (in != out || stride != 1) {
    network.set(input, in);
    conv(out, 1, stride);
    input = network.current();
  }
  network.set(network.node("Add", {main, input}), out);
  network.relu();
}

void residual_network(Network& network, const std::vector<int>& depths, bool bottleneck) {
  network.conv(64, 7, 2, 3, false);
  network.batch_norm();
  network.relu();
  network.max_pool(3, 2, 1);
  int64_t width = 64;
  for (const int depth : depths) {
    for (int i = 0; i < depth; ++i) {
      residual_block(network, width, i == 0 && width > 64 ? 2 : 1, bottleneck);
    }
    width *= 2;
  }
  network.global_pool();
  network.linear(network.channels(), 1000);
}

TEST(NetworkCounts, ResNet18) {
  Network network(224);
  residual_network(network, {2, 2, 2, 2}, false);
  expect_counts(network, "1.81", 1e9, 11'689'512);
}

TEST(NetworkCounts, ResNet50) {
  Network network(224);
  residual_network(network, {3, 4, 6, 3}, true);
  expect_counts(network, "4.09", 1e9, 25'557'032);
}

constexpr int64_t kHidden = 768, kTokens = 197, kHeads = 12;

Value* dense(Network& network, Value* x, int64_t in, int64_t out) {
  Value* product = network.node("MatMul", {x, network.weight({in, out})});
  return network.node("Add", {product, network.weight({out})});
}

Value* norm(Network& network, Value* x) {
  return network.node("LayerNormalization",
                      {x, network.weight({kHidden}), network.weight({kHidden})});
}

void encoder_block(Network& network) {
  Value* x = network.current();
  Value* normed = norm(network, x);
  Attributes heads;
  heads.set("q_num_heads", kHeads);
  heads.set("kv_num_heads", kHeads);
  Value* q = dense(network, normed, kHidden, kHidden);
  Value* k = dense(network, normed, kHidden, kHidden);
  Value* v = dense(network, normed, kHidden, kHidden);
  Value* attended = network.node("Attention", {q, k, v}, std::move(heads));
  x = network.node("Add", {x, dense(network, attended, kHidden, kHidden)});
  Value* wide = network.node("Gelu", {dense(network, norm(network, x), kHidden, 4 * kHidden)});
  network.set(network.node("Add", {x, dense(network, wide, 4 * kHidden, kHidden)}), kHidden);
}

TEST(NetworkCounts, VisionTransformerBase16) {
  Network network(224);
  network.conv(kHidden, 16, 16, 0, true);
  Value* patches = network.node("Reshape", {network.current(), network.shape({1, kHidden, 196})});
  Attributes order;
  order.set("perm", std::vector<int64_t>{0, 2, 1});
  patches = network.node("Transpose", {patches}, std::move(order));
  Attributes axis;
  axis.set("axis", int64_t{1});
  Value* tokens =
      network.node("Concat", {network.weight({1, 1, kHidden}), patches}, std::move(axis));
  network.set(network.node("Add", {tokens, network.weight({1, kTokens, kHidden})}), kHidden);
  for (int i = 0; i < 12; ++i) encoder_block(network);
  Value* normed = norm(network, network.current());
  Attributes first;
  first.set("axis", int64_t{1});
  Value* index = network.node("Identity", {network.shape({0})});
  Value* token = network.node("Gather", {normed, index}, std::move(first));
  network.set(network.node("Reshape", {token, network.shape({1, kHidden})}), kHidden);
  network.linear(kHidden, 1000);
  expect_counts(network, "17.56", 1e9, 86'567'656);
}

}  // namespace
}  // namespace edgewright
