#include "api/split_tiers.h"

#include <algorithm>
#include <filesystem>

#include "api/serve/relay_file.h"
#include "api/server_half.h"
#include "base/file.h"
#include "formats/onnx/onnx.h"
#include "split/halves.h"

namespace edgewright {
namespace {

using Names = std::vector<std::string>;
constexpr const char* kDefaultServer = "http://127.0.0.1:8000";

bool has(const Names& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// The last layer that runs on each tier or before it.
std::vector<size_t> ends_of(const Placement& placement, size_t tiers) {
  std::vector<size_t> ends(tiers, 0);
  for (size_t layer = 0; layer < placement.size(); ++layer) {
    for (size_t tier = placement[layer]; tier < tiers; ++tier) {
      ends[tier] = std::max(ends[tier], layer);
    }
  }
  return ends;
}

class TierWriter {
 public:
  TierWriter(const SplitSubject& subject, const SplitOptions& options, HalfNames names,
             Placement placement)
      : subject_(subject),
        options_(options),
        names_(std::move(names)),
        placement_(std::move(placement)),
        last_(*std::ranges::max_element(placement_)) {}

  Status write(SplitReport& report) const {
    for (size_t tier = 1; tier <= last_; ++tier) {
      const std::string folder =
          (std::filesystem::path(options_.output) / fmt::format("tier{}", tier)).string();
      EDGEWRIGHT_TRY(tier == last_ ? write_last(folder, report)
                                   : write_relay(tier, folder, report));
      EDGEWRIGHT_ASSIGN(const auto files, write_echo_model(folder));
      report.files.insert(report.files.end(), files.begin(), files.end());
    }
    return {};
  }

 private:
  const std::vector<SplitLayer>& layers() const { return subject_.problem.layers; }
  const SplitWork& work() const { return subject_.graph_work->work; }

  // Values that go from a tier to the next; `inputs`: those of the model, else those that are made.
  Names crossing(size_t hop, bool inputs) const {
    Names names;
    for (const SplitTensor& tensor : work().tensors) {
      const bool crosses = placement_[tensor.producer] <= hop &&
                           std::ranges::any_of(tensor.consumers, [&](size_t layer) {
                             return placement_[layer] > hop;
                           });
      if (crosses && (tensor.producer == 0) == inputs) names.push_back(tensor.name);
    }
    return names;
  }

  // Outputs of the model that a tier makes.
  Names outputs_at(size_t tier) const {
    Names names;
    for (const Value* output : subject_.model->graph->outputs()) {
      size_t made_at = 0;
      for (size_t layer = 1; layer < placement_.size(); ++layer) {
        if (subject_.graph_work->nodes[layer] == output->producer) made_at = placement_[layer];
      }
      if (made_at == tier) names.push_back(output->name);
    }
    return names;
  }

  // The half's name is that of the last layer before it.
  std::string name_at(size_t tier) const {
    size_t end = 0;
    for (size_t layer = 0; layer < placement_.size(); ++layer) {
      if (placement_[layer] < tier) end = layer;
    }
    return names_.at(end == 0 ? "input" : layers()[end].name);
  }

  Model part(size_t tier) const {
    Names gives;
    if (tier < last_) {
      const Names before = crossing(tier - 1, false);
      for (const std::string& name : crossing(tier, false)) {
        if (!has(before, name)) gives.push_back(name);
      }
    }
    for (const std::string& name : outputs_at(tier)) {
      if (!has(gives, name)) gives.push_back(name);
    }
    return model_part(*subject_.model, crossing(tier - 1, false), gives);
  }

  Status write_last(const std::string& folder, SplitReport& report) const {
    EDGEWRIGHT_ASSIGN(const auto files, write_to_repository(part(last_), name_at(last_), folder));
    report.files.insert(report.files.end(), files.begin(), files.end());
    return {};
  }

  std::string address_after(size_t tier) const {
    const std::string& text = tier < options_.tiers.size() ? options_.tiers[tier] : options_.server;
    const std::string url = without_address(text).url;
    return url.empty() ? kDefaultServer : url;
  }

  Result<RelayFile> relay_of(size_t tier, const Model& here) const {
    RelayFile relay;
    relay.server = address_after(tier);
    relay.plan.next_model = name_at(tier + 1);
    relay.plan.sends = crossing(tier, true);
    const Names made = crossing(tier, false);
    relay.plan.sends.insert(relay.plan.sends.end(), made.begin(), made.end());
    for (const std::string& name : relay.plan.sends) {
      const auto is_it = [&name](const Value* value) { return value->name == name; };
      if (std::ranges::any_of(here.graph->inputs(), is_it) ||
          std::ranges::any_of(here.graph->outputs(), is_it)) {
        continue;
      }
      EDGEWRIGHT_ASSIGN(relay.plan.passed.emplace_back(),
                        served_port_of(*subject_.model->graph->find_value(name)));
    }
    for (size_t later = tier; later <= last_; ++later) {
      for (const std::string& name : outputs_at(later)) {
        EDGEWRIGHT_ASSIGN(relay.plan.outputs.emplace_back(),
                          served_port_of(*subject_.model->graph->find_value(name)));
      }
    }
    return relay;
  }

  Status write_relay(size_t tier, const std::string& folder, SplitReport& report) const {
    const Model here = part(tier);
    const auto place = std::filesystem::path(folder) / name_at(tier) / "1";
    std::error_code error;
    std::filesystem::create_directories(place, error);
    if (error) return usage_error("cannot make the folder {}: {}", place.string(), error.message());
    EDGEWRIGHT_ASSIGN(const RelayFile relay, relay_of(tier, here));
    for (const char* name : {"relay.onnx", "relay.json"}) {
      report.files.push_back((place / name).string());
    }
    EDGEWRIGHT_TRY(export_onnx(here, (place / "relay.onnx").string()));
    return write_file((place / "relay.json").string(), relay_text(relay));
  }

  const SplitSubject& subject_;
  const SplitOptions& options_;
  HalfNames names_;
  Placement placement_;
  size_t last_;
};

}  // namespace

Status write_tiers(const SplitSubject& subject, const SplitOptions& options,
                   const Placement& placement, SplitReport& report) {
  if (!subject.model) return usage_error("--output needs an ONNX model to cut");
  const size_t tiers = subject.problem.tiers();
  const std::vector<size_t> ends = ends_of(placement, tiers);
  const std::vector<size_t> inner(ends.begin(), ends.end() - 1);
  for (size_t tier = 1; tier < tiers; ++tier) {
    if (ends[tier] > ends[tier - 1]) continue;
    return usage_error(
        "the best plan ends at {} and leaves tier {} without work; leave that tier out to write "
        "what the others need",
        report.best.cut, tier);
  }
  std::vector<size_t> firsts = inner;
  for (size_t& first : firsts) ++first;
  const Placement linear = linear_placement(placement.size(), firsts);
  if (linear != placement) {
    report.warnings.emplace_back(
        "the best plan does not cut the layers in their order; what was written is the nearest one "
        "that does");
  }
  EDGEWRIGHT_ASSIGN(HalfNames names, HalfNames::of(options.model));
  return TierWriter(subject, options, std::move(names), linear).write(report);
}

}  // namespace edgewright
