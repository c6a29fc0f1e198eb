#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/cut_model.h"
#include "device/link.h"
#include "edgewright/split.h"
#include "split/codec/codec.h"

namespace edgewright {
namespace {

size_t top(const Tensor& tensor) {
  const auto values = tensor.elements<float>();
  return static_cast<size_t>(std::ranges::max_element(values) - values.begin());
}

// The first float32 output: the model's answer.
Result<Tensor> answer(const TensorMap& outputs) {
  for (const auto& [name, tensor] : outputs) {
    if (tensor.dtype() == DType::kFloat32 && tensor.element_count() > 0) return tensor;
  }
  return unsupported("found no float32 output behind the cut to compare");
}

// What is sent without a codec, and what the server then answers.
struct Baseline {
  std::vector<TensorMap> sent;
  std::vector<Tensor> answers;
  double bytes = 0;  // of one sample
};

Result<Baseline> baseline_of(CutModel& model, const CutSamples& samples) {
  Baseline baseline;
  for (const TensorMap& inputs : samples.inputs) {
    EDGEWRIGHT_ASSIGN(auto sent, model.run_device(inputs));
    EDGEWRIGHT_ASSIGN(const auto outputs, model.run_server(sent));
    EDGEWRIGHT_ASSIGN(baseline.answers.emplace_back(), answer(outputs));
    for (const auto& [name, tensor] : sent) {
      baseline.bytes +=
          static_cast<double>(tensor.size_bytes()) / static_cast<double>(samples.inputs.size());
    }
    baseline.sent.push_back(std::move(sent));
  }
  return baseline;
}

std::optional<double> accuracy_of(const std::vector<Tensor>& answers,
                                  const std::vector<int64_t>& labels) {
  if (labels.empty()) return std::nullopt;
  size_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    right += top(answers[i]) == static_cast<size_t>(labels[i]) ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(answers.size());
}

// One stream a sent tensor, sample after sample; tensors that are no floats travel as they are.
class Channel {
 public:
  explicit Channel(ActivationCodec codec) : codec_(codec) {}

  Result<TensorMap> pass(const TensorMap& sent, CodecFigures& figures) {
    TensorMap received;
    for (const auto& [name, tensor] : sent) {
      if (tensor.dtype() != DType::kFloat32) {
        received[name] = tensor;
        figures.size_bytes += static_cast<double>(tensor.size_bytes());
        continue;
      }
      auto& encoder = encoders_.try_emplace(name, codec_).first->second;
      ActivationDecoder& decoder = decoders_[name];
      auto start = Clock::now();
      EDGEWRIGHT_ASSIGN(const auto bytes, encoder.encode(tensor));
      figures.encode_us += since(start);
      start = Clock::now();
      EDGEWRIGHT_ASSIGN(received[name], decoder.decode(bytes));
      figures.decode_us += since(start);
      figures.size_bytes += static_cast<double>(bytes.size());
      add_error(tensor, received[name], figures);
    }
    return received;
  }
  double relative_l2() const { return norm_ > 0 ? std::sqrt(error_ / norm_) : 0; }

 private:
  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  }
  void add_error(const Tensor& sent, const Tensor& received, CodecFigures& figures) {
    const auto a = sent.elements<float>(), b = received.elements<float>();
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(b[i]) - static_cast<double>(a[i]);
      error_ += difference * difference;
      norm_ += static_cast<double>(a[i]) * static_cast<double>(a[i]);
      figures.max_abs = std::max(figures.max_abs, std::fabs(difference));
    }
  }
  ActivationCodec codec_;
  std::map<std::string, ActivationEncoder> encoders_;
  std::map<std::string, ActivationDecoder> decoders_;
  double error_ = 0, norm_ = 0;
};

Result<CodecFigures> figures_of(const ActivationCodec& codec, CutModel& model,
                                const Baseline& baseline, const CutSamples& samples,
                                double mbit_s) {
  CodecFigures figures;
  figures.codec = codec_name(codec);
  Channel channel(codec);
  std::vector<Tensor> answers;
  double error = 0, norm = 0, agreeing = 0;
  const auto count = static_cast<double>(baseline.sent.size());
  for (size_t i = 0; i < baseline.sent.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const auto received, channel.pass(baseline.sent[i], figures));
    EDGEWRIGHT_ASSIGN(const auto outputs, model.run_server(received));
    EDGEWRIGHT_ASSIGN(const Tensor found, answer(outputs));
    answers.push_back(found);
    const auto a = baseline.answers[i].elements<float>(), b = found.elements<float>();
    for (size_t k = 0; k < a.size(); ++k) {
      error += std::pow(static_cast<double>(b[k]) - static_cast<double>(a[k]), 2);
      norm += std::pow(static_cast<double>(a[k]), 2);
    }
    agreeing += top(found) == top(baseline.answers[i]) ? 1 : 0;
  }
  figures.size_bytes /= count;
  figures.encode_us /= count;
  figures.decode_us /= count;
  figures.ratio = baseline.bytes / figures.size_bytes;
  figures.relative_l2 = channel.relative_l2();
  figures.total_us = figures.encode_us + figures.size_bytes * 8 / mbit_s + figures.decode_us;
  figures.output_relative_l2 = norm > 0 ? std::sqrt(error / norm) : 0;
  figures.agreement = agreeing / count;
  figures.accuracy = accuracy_of(answers, samples.labels);
  return figures;
}

void choose(CodecReport& report) {
  std::vector<const CodecFigures*> kept;
  for (const CodecFigures& figures : report.codecs) {
    if (figures.agreement >= report.floor) kept.push_back(&figures);
  }
  std::ranges::stable_sort(kept, {}, &CodecFigures::total_us);
  if (!kept.empty()) report.choice = kept[0]->codec;
  if (kept.size() > 1) report.runner_up = kept[1]->codec;
  report.passed = !kept.empty();
}

}  // namespace

Result<CodecReport> compare_codecs(const CodecOptions& options) {
  CodecReport report;
  report.floor = options.floor;
  report.bandwidth_mbit_s = options.bandwidth_mbit_s;
  if (!options.link.empty()) {
    EDGEWRIGHT_ASSIGN(const Link link, load_link(options.link));
    report.bandwidth_mbit_s = link.uplink.effective_mbit_s();
  }
  if (!(report.bandwidth_mbit_s > 0)) return usage_error("the bandwidth must be above 0");
  std::vector<ActivationCodec> codecs = known_codecs();
  if (!options.only.empty()) codecs.clear();
  for (const std::string& name : options.only) {
    EDGEWRIGHT_ASSIGN(codecs.emplace_back(), parse_codec(name));
  }
  EDGEWRIGHT_ASSIGN(CutModel model,
                    CutModel::open(options.model, options.shapes, options.cut, options.threads));
  EDGEWRIGHT_ASSIGN(const CutSamples samples,
                    cut_samples(model, options.data, options.samples, options.seed));
  EDGEWRIGHT_ASSIGN(const Baseline baseline, baseline_of(model, samples));
  report.samples = samples.inputs.size();
  report.original_bytes = baseline.bytes;
  report.sent = model.sent_names();
  report.accuracy = accuracy_of(baseline.answers, samples.labels);
  for (const ActivationCodec& codec : codecs) {
    auto figures = figures_of(codec, model, baseline, samples, report.bandwidth_mbit_s);
    if (figures.ok()) {
      report.codecs.push_back(*std::move(figures));
    } else if (figures.error().kind == ErrorKind::kUnsupported) {
      report.warnings.push_back(codec_name(codec) + ": " + figures.error().message);
    } else {
      return std::move(figures).error();
    }
  }
  if (options.data.empty()) {
    report.warnings.emplace_back(
        "the inputs are random; agreement on real ones may be better or worse, see --data");
  }
  choose(report);
  return report;
}

}  // namespace edgewright
