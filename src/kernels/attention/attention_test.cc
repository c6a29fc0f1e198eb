#include <cmath>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

struct Case {
  int64_t batch, queries, keys, heads, kv_heads, size;
  Dims mask;
  bool causal;
};

Tensor expected_output(const Trial& trial, const Case& c) {
  auto y = Tensor::allocate(DType::kFloat32, trial.value(0).dims());
  EDGEWRIGHT_CHECK(y.ok());
  const auto at = [&](size_t input, int64_t i) {
    return static_cast<double>(trial.value(input).data<float>()[i]);
  };
  for (int64_t n = 0; n < c.batch * c.heads * c.queries; ++n) {
    const int64_t q = n % c.queries, h = n / c.queries % c.heads, b = n / c.queries / c.heads;
    const int64_t kv = h / (c.heads / c.kv_heads);
    std::vector<double> weight;
    double sum = 0;
    for (int64_t k = 0; k < c.keys; ++k) {
      double dot = 0;
      for (int64_t i = 0; i < c.size; ++i) {
        dot += at(0, ((b * c.queries + q) * c.heads + h) * c.size + i) *
               at(1, ((b * c.keys + k) * c.kv_heads + kv) * c.size + i);
      }
      dot /= std::sqrt(static_cast<double>(c.size));
      if (c.mask.size() == 2) dot += at(3, q * c.keys + k);
      if (c.mask.size() == 4) dot += at(3, b * c.keys + k);
      const bool seen = !c.causal || k <= q + c.keys - c.queries;
      weight.push_back(seen ? std::exp(dot) : 0);
      sum += weight.back();
    }
    for (int64_t i = 0; i < c.size; ++i) {
      double value = 0;
      for (int64_t k = 0; k < c.keys; ++k) {
        value += weight[static_cast<size_t>(k)] / sum *
                 at(2, ((b * c.keys + k) * c.kv_heads + kv) * c.size + i);
      }
      y->mutable_data<float>()[((b * c.queries + q) * c.heads + h) * c.size + i] =
          static_cast<float>(value);
    }
  }
  return *std::move(y);
}

TEST(Attention, AgreesWithTheDefinition) {
  const Case cases[] = {
      {1, 65, 65, 4, 4, 48, {}, false},
      {2, 7, 33, 4, 2, 20, {7, 33}, false},
      {2, 200, 300, 2, 1, 16, {2, 1, 1, 300}, true},
      {1, 1, 9, 3, 3, 5, {}, true},
  };
  for (const Case& c : cases) {
    Trial trial("edgewright", "Attention");
    trial.attribute("num_heads", c.heads)
        .attribute("kv_num_heads", c.kv_heads)
        .attribute("unidirectional", int64_t{c.causal})
        .input({c.batch, c.queries, c.heads * c.size})
        .input({c.batch, c.keys, c.kv_heads * c.size})
        .input({c.batch, c.keys, c.kv_heads * c.size});
    if (!c.mask.empty()) trial.input(c.mask);
    trial.output({c.batch, c.queries, c.heads * c.size});
    expect_agrees(trial, "attention_f32_hwy", expected_output(trial, c), kAttentionTolerance);
  }
}

TEST(Attention, RefusesHeadsThatDoNotFit) {
  Trial trial("edgewright", "Attention");
  trial.attribute("num_heads", int64_t{5}).input({1, 4, 16}).input({1, 4, 16}).input({1, 4, 16});
  trial.output({1, 4, 16});
  EXPECT_FALSE(accepts(trial, "attention_f32_hwy"));
}

}  // namespace
}  // namespace edgewright
