#include "api/wire_accuracy.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

struct Difference {
  double error = 0, norm = 0;

  void add(std::span<const float> expected, std::span<const float> found) {
    for (size_t i = 0; i < expected.size() && i < found.size(); ++i) {
      const double value = static_cast<double>(expected[i]);
      const double off = static_cast<double>(found[i]) - value;
      error += off * off;
      norm += value * value;
    }
  }
  double relative() const { return norm > 0 ? std::sqrt(error / norm) : 0; }
};

Result<std::vector<float>> answer_of(const NamedTensors& outputs) {
  for (const auto& [name, tensor] : outputs) {
    if (tensor.dtype() != DType::kFloat32 || tensor.element_count() == 0) continue;
    const auto values = tensor.elements<float>();
    return std::vector<float>(values.begin(), values.end());
  }
  return unsupported("found no float32 output behind the cut, and nothing to measure a codec by");
}

Result<NamedTensors> passed_on(WireForm form, const NamedTensors& sent, Difference& difference,
                               double& encode_us) {
  NamedTensors received;
  for (const auto& [name, tensor] : sent) {
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(const WireTensors wire, encode_wire(form, name, tensor));
    encode_us += microseconds_since(start);
    received[name] = decode_wire(form, wire, tensor.dims());
    if (tensor.dtype() == DType::kFloat32) {
      difference.add(tensor.elements<float>(), received[name].elements<float>());
    }
  }
  return received;
}

}  // namespace

Result<WireAccuracy> wire_accuracy(WireForm form, std::span<const NamedTensors> sent,
                                   const SecondHalf& rest, double enough_us) {
  constexpr size_t kFewest = 8;
  const auto start = Clock::now();
  WireAccuracy accuracy;
  Difference activations, answers;
  std::vector<double> times;
  double agreeing = 0;
  for (const NamedTensors& values : sent) {
    if (accuracy.samples >= kFewest && microseconds_since(start) > enough_us) break;
    double encode_us = 0;
    EDGEWRIGHT_ASSIGN(const auto received, passed_on(form, values, activations, encode_us));
    times.push_back(encode_us);
    EDGEWRIGHT_ASSIGN(const auto plain, rest(values));
    EDGEWRIGHT_ASSIGN(const auto expected, answer_of(plain));
    EDGEWRIGHT_ASSIGN(const auto coded, rest(received));
    EDGEWRIGHT_ASSIGN(const auto found, answer_of(coded));
    answers.add(expected, found);
    const auto top = [](const std::vector<float>& row) {
      return std::ranges::max_element(row) - row.begin();
    };
    agreeing += top(expected) == top(found) ? 1 : 0;
    ++accuracy.samples;
  }
  if (times.empty()) return usage_error("found no samples to measure a codec by");
  std::ranges::sort(times);
  accuracy.encode_us = times[times.size() / 2];
  accuracy.agreement = agreeing / static_cast<double>(accuracy.samples);
  accuracy.relative_l2 = activations.relative();
  accuracy.output_relative_l2 = answers.relative();
  return accuracy;
}

}  // namespace edgewright
