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

// One way over a link that loses nothing.
class Passage {
 public:
  explicit Passage(const SentForm& form) : form_(form) {
    if (form.is_coded()) sender_.emplace(form.codec, std::nullopt);
  }

  Result<NamedTensors> pass(const NamedTensors& sent, WireAccuracy& accuracy) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : sent) {
      names.push_back(name);
      accuracy.plain_bytes += static_cast<double>(tensor.size_bytes());
    }
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(const WireTensors wire,
                      to_wire(form_, names, sent, sender_ ? &*sender_ : nullptr, frame_));
    times_us_.push_back(microseconds_since(start));
    accuracy.sent_bytes += bytes_of(wire);
    NamedTensors received;
    for (const auto& [name, tensor] : sent) {
      EDGEWRIGHT_ASSIGN(received[name], received_one(name, tensor, wire));
    }
    if (sender_) sender_->acknowledged(frame_);
    ++frame_;
    return received;
  }
  double median_us() {
    std::ranges::sort(times_us_);
    return times_us_.empty() ? 0 : times_us_[times_us_.size() / 2];
  }

 private:
  Result<Tensor> received_one(const std::string& name, const Tensor& tensor,
                              const WireTensors& wire) {
    if (tensor.dtype() != DType::kFloat32) return tensor;
    const auto at = [&wire](const std::string& wanted) -> const Tensor& {
      return std::ranges::find(wire, wanted, [](const auto& row) { return row.first; })->second;
    };
    if (form_.is_coded()) {
      const CodedFrame frame{at(kStreamInput).elements<uint64_t>()[0],
                             at(kFrameInput).elements<int64_t>()[0],
                             at(kReferenceInput).elements<int64_t>()[0]};
      return decode_coded(std::as_bytes(at(name).elements<uint8_t>()), name, frame, nullptr,
                          streams_);
    }
    EDGEWRIGHT_ASSIGN(const WireTensors alone, encode_wire(form_.form, name, tensor));
    return decode_wire(form_.form, alone, tensor.dims());
  }

  SentForm form_;
  std::optional<CodedSender> sender_;
  CodedStreams streams_;
  uint64_t frame_ = 0;
  std::vector<double> times_us_;
};

void add_difference(const NamedTensors& sent, const NamedTensors& received,
                    Difference& difference) {
  for (const auto& [name, tensor] : sent) {
    if (tensor.dtype() != DType::kFloat32) continue;
    difference.add(tensor.elements<float>(), received.at(name).elements<float>());
  }
}

}  // namespace

Result<WireAccuracy> wire_accuracy(const SentForm& form, std::span<const NamedTensors> sent,
                                   const SecondHalf& rest, double enough_us,
                                   const SentNoise& noise) {
  constexpr size_t kFewest = 8;
  const auto start = Clock::now();
  WireAccuracy accuracy;
  Difference activations, answers;
  Passage passage(form);
  double agreeing = 0;
  for (const NamedTensors& values : sent) {
    if (accuracy.samples >= kFewest && microseconds_since(start) > enough_us) break;
    NamedTensors changed;
    if (noise) {
      EDGEWRIGHT_ASSIGN(changed, noise(values));
    }
    EDGEWRIGHT_ASSIGN(const auto received, passage.pass(noise ? changed : values, accuracy));
    add_difference(values, received, activations);
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
  if (accuracy.samples == 0) return usage_error("found no samples to measure a codec by");
  const auto count = static_cast<double>(accuracy.samples);
  accuracy.encode_us = passage.median_us();
  accuracy.sent_bytes /= count;
  accuracy.plain_bytes /= count;
  accuracy.agreement = agreeing / count;
  accuracy.relative_l2 = activations.relative();
  accuracy.output_relative_l2 = answers.relative();
  return accuracy;
}

}  // namespace edgewright
