#include <algorithm>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

Tensor ints(std::vector<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

// The output whose element at (i, j, k) is source(i, j, k) of the input, a plain 3-d tensor.
template <class F>
Tensor mapped(const Tensor& x, const Dims& dims, F source) {
  auto y = Tensor::allocate(DType::kFloat32, dims);
  EDGEWRIGHT_CHECK(y.ok());
  for (int64_t n = 0; n < y->element_count(); ++n) {
    const Dims at = source(n / dims[2] / dims[1], n / dims[2] % dims[1], n % dims[2]);
    const bool inside = at[0] >= 0;
    const int64_t from = (at[0] * x.dim(1) + at[1]) * x.dim(2) + at[2];
    y->mutable_data<float>()[n] = inside ? x.data<float>()[from] : 7.0f;
  }
  return *std::move(y);
}

TEST(MappedCopy, SlicesWithNegativeSteps) {
  Trial trial("", "Slice");
  trial.input({5, 7, 6})
      .tensor(ints({-1, 2}), true)
      .tensor(ints({-100, 6}), true)
      .tensor(ints({0, 2}), true)
      .tensor(ints({-2, 2}), true)
      .output({3, 7, 2});
  expect_agrees(
      trial, "slice_mapped",
      mapped(trial.value(0), {3, 7, 2},
             [](int64_t i, int64_t j, int64_t k) { return Dims{4 - 2 * i, j, 2 + 2 * k}; }),
      kExact);
}

TEST(MappedCopy, PadsWithAValueAndByReflection) {
  Trial value("", "Pad");
  value.input({2, 3, 4}).tensor(ints({0, 1, 2, 1, 0, 1}), true);
  value.tensor(Tensor::scalar(7.0f), true).output({3, 4, 7});
  expect_agrees(value, "pad_mapped",
                mapped(value.value(0), {3, 4, 7},
                       [](int64_t i, int64_t j, int64_t k) {
                         const bool inside = i < 2 && j >= 1 && k >= 2 && k < 6;
                         return inside ? Dims{i, j - 1, k - 2} : Dims{-1, 0, 0};
                       }),
                kExact);
  Trial reflect("", "Pad");
  reflect.attribute("mode", std::string("reflect")).input({2, 3, 4});
  reflect.tensor(ints({0, 0, 3, 0, 0, 2}), true).output({2, 3, 9});
  expect_agrees(reflect, "pad_mapped",
                mapped(reflect.value(0), {2, 3, 9},
                       [](int64_t i, int64_t j, int64_t k) {
                         const int64_t x = k - 3;
                         return Dims{i, j, x < 0 ? -x : x > 3 ? 6 - x : x};
                       }),
                kExact);
}

TEST(MappedCopy, ExpandsTilesAndGathers) {
  Trial expand("", "Expand");
  expand.input({2, 1, 3}).tensor(ints({2, 4, 3}), true).output({2, 4, 3});
  expect_agrees(expand, "expand_mapped",
                mapped(expand.value(0), {2, 4, 3},
                       [](int64_t i, int64_t, int64_t k) { return Dims{i, 0, k}; }),
                kExact);
  Trial tile("", "Tile");
  tile.input({2, 2, 3}).tensor(ints({1, 2, 3}), true).output({2, 4, 9});
  expect_agrees(tile, "tile_mapped",
                mapped(tile.value(0), {2, 4, 9},
                       [](int64_t i, int64_t j, int64_t k) { return Dims{i, j % 2, k % 3}; }),
                kExact);
  Trial gather("", "Gather");
  gather.attribute("axis", int64_t{1}).input({2, 5, 3}).tensor(ints({4, -5, 2, 2}), true);
  gather.output({2, 4, 3});
  expect_agrees(gather, "gather_mapped",
                mapped(gather.value(0), {2, 4, 3},
                       [](int64_t i, int64_t j, int64_t k) {
                         constexpr int64_t kIndices[] = {4, 0, 2, 2};
                         return Dims{i, kIndices[j], k};
                       }),
                kExact);
  Trial outside("", "Gather");
  outside.input({2, 5, 3}).tensor(ints({2}), true).output({1, 5, 3});
  EXPECT_FALSE(accepts(outside, "gather_mapped"));
}

TEST(MappedCopy, ResizesToTheNearest) {
  Trial trial("", "Resize");
  trial.attribute("coordinate_transformation_mode", std::string("asymmetric"))
      .attribute("nearest_mode", std::string("floor"))
      .input({2, 3, 4})
      .omitted()
      .tensor(Tensor::of<float>({3}, {1.0f, 2.0f, 3.0f}), true)
      .output({2, 6, 12});
  expect_agrees(trial, "resize_nearest_mapped",
                mapped(trial.value(0), {2, 6, 12},
                       [](int64_t i, int64_t j, int64_t k) { return Dims{i, j / 2, k / 3}; }),
                kExact);
}

TEST(Concat, JoinsPlainAndBlockedTensors) {
  Trial trial("", "Concat");
  trial.attribute("axis", int64_t{1}).input({2, 3, 4}).input({2, 2, 4}).output({2, 5, 4});
  const Tensor& a = trial.value(0);
  const Tensor& b = trial.value(1);
  Tensor expected = mapped(a, {2, 5, 4}, [](int64_t i, int64_t j, int64_t k) {
    return j < 3 ? Dims{i, j, k} : Dims{-1, 0, 0};
  });
  for (int64_t n = 0; n < 40; ++n) {
    if (n / 4 % 5 >= 3)
      expected.mutable_data<float>()[n] = b.data<float>()[n / 20 * 8 + n % 20 - 12];
  }
  expect_agrees(trial, "concat_copy", expected, kExact);
  Trial last("", "Concat");
  last.attribute("axis", int64_t{1})
      .bytes(DType::kUint8, {1, 3, 2, 2}, Layout::kNhwc)
      .bytes(DType::kUint8, {1, 2, 2, 2}, Layout::kNhwc)
      .output({1, 5, 2, 2}, Layout::kNhwc, DType::kUint8);
  auto joined = Tensor::allocate(DType::kUint8, {1, 5, 2, 2});
  ASSERT_TRUE(joined.ok());
  std::copy_n(last.value(0).data<uint8_t>(), 12, joined->mutable_data<uint8_t>());
  std::copy_n(last.value(1).data<uint8_t>(), 8, joined->mutable_data<uint8_t>() + 12);
  expect_same_bytes(last, "concat_copy", *joined);
  Trial ragged("", "Concat");
  ragged.attribute("axis", int64_t{1})
      .input({1, 8, 2, 2}, Layout::kNchw16c)
      .input({1, 16, 2, 2}, Layout::kNchw16c)
      .output({1, 24, 2, 2}, Layout::kNchw16c);
  EXPECT_FALSE(accepts(ragged, "concat_copy"));
}

TEST(Transpose, PermutesEveryWay) {
  std::vector<int64_t> order = {0, 1, 2, 3};
  const Dims in = {3, 18, 5, 21};
  do {
    Dims out;
    for (const int64_t axis : order) out.push_back(in[static_cast<size_t>(axis)]);
    Trial trial("", "Transpose");
    trial.attribute("perm", order).input(in).output(out);
    auto expected = Tensor::allocate(DType::kFloat32, out);
    ASSERT_TRUE(expected.ok());
    int64_t strides[4] = {18 * 5 * 21, 5 * 21, 21, 1};
    for (int64_t n = 0; n < expected->element_count(); ++n) {
      int64_t rest = n, from = 0;
      for (size_t i = 4; i-- > 0;) {
        from += rest % out[i] * strides[order[i]];
        rest /= out[i];
      }
      expected->mutable_data<float>()[n] = trial.value(0).data<float>()[from];
    }
    auto run = trial.prepare(*find_implementation("transpose_tiled"));
    ASSERT_TRUE(run.ok());
    ThreadPool pool(2);
    (*run)(pool);
    EXPECT_EQ(difference(run->output(), *expected, kExact), "");
  } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace edgewright
