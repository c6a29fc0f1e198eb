#include <gtest/gtest.h>

#include "kernels/reference/run_kernel.h"

namespace edgewright::reference {
namespace {

constexpr std::string_view kDomain = "ai.onnx.ml";

Attributes strings(std::string name, std::vector<std::string> values) {
  Attributes attributes;
  attributes.set(std::move(name), std::move(values));
  return attributes;
}

TEST(Maps, ZipMapGivesEveryRowItsLabels) {
  const Tensor x = Tensor::of<float>({2, 2}, {0.1f, 0.9f, 0.7f, 0.3f});
  const auto outputs =
      run_kernel("ZipMap", {x}, strings("classlabels_strings", {"cat", "dog"}), 1, kDomain);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  ASSERT_TRUE((*outputs)[0].is_sequence());
  const auto& maps = (*outputs)[0].elements();
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[1].map_keys().string_elements(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_TRUE(identical(maps[1].map_values(), Tensor::of<float>({2}, {0.7f, 0.3f})));
}

TEST(Maps, ZipMapRefusesAnotherNumberOfLabels) {
  const Tensor x = Tensor::of<float>({1, 3}, {1, 2, 3});
  const auto outputs =
      run_kernel("ZipMap", {x}, strings("classlabels_strings", {"cat", "dog"}), 1, kDomain);
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().kind, ErrorKind::kBadInput);
}

TEST(Maps, DictVectorizerOrdersByTheVocabulary) {
  // The example of the ONNX specification.
  const Datum map = Datum::map(Tensor::strings({2}, {"a", "c"}), Tensor::of<int64_t>({2}, {4, 8}));
  const auto y = run_tensor("DictVectorizer", {map},
                            strings("string_vocabulary", {"a", "c", "b", "z"}), kDomain);
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<int64_t>({1, 4}, {4, 8, 0, 0})));
  EXPECT_FALSE(
      run_tensor("DictVectorizer", {map}, strings("string_vocabulary", {"a"}), kDomain).ok());
}

TEST(Maps, CastMapSortsByKeyOrPlacesByIt) {
  const Datum map =
      Datum::map(Tensor::of<int64_t>({2}, {3, 1}), Tensor::of<float>({2}, {0.5f, 0.25f}));
  const auto dense = run_tensor("CastMap", {map}, {}, kDomain);
  ASSERT_TRUE(dense.ok()) << dense.error().message;
  EXPECT_TRUE(identical(*dense, Tensor::of<float>({1, 2}, {0.25f, 0.5f})));
  Attributes attributes;
  attributes.set("map_form", std::string("SPARSE"));
  attributes.set("max_map", int64_t{4});
  const auto sparse = run_tensor("CastMap", {map}, attributes, kDomain);
  ASSERT_TRUE(sparse.ok()) << sparse.error().message;
  EXPECT_TRUE(identical(*sparse, Tensor::of<float>({1, 4}, {0, 0.25f, 0, 0.5f})));
}

TEST(Maps, CategoryMapperGoesBothWays) {
  Attributes attributes = strings("cats_strings", {"a", "b"});
  attributes.set("cats_int64s", std::vector<int64_t>{5, 9});
  const auto numbers =
      run_tensor("CategoryMapper", {Tensor::strings({3}, {"b", "a", "z"})}, attributes, kDomain);
  ASSERT_TRUE(numbers.ok()) << numbers.error().message;
  EXPECT_TRUE(identical(*numbers, Tensor::of<int64_t>({3}, {9, 5, -1})));
  const auto names = run_tensor("CategoryMapper", {*numbers}, attributes, kDomain);
  ASSERT_TRUE(names.ok()) << names.error().message;
  EXPECT_EQ(names->string_elements(), (std::vector<std::string>{"b", "a", "_Unused"}));
}

}  // namespace
}  // namespace edgewright::reference
