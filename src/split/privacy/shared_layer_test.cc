#include "split/privacy/shared_layer.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <set>

#include "base/file.h"
#include "graph/text.h"
#include "gtest/gtest.h"
#include "split/privacy/mask_file.h"

namespace edgewright {
namespace {

constexpr int kBits = 24;

std::vector<float> normals(size_t count, float scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// What a server's model computes, from its own constants.
Ring answer_of(const Model& model, const Ring& mask, const Ring& difference, const Ring& product,
               const LinearLayer& layer) {
  Graph& graph = *model.graph;
  const auto weights = graph.find_value("weights")->constant->elements<uint64_t>();
  const auto places = graph.find_value("places")->constant->elements<int64_t>();
  Ring stacked;
  for (const Ring* values : {&mask, &difference}) {
    for (const int64_t place : places) {
      stacked.push_back(static_cast<size_t>(place) < values->size() ? (*values)[size_t(place)] : 0);
    }
  }
  stacked.insert(stacked.end(), product.begin(), product.end());
  Ring share(layer.result_size(), 0);
  const size_t terms = 2 * layer.columns + layer.rows;
  for (size_t row = 0; row < layer.rows; ++row) {
    for (size_t term = 0; term < terms; ++term) {
      for (size_t i = 0; i < layer.positions; ++i) {
        share[row * layer.positions + i] +=
            weights[row * terms + term] * stacked[term * layer.positions + i];
      }
    }
  }
  return share;
}

std::vector<float> on_two_servers(const LinearLayer& layer, const std::vector<float>& input) {
  const WeightShares weights = *share_weights(layer, kBits);
  const OneTimeMask mask = draw_mask(layer, weights.mask);
  const MaskedRequest request =
      *mask_input(input, mask.key, layer.result_size(), kBits, largest_value(layer, kBits));
  const Ring first = answer_of(server_share(layer, weights, true), request.first_mask,
                               request.difference, request.first_product, layer);
  const Ring second = answer_of(server_share(layer, weights, false), request.second_mask,
                                request.difference, mask.second_product, layer);
  return unmask_output(first, second, layer.bias, layer.rows_last, kBits);
}

LinearLayer layer_of(const Graph& graph) {
  const auto nodes = linear_nodes(graph);
  EXPECT_EQ(nodes.size(), 1U);
  return *linear_layer(*nodes.at(0));
}

void type_outputs(Graph& graph, const Dims& dims) {
  graph.nodes().back().outputs[0]->type = ValueType::tensor(DType::kFloat32, to_shape(dims));
}

TEST(SharedLayer, AMatrixEqualsThePlainOne) {
  const int64_t rows = 40, columns = 300;
  Graph graph;
  Value* x = graph.add_input("x", ValueType::tensor(DType::kFloat32, to_shape({3, columns})));
  const auto weights = normals(size_t(rows * columns), 0.2F, 1), bias = normals(rows, 1, 2);
  Value* w = graph.add_constant("w", Tensor::of<float>({rows, columns}, weights));
  Value* b = graph.add_constant("b", Tensor::of<float>({rows}, bias));
  Attributes attributes;
  attributes.set("transB", int64_t{1});
  graph.add_output(graph.add_node("Gemm", {x, w, b}, {"y"}, attributes)->outputs[0]);
  type_outputs(graph, {3, rows});
  const auto input = normals(3 * columns, 3, 3);
  const auto found = on_two_servers(layer_of(graph), input);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t row = 0; row < rows; ++row) {
      double expected = static_cast<double>(bias[size_t(row)]);
      for (int64_t column = 0; column < columns; ++column) {
        expected += static_cast<double>(weights[size_t(row * columns + column)]) *
                    static_cast<double>(input[size_t(i * columns + column)]);
      }
      EXPECT_NEAR(found[size_t(i * rows + row)], expected, 0x1p-12);
    }
  }
}

TEST(SharedLayer, AConvolutionEqualsThePlainOne) {
  Graph graph;
  Value* x = graph.add_input("x", ValueType::tensor(DType::kFloat32, to_shape({1, 3, 7, 6})));
  const auto weights = normals(size_t{4 * 3 * 3 * 2}, 0.5F, 4);
  Value* w = graph.add_constant("w", Tensor::of<float>({4, 3, 3, 2}, weights));
  Attributes attributes;
  attributes.set("pads", std::vector<int64_t>{1, 0, 2, 1});
  attributes.set("strides", std::vector<int64_t>{2, 1});
  attributes.set("dilations", std::vector<int64_t>{1, 2});
  graph.add_output(graph.add_node("Conv", {x, w}, {"y"}, attributes)->outputs[0]);
  // (7 + 3 - 3) / 2 + 1 rows, (6 + 1 - 3) / 1 + 1 columns.
  type_outputs(graph, {1, 4, 4, 5});
  const auto input = normals(size_t{3 * 7 * 6}, 2, 5);
  const auto found = on_two_servers(layer_of(graph), input);
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t i = 0; i < 20; ++i) {
      double expected = 0;
      for (int64_t term = 0; term < 18; ++term) {
        const int64_t y = i / 5 * 2 + term % 6 / 2 - 1, column = i % 5 + term % 2 * 2;
        if (y < 0 || y >= 7 || column >= 6) continue;
        expected += static_cast<double>(weights[size_t(row * 18 + term)]) *
                    static_cast<double>(input[size_t((term / 6 * 7 + y) * 6 + column)]);
      }
      EXPECT_NEAR(found[size_t(row * 20 + i)], expected, 0x1p-12);
    }
  }
}

TEST(SharedLayer, WhatIsNoneIsRefusedWithTheReason) {
  const auto graph = *parse_graph(
      "graph %g(%x: float32[1,2,4,4], %m: float32[2,2]) -> (%y, %z) {\n"
      "  %w: float32[2,1,1,1] = {1.0, 2.0}\n"
      "  %y: float32[1,2,4,4] = Conv(%x, %w) {group=2}\n"
      "  %z: float32[2,2] = MatMul(%m, %m)\n}\n");
  EXPECT_TRUE(linear_nodes(*graph).empty());
  EXPECT_NE(linear_layer(graph->nodes().front()).error().message.find("group"), std::string::npos);
}

TEST(SharedLayer, ValuesThatCouldOverflowAreRefused) {
  const SealKey key{};
  EXPECT_TRUE(mask_input(std::vector<float>{99.0F}, key, 1, kBits, 100).ok());
  EXPECT_FALSE(mask_input(std::vector<float>{101.0F}, key, 1, kBits, 100).ok());
  EXPECT_FALSE(mask_input(std::vector<float>{NAN}, key, 1, kBits, 100).ok());
}

// Each server's constants are uniform: about half of every bit, whatever the weights.
TEST(SharedLayer, NeitherServerHoldsTheWeights) {
  LinearLayer layer;
  layer.name = "layer";
  layer.rows = 64;
  layer.columns = 64;
  layer.positions = 1;
  layer.input_dims = {64};
  layer.weights.assign(4096, 0.25F);
  layer.bias.assign(64, 0);
  for (int64_t i = 0; i < 64; ++i) layer.places.push_back(i);
  const WeightShares weights = *share_weights(layer, kBits);
  for (const Ring* held : {&weights.opened, &weights.first, &weights.second}) {
    for (int bit = 0; bit < 64; ++bit) {
      int ones = 0;
      for (const uint64_t word : *held) ones += static_cast<int>(word >> bit & 1);
      EXPECT_NEAR(ones, 2048, 6 * 32);
    }
  }
}

class MaskFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "masks-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/masks.bin";
    ASSERT_TRUE(MaskFile::write(path_, {3, 2}, 4, [this](size_t layer) {
                  OneTimeMask mask;
                  mask.key.fill(std::byte(++drawn_));
                  mask.second_product.assign(layer == 0 ? 3 : 2, drawn_);
                  return mask;
                }).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_;
  uint64_t drawn_ = 0;
};

TEST_F(MaskFiles, NoRequestIsTakenTwice) {
  MaskFile first = *MaskFile::open(path_, {3, 2}), second = *MaskFile::open(path_, {3, 2});
  EXPECT_EQ(*first.take(1), 0U);
  EXPECT_EQ(*second.take(2), 1U);
  EXPECT_EQ(*first.left(), 1U);
  const auto masks = *second.read(2);
  ASSERT_EQ(masks.size(), 2U);
  EXPECT_EQ(masks[0].second_product, Ring(3, 5));
  EXPECT_EQ(masks[1].key[0], std::byte{6});
  // What was read is gone.
  EXPECT_EQ((*first.read(2))[0].second_product, Ring(3, 0));
  EXPECT_FALSE(first.take(2).ok());
  EXPECT_EQ(*first.take(1), 3U);
  EXPECT_EQ(first.take(1).error().kind, ErrorKind::kCheckFailed);
}

TEST_F(MaskFiles, AnotherFileIsRefused) {
  EXPECT_FALSE(MaskFile::open(path_, {3, 3}).ok());
  EXPECT_FALSE(MaskFile::open(folder_ + "/none", {3, 2}).ok());
  std::string bytes = *read_file(path_);
  bytes.pop_back();
  ASSERT_TRUE(write_file(path_, bytes).ok());
  EXPECT_FALSE(MaskFile::open(path_, {3, 2}).ok());
}

}  // namespace
}  // namespace edgewright
