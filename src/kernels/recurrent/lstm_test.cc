#include <cmath>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

struct Case {
  int64_t steps, batch, input, hidden;
  const char* direction;
  bool states;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Tensor expected_output(const Trial& trial, const Case& c) {
  const int64_t directions = std::string_view(c.direction) == "bidirectional" ? 2 : 1;
  auto y = Tensor::allocate(DType::kFloat32, {c.steps, directions, c.batch, c.hidden});
  EDGEWRIGHT_CHECK(y.ok());
  const auto at = [&](size_t input, int64_t i) {
    return static_cast<double>(trial.value(input).data<float>()[i]);
  };
  const int64_t size = c.hidden;
  for (int64_t d = 0; d < directions; ++d) {
    for (int64_t b = 0; b < c.batch; ++b) {
      std::vector<double> h(static_cast<size_t>(size)), cell(h), gate(h.size() * 4);
      for (int64_t i = 0; c.states && i < size; ++i) {
        h[static_cast<size_t>(i)] = at(5, (d * c.batch + b) * size + i);
        cell[static_cast<size_t>(i)] = at(6, (d * c.batch + b) * size + i);
      }
      for (int64_t n = 0; n < c.steps; ++n) {
        const bool backward = d == 1 || std::string_view(c.direction) == "reverse";
        const int64_t t = backward ? c.steps - 1 - n : n;
        for (int64_t g = 0; g < 4 * size; ++g) {
          double sum = at(3, d * 8 * size + g) + at(3, d * 8 * size + 4 * size + g);
          for (int64_t i = 0; i < c.input; ++i) {
            sum += at(0, (t * c.batch + b) * c.input + i) * at(1, (d * 4 * size + g) * c.input + i);
          }
          for (int64_t i = 0; i < size; ++i) {
            sum += h[static_cast<size_t>(i)] * at(2, (d * 4 * size + g) * size + i);
          }
          gate[static_cast<size_t>(g)] = sum;
        }
        for (int64_t k = 0; k < size; ++k) {
          const auto part = [&](int64_t i) { return gate[static_cast<size_t>(i * size + k)]; };
          double& state = cell[static_cast<size_t>(k)];
          state = sigmoid(part(2)) * state + sigmoid(part(0)) * std::tanh(part(3));
          h[static_cast<size_t>(k)] = sigmoid(part(1)) * std::tanh(state);
          y->mutable_data<float>()[((t * directions + d) * c.batch + b) * size + k] =
              static_cast<float>(h[static_cast<size_t>(k)]);
        }
      }
    }
  }
  return *std::move(y);
}

TEST(Lstm, AgreesWithTheDefinition) {
  const Case cases[] = {
      {1, 1, 12, 20, "forward", true},
      {5, 3, 7, 10, "reverse", false},
      {4, 2, 16, 32, "bidirectional", true},
  };
  for (const Case& c : cases) {
    const int64_t directions = std::string_view(c.direction) == "bidirectional" ? 2 : 1;
    Trial trial("", "LSTM");
    trial.attribute("direction", std::string(c.direction))
        .attribute("hidden_size", c.hidden)
        .input({c.steps, c.batch, c.input})
        .constant({directions, 4 * c.hidden, c.input})
        .constant({directions, 4 * c.hidden, c.hidden})
        .constant({directions, 8 * c.hidden})
        .omitted();
    if (c.states)
      trial.input({directions, c.batch, c.hidden}).input({directions, c.batch, c.hidden});
    trial.output({c.steps, directions, c.batch, c.hidden})
        .output({directions, c.batch, c.hidden})
        .output({directions, c.batch, c.hidden});
    expect_agrees(trial, "lstm_f32_hwy", expected_output(trial, c), kRecurrentTolerance);
  }
}

}  // namespace
}  // namespace edgewright
