#include "verify/compare.h"

#include <algorithm>
#include <unordered_map>

namespace edgewright {
namespace {

// Distributions of inner values are kept small: there are hundreds of them.
constexpr size_t kLayerSample = size_t{1} << 12;

struct Entry {
  std::string name;
  DifferenceGatherer gatherer;
  std::optional<DistributionGatherer> distribution;
  std::string problem;

  void add(const Datum& reference, const Datum& candidate) {
    if (auto status = gatherer.add(reference, candidate); !status.ok()) {
      if (problem.empty()) problem = status.error().message;
    } else if (distribution && reference.is_tensor()) {
      distribution->add(reference.tensor(), candidate.tensor());
    }
  }
  NamedDifference finish() const {
    NamedDifference result{name, gatherer.difference(), problem, {}, {}};
    if (distribution) {
      result.shift = distribution->shift();
      result.errors = distribution->errors();
    }
    return result;
  }
};

bool accepted(const NamedDifference& entry, const Tolerance& tolerance) {
  return entry.problem.empty() && tolerance.accepts(entry.difference);
}

// The datum in memory of its own: engines show values where they lie, for the moment of the call.
// Texts, sequences and maps own their memory already.
Datum kept(const Datum& datum) {
  if (!datum.is_tensor() || datum.tensor().dtype() == DType::kString) return datum;
  const Tensor& tensor = datum.tensor();
  auto copy = Tensor::allocate_uninitialised(tensor.dtype(), tensor.dims());
  if (!copy.ok()) return {};
  std::copy_n(tensor.bytes(), tensor.size_bytes(), copy->mutable_bytes());
  return Datum(*std::move(copy));
}

// The layers that both sides show, in the order in which the candidate made them first.
class LayerTable {
 public:
  explicit LayerTable(bool distributions) : distributions_(distributions) {}

  void add_reference(const std::string& name, const Datum& datum) {
    reference_[name] = kept(datum);
  }

  void add_candidate(const std::string& name, const Datum& datum) {
    const auto it = reference_.find(name);
    if (it == reference_.end()) return;
    const auto [at, fresh] = index_.try_emplace(name, entries_.size());
    if (fresh) {
      entries_.push_back({name, {}, std::nullopt, {}});
      if (distributions_) entries_.back().distribution.emplace(kLayerSample);
    }
    entries_[at->second].add(it->second, datum);
    reference_.erase(it);
  }

  void next_sample() { reference_.clear(); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  bool distributions_;
  std::unordered_map<std::string, Datum> reference_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<Entry> entries_;
};

}  // namespace

Result<Comparison> compare(Subject& reference, Subject& candidate,
                           const std::vector<std::vector<Datum>>& samples,
                           const CompareOptions& options) {
  const auto names = reference.output_names();
  if (candidate.output_names().size() != names.size()) {
    return bad_input("the candidate has {} outputs, the reference {}",
                     candidate.output_names().size(), names.size());
  }
  std::vector<Entry> outputs;
  outputs.reserve(names.size());
  for (const std::string& name : names) {
    outputs.push_back({name, {}, std::nullopt, {}});
    if (options.distributions) outputs.back().distribution.emplace();
  }
  LayerTable layers(options.distributions);
  size_t done = 0;
  for (const auto& sample : samples) {
    Subject::Observer keep, match;
    if (options.layers && done < options.layer_samples) {
      keep = [&](const std::string& name, const Datum& datum) {
        layers.add_reference(name, datum);
      };
      match = [&](const std::string& name, const Datum& datum) {
        layers.add_candidate(name, datum);
      };
    }
    auto expected = reference.run(sample, keep);
    if (!expected.ok()) return std::move(expected).error().at("the reference");
    auto found = candidate.run(sample, match);
    if (!found.ok()) return std::move(found).error().at("the candidate");
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].add((*expected)[i], (*found)[i]);
    layers.next_sample();
    if (options.on_outputs) EDGEWRIGHT_TRY(options.on_outputs(done, *expected, *found));
    ++done;
    if (options.progress) options.progress("verify", done, samples.size());
  }
  Comparison comparison;
  comparison.samples = samples.size();
  comparison.passed = true;
  for (const Entry& entry : layers.entries()) {
    comparison.layers.push_back(entry.finish());
    if (!comparison.first_divergence &&
        !accepted(comparison.layers.back(), options.layer_tolerance)) {
      comparison.first_divergence = entry.name;
    }
  }
  for (const Entry& entry : outputs) {
    comparison.outputs.push_back(entry.finish());
    comparison.passed = comparison.passed && accepted(comparison.outputs.back(), options.tolerance);
  }
  return comparison;
}

}  // namespace edgewright
