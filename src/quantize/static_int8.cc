#include "quantize/static_int8.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/file.h"

namespace edgewright {
namespace {

// A layer's own error is a mean over very many numbers: fewer samples settle it.
constexpr size_t kLayerSamples = 48;

struct Candidate {
  std::string name;
  QuantDecision decision;
  double error = 0;
};

// Orders by measured error; equal ones keep the order of the table.
void rank(std::vector<Candidate>& candidates) {
  std::ranges::stable_sort(candidates, {}, &Candidate::error);
}

class StaticSearch {
 public:
  StaticSearch(Graph& graph, SampleRunner& runner, const SampleSplit& split,
               const OutputReference& reference, const StaticOptions& options)
      : graph_(graph), runner_(runner), split_(split), reference_(reference), options_(options) {}

  Result<StaticResult> run() {
    result_.excluded = options_.excluded;
    result_.sites = find_sites(graph_, {options_.excluded, options_.chains, options_.outputs});
    if (result_.sites.layers.empty()) {
      return unsupported(
          "no layer can run in integers: expected Conv, ConvTranspose, MatMul or Gemm with "
          "constant "
          "float32 weights in the main graph; convert without --precision int8");
    }
    const auto start = std::chrono::steady_clock::now();
    EDGEWRIGHT_TRY(observe_all());
    for (const Calibrator& calibrator : calibrators()) {
      candidates_.push_back({std::string(calibrator.name), decision_of(calibrator), 0});
    }
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    result_.calibration_us = time.count();
    if (options_.calibrator == "auto") {
      EDGEWRIGHT_TRY(choose());
    } else {
      EDGEWRIGHT_TRY(take(options_.calibrator));
    }
    if (options_.correct_bias) EDGEWRIGHT_TRY(correct_bias());
    return std::move(result_);
  }

 private:
  Status observe_all() {
    if (!options_.cache.empty()) {
      auto cached = read_observations(options_.cache, options_.cache_key);
      if (cached.ok() && covers(*cached)) {
        observations_ = *std::move(cached);
        result_.choices.push_back({"calibration", "cache", "", "the cache file fits"});
        return {};
      }
      if (!cached.ok() && cached.error().kind != ErrorKind::kCheckFailed &&
          exists(cached.error())) {
        return std::move(cached).error();
      }
    }
    EDGEWRIGHT_ASSIGN(observations_,
                      observe(graph_, observed_values(result_.sites), runner_, split_.calibration,
                              options_.averaging_factor, options_.progress));
    if (options_.cache.empty()) return {};
    return write_observations(options_.cache, options_.cache_key, observations_);
  }

  // A file that is not there yet is made; one that is no cache is not overwritten.
  static bool exists(const Error& error) {
    return error.message.find("no calibration cache") != std::string::npos ||
           error.message.find("value '") != std::string::npos;
  }

  bool covers(const Observations& observations) const {
    return std::ranges::all_of(observed_values(result_.sites), [&](const std::string& name) {
      return observations.contains(name);
    });
  }

  QuantDecision decision_of(const Calibrator& calibrator) const {
    return decide(result_.sites, observations_, calibrator, options_.scheme, options_.calibration);
  }

  Status take(const std::string& name) {
    const Calibrator* calibrator = find_calibrator(name);
    if (calibrator == nullptr) {
      return usage_error(
          "found calibrator '{}', expected auto, min-max, moving-average, percentile, entropy or "
          "mse",
          name);
    }
    result_.decision = decision_of(*calibrator);
    EDGEWRIGHT_ASSIGN(result_.quality, simulated_quality(graph_, result_.decision, reference_));
    EDGEWRIGHT_ASSIGN(result_.layers, errors_of(result_.decision));
    result_.calibrator = name;
    result_.choices.push_back({"calibrator", name, "", "asked for"});
    return {};
  }

  Status choose() {
    std::vector<Candidate> candidates = candidates_;
    std::vector<std::map<std::string, LayerError>> errors;
    for (const Candidate& one : candidates) {
      EDGEWRIGHT_ASSIGN(auto layers, errors_of(one.decision));
      errors.push_back(std::move(layers));
      report("try calibrators", errors.size());
    }
    candidates.push_back({"per layer", mix(candidates, errors), 0});
    for (Candidate& one : candidates) {
      EDGEWRIGHT_ASSIGN(const OutputQuality quality,
                        simulated_quality(graph_, one.decision, reference_));
      one.error = quality.relative_l2;
    }
    rank(candidates);
    result_.decision = candidates[0].decision;
    result_.calibrator = candidates[0].name;
    EDGEWRIGHT_ASSIGN(result_.quality, simulated_quality(graph_, result_.decision, reference_));
    result_.choices.insert(
        result_.choices.begin(),
        {"calibrator", candidates[0].name, candidates[1].name,
         fmt::format(
             "relative L2 error of the outputs {:.4g} against {:.4g} on {} held-back samples",
             candidates[0].error, candidates[1].error, reference_.samples().size())});
    if (result_.calibrator != "per layer") take_as_whole();
    // Layer errors of the winner, for the report and the ranking of guilty layers.
    EDGEWRIGHT_ASSIGN(result_.layers, errors_of(result_.decision));
    return {};
  }

  // Where the model as a whole is nearer with one calibrator, its values take it too; what would be
  // best for each by itself stays in the report.
  void take_as_whole() {
    for (QuantChoice& one : result_.choices) {
      if (!one.what.starts_with("range of ") || one.chosen == result_.calibrator) continue;
      one.why =
          fmt::format("as the whole model; by itself {} would be best: {}", one.chosen, one.why);
      one.runner_up = std::exchange(one.chosen, result_.calibrator);
    }
  }

  Result<std::map<std::string, LayerError>> errors_of(const QuantDecision& decision) {
    const std::span<const size_t> samples = reference_.samples();
    return layer_errors(graph_, decision, runner_,
                        samples.first(std::min(samples.size(), kLayerSamples)));
  }

  void report(std::string_view stage, size_t done) const {
    if (options_.progress) options_.progress(stage, done, calibrators().size());
  }

  // For every point the calibrator with which the layers that read it are off least. Points that no
  // compute layer reads go by the rounding error of their own numbers.
  QuantDecision mix(const std::vector<Candidate>& candidates,
                    const std::vector<std::map<std::string, LayerError>>& errors) {
    QuantDecision mixed = candidates[0].decision;
    std::map<std::string, std::vector<std::string>> readers;
    for (const QuantLayer& layer : result_.sites.layers) {
      if (layer.role != QuantRole::kCompute) continue;
      for (const size_t i : layer.activations) {
        readers[layer.node->inputs[i]->name].push_back(layer.name());
      }
    }
    std::map<std::string, size_t> by_source;  // values that share a scale share the choice
    for (const QuantPoint& point : result_.sites.points) {
      const std::string& source = point.source->name;
      if (!by_source.contains(source)) {
        by_source[source] = choose_point(point, readers[point.value->name], candidates, errors);
      }
      const QuantDecision& chosen = candidates[by_source[source]].decision;
      mixed.activations[point.value->name] = chosen.activations.at(point.value->name);
    }
    return mixed;
  }

  size_t choose_point(const QuantPoint& point, const std::vector<std::string>& readers,
                      const std::vector<Candidate>& candidates,
                      const std::vector<std::map<std::string, LayerError>>& errors) {
    std::vector<std::pair<double, size_t>> ranking;
    for (size_t c = 0; c < candidates.size(); ++c) {
      double error = 0;
      for (const std::string& reader : readers) error += errors[c].at(reader).relative();
      if (readers.empty()) {
        const Histogram& seen = observations_.at(point.source->name);
        error = squared_error(seen, candidates[c].decision.activations.at(point.value->name));
      }
      ranking.emplace_back(error, c);
    }
    std::ranges::stable_sort(ranking, {}, &std::pair<double, size_t>::first);
    const auto& [best, second] = std::pair(ranking[0], ranking[1]);
    result_.choices.push_back(
        {"range of " + point.value->name, candidates[best.second].name,
         candidates[second.second].name,
         readers.empty()
             ? fmt::format("squared rounding error {:.4g} against {:.4g}", best.first, second.first)
             : fmt::format("relative error of {} {:.4g} against {:.4g} on held-back samples",
                           readers.size() == 1 ? "the layer" : "the layers", best.first,
                           second.first)});
    return best.second;
  }

  // Rounding shifts the mean of a channel; the bias takes that back (Nagel et al., "Data-free
  // quantization through weight equalization and bias correction", ICCV 2019, section 4.2, with
  // means measured on samples).
  Status correct_bias() {
    const size_t count = std::min<size_t>(split_.calibration.size(), 128);
    const std::span<const size_t> samples = std::span(split_.calibration).first(count);
    EDGEWRIGHT_ASSIGN(const auto errors, layer_errors(graph_, result_.decision, runner_, samples));
    QuantDecision corrected = result_.decision;
    for (const auto& [name, error] : errors) {
      auto& shift = corrected.bias_shift[name];
      for (const double x : error.shift) shift.push_back(static_cast<float>(x));
    }
    EDGEWRIGHT_ASSIGN(const OutputQuality quality,
                      simulated_quality(graph_, corrected, reference_));
    const double before = result_.quality.relative_l2;
    const bool better = measurably_better(quality, result_.quality);
    result_.choices.push_back(
        {"bias correction", better ? "kept" : "left out", better ? "left out" : "kept",
         fmt::format("relative L2 error of the outputs {:.4g} with it, {:.4g} without",
                     quality.relative_l2, before)});
    if (!better) return {};
    result_.decision = std::move(corrected);
    result_.quality = quality;
    return {};
  }

  Graph& graph_;
  SampleRunner& runner_;
  const SampleSplit& split_;
  const OutputReference& reference_;
  const StaticOptions& options_;
  Observations observations_;
  std::vector<Candidate> candidates_;  // one a calibrator
  StaticResult result_;
};

}  // namespace

SampleSplit split_samples(size_t count) {
  constexpr size_t kMaxHeldBack = 128;
  SampleSplit split;
  const size_t step = std::max<size_t>(4, (count + kMaxHeldBack - 1) / kMaxHeldBack);
  for (size_t i = 0; i < count; ++i) {
    (count >= 4 && i % step == step - 1 ? split.held_back : split.calibration).push_back(i);
  }
  if (split.held_back.empty()) split.held_back = split.calibration;
  return split;
}

Result<StaticResult> quantize_static(Graph& graph, SampleRunner& runner, const SampleSplit& split,
                                     const OutputReference& reference,
                                     const StaticOptions& options) {
  return StaticSearch(graph, runner, split, reference, options).run();
}

Result<OutputQuality> simulated_quality(const Graph& graph, const QuantDecision& decision,
                                        const OutputReference& reference) {
  const auto copy = clone(graph);
  EDGEWRIGHT_TRY(insert_qdq(*copy, decision, QdqForm::kSimulated));
  return reference.compare(*copy);
}

}  // namespace edgewright
