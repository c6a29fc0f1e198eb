#include "verify/compare.h"

#include <unordered_map>

namespace edgewright {
namespace {

struct Entry {
  std::string name;
  DifferenceGatherer gatherer;
  std::string problem;

  void add(const Datum& reference, const Datum& candidate) {
    if (auto status = gatherer.add(reference, candidate); !status.ok() && problem.empty()) {
      problem = status.error().message;
    }
  }
  NamedDifference finish() const { return {name, gatherer.difference(), problem}; }
};

bool accepted(const NamedDifference& entry, const Tolerance& tolerance) {
  return entry.problem.empty() && tolerance.accepts(entry.difference);
}

// The layers that both sides show, in the order in which the candidate made them first.
class LayerTable {
 public:
  void add_reference(const std::string& name, const Datum& datum) { reference_[name] = datum; }

  void add_candidate(const std::string& name, const Datum& datum) {
    const auto it = reference_.find(name);
    if (it == reference_.end()) return;
    const auto [at, fresh] = index_.try_emplace(name, entries_.size());
    if (fresh) entries_.push_back({name, {}, {}});
    entries_[at->second].add(it->second, datum);
    reference_.erase(it);
  }

  void next_sample() { reference_.clear(); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
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
  for (const std::string& name : names) outputs.push_back({name, {}, {}});
  LayerTable layers;
  size_t done = 0;
  for (const auto& sample : samples) {
    Subject::Observer keep, match;
    if (options.layers) {
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
    if (options.progress) options.progress("verify", ++done, samples.size());
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
