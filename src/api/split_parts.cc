#include "api/split_parts.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "api/median_time.h"
#include "api/split_subject.h"

namespace edgewright {
namespace {

Result<OpenedModel> open_part(const Model& model, int threads) {
  if (model.graph->nodes().empty()) return OpenedModel{};
  InferenceOptions options;
  options.threads = threads;
  return open_backend(clone(*model.graph), options);
}

double bytes_of(const NamedValues& values, const std::vector<std::string>& names) {
  double bytes = 0;
  for (const std::string& name : names) {
    const auto it = values.find(name);
    bytes += it == values.end() ? 0 : static_cast<double>(it->second.size_bytes());
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<SplitParts>> SplitParts::open(const std::string& path,
                                                     const Options& options) {
  auto parts = std::make_unique<SplitParts>();
  parts->options_ = options;
  EDGEWRIGHT_ASSIGN(parts->model_, model_to_cut(path, options.shapes));
  EDGEWRIGHT_ASSIGN(parts->work_, graph_work(*parts->model_.graph));
  for (const LayerWork& layer : parts->work_.work.layers) parts->layers_.push_back(layer.name);
  EDGEWRIGHT_TRY(add_fixed_inputs(*parts->model_.graph, parts->inputs_, parts->input_dims_));
  return parts;
}

Status SplitParts::add_cut(const std::string& name, const std::string& server_model,
                           const NamedValues& inputs) {
  RunnableCut cut;
  cut.times.name = name;
  cut.cut = name;
  cut.times.is_local = name == "output";
  cut.server_model = server_model;
  Part part;
  if (cut.times.is_local) {
    EDGEWRIGHT_ASSIGN(part.head, open_part(model_, options_.threads));
  } else {
    EDGEWRIGHT_ASSIGN(const Placement placement, placement_at(work_, name));
    EDGEWRIGHT_ASSIGN(ModelHalves halves, split_model(model_, work_, placement));
    if (halves.server.graph->nodes().empty()) {
      return usage_error("nothing is left for the server behind '{}'; cut earlier, or --cut output",
                         name);
    }
    EDGEWRIGHT_ASSIGN(part.head, open_part(halves.device, options_.threads));
    if (options_.fallback) {
      EDGEWRIGHT_ASSIGN(part.rest, open_part(halves.server, options_.threads));
    }
    cut.sent = halves.sent;
    cut.device_outputs = halves.device_outputs;
    cut.server_outputs = halves.server_outputs;
  }
  part_of_.push_back(parts_.size());
  parts_.push_back(std::move(part));
  cuts_.push_back(std::move(cut));
  accuracies_.emplace_back();
  samples_.clear();
  noise_ = {};
  return measure(cuts_.size() - 1, inputs);
}

Status SplitParts::measure(size_t index, const NamedValues& inputs) {
  RunnableCut& cut = cuts_[index];
  NamedValues made, rest;
  // Between two requests that are sent the device waits for the server: its cores sleep and its
  // caches cool.
  const auto pause = std::chrono::milliseconds(cut.times.is_local ? 0 : 4);
  const auto head = [&]() -> Status {
    EDGEWRIGHT_ASSIGN(made, run_head(index, inputs));
    return {};
  };
  EDGEWRIGHT_ASSIGN(cut.times.device_us, median_us(head, kEnoughUs, pause));
  if (cut.times.is_local) return {};
  for (const std::string& name : cut.sent) {
    cut.sample[name] = made.contains(name) ? made.at(name) : inputs.at(name);
  }
  cut.times.sent_bytes = bytes_of(cut.sample, cut.sent);
  if (!options_.fallback) return {};
  EDGEWRIGHT_ASSIGN(cut.times.rest_us, median_us([&]() -> Status {
                      EDGEWRIGHT_ASSIGN(rest, run_rest(index, cut.sample));
                      return {};
                    }));
  cut.times.result_bytes = bytes_of(rest, cut.server_outputs);
  return {};
}

Status SplitParts::take_samples(const std::vector<NamedValues>& inputs) {
  constexpr size_t kMostSamples = 100;
  const size_t plain = cuts_.size() - 1;
  for (size_t i = samples_.size(); i < std::min(inputs.size(), kMostSamples); ++i) {
    EDGEWRIGHT_ASSIGN(const NamedValues made, run_head(plain, inputs[i]));
    NamedValues& sent = samples_.emplace_back();
    for (const std::string& name : cuts_[plain].sent) {
      sent[name] = made.contains(name) ? made.at(name) : inputs[i].at(name);
    }
  }
  return {};
}

Result<WireAccuracy> SplitParts::accuracy_of(const SentForm& form) {
  constexpr double kEnoughSampleUs = 2e6;
  const size_t plain = cuts_.size() - 1;
  const SecondHalf rest = [&](const NamedTensors& sent) { return run_rest(plain, sent); };
  return wire_accuracy(form, samples_, rest, kEnoughSampleUs, noise_);
}

Status SplitParts::set_noise(const NoiseFor& noise, const std::vector<NamedValues>& inputs) {
  EDGEWRIGHT_TRY(take_samples(inputs));
  EDGEWRIGHT_ASSIGN(noise_, noise(cuts_.back(), samples_));
  if (!options_.fallback) return {};
  EDGEWRIGHT_ASSIGN(accuracies_.back(), accuracy_of({}));
  return {};
}

Result<bool> SplitParts::add_variant(const SentForm& form, std::shared_ptr<CodedSender> sender,
                                     const std::string& server_model,
                                     const std::vector<NamedValues>& inputs, double floor) {
  EDGEWRIGHT_TRY(take_samples(inputs));
  EDGEWRIGHT_ASSIGN(const WireAccuracy accuracy, accuracy_of(form));
  if (!noise_ && accuracy.agreement < floor) return false;
  RunnableCut cut = cuts_.back();
  cut.form = form;
  cut.sender = std::move(sender);
  cut.server_model = server_model;
  cut.times.name = fmt::format("{}+{}", cut.cut, sent_form_name(form));
  cut.times.device_us += accuracy.encode_us;
  cut.times.sent_bytes = accuracy.sent_bytes;
  // Before the plain one, which is still the last.
  cuts_.insert(cuts_.end() - 1, std::move(cut));
  accuracies_.insert(accuracies_.end() - 1, accuracy);
  part_of_.push_back(part_of_.back());
  return true;
}

void SplitParts::drop_plain() {
  cuts_.pop_back();
  accuracies_.pop_back();
  part_of_.pop_back();
  samples_.clear();
}

Status SplitParts::hide_samples(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (RunnableCut& cut : cuts_) {
    for (auto& [name, tensor] : cut.sample) {
      if (tensor.dtype() != DType::kFloat32) {
        EDGEWRIGHT_ASSIGN(tensor, Tensor::allocate(tensor.dtype(), tensor.dims()));
        continue;
      }
      std::vector<float> values(static_cast<size_t>(tensor.element_count()));
      std::ranges::generate(values, [&] { return normal(random); });
      tensor = Tensor::of<float>(tensor.dims(), values);
    }
  }
  return {};
}

Result<NamedValues> SplitParts::run_head(size_t cut, const NamedValues& inputs) {
  if (!parts_[part_of_[cut]].head.session) return NamedValues();
  return run_opened(parts_[part_of_[cut]].head, inputs);
}

Result<NamedValues> SplitParts::run_rest(size_t cut, const NamedValues& sent) {
  if (!parts_[part_of_[cut]].rest.session) {
    return usage_error("cut '{}' has no second half on this device", cuts_[cut].times.name);
  }
  return run_opened(parts_[part_of_[cut]].rest, sent);
}

}  // namespace edgewright
