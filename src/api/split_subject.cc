#include "api/split_subject.h"

#include <algorithm>

#include "api/engine.h"
#include "api/host_roofs.h"
#include "api/open_backend.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "split/percentiles.h"
#include "split/profile_file.h"
#include "split/sweep.h"

namespace edgewright {
namespace {

constexpr std::string_view kTransformer = "transformer:";

// What a network may have: from a sensor's radio to a rack's cable.
constexpr double kLowestMbitPerS = 0.001, kHighestMbitPerS = 1e6;

bool is_trace(const std::string& link) { return link.ends_with(".up") || link.ends_with(".down"); }

Result<Link> link_of(const SplitOptions& options, SplitSubject& subject) {
  if (is_trace(options.link)) {
    EDGEWRIGHT_ASSIGN(subject.uplink, read_link_trace(options.link));
    Link link = plain_link(subject.uplink->mean_mbit_s(), options.latency_ms);
    link.name = options.link;
    link.source = "recorded";
    return link;
  }
  if (!options.link.empty()) return load_link(options.link);
  if (!options.bandwidth_mbit_s) {
    return usage_error(
        "the link is missing; give --link NAME, or --bandwidth-mbit-s and perhaps "
        "--latency-ms");
  }
  const double rate = *options.bandwidth_mbit_s;
  if (!(rate >= kLowestMbitPerS && rate <= kHighestMbitPerS) ||
      !(options.latency_ms >= 0 && options.latency_ms < 1e9)) {
    return usage_error("found {} Mbit/s and {} ms, expected {} to {} Mbit/s and at least 0 ms",
                       rate, options.latency_ms, kLowestMbitPerS, kHighestMbitPerS);
  }
  return plain_link(rate, options.latency_ms);
}

std::string link_text(const Link& link) {
  return fmt::format(
      "link {}: {:.4g} Mbit/s up, {:.4g} down (10^6 bits), {:.4g} ms once for a request", link.name,
      link.uplink.effective_mbit_s(), link.downlink.effective_mbit_s(), round_trip_ms(link));
}

struct Tiers {
  std::vector<TierSpeed> speeds;
  std::vector<SplitHop> hops;
};

// "host": this machine, measured.
Result<TierSpeed> speed_of_tier(const std::string& text, const SplitOptions& options) {
  if (text != "host") return tier_speed(text);
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  return speed_of(roofs);
}

Result<Tiers> tiers_of(const SplitOptions& options, const Link& last_link, SplitSubject& subject) {
  if (options.device.empty() || options.server.empty()) {
    return usage_error("a model needs --device and --server, for example 50GFLOP/s");
  }
  Tiers tiers;
  EDGEWRIGHT_ASSIGN(tiers.speeds.emplace_back(), speed_of_tier(options.device, options));
  for (const std::string& tier : options.tiers) {
    const std::string text = without_address(tier).text;
    const size_t at = text.rfind('@');
    if (at == std::string::npos) {
      return usage_error("found --tier {}, expected SPEED@LINK, for example 5TFLOP/s@wifi6", text);
    }
    EDGEWRIGHT_ASSIGN(tiers.speeds.emplace_back(), speed_of_tier(text.substr(0, at), options));
    EDGEWRIGHT_ASSIGN(const Link link, load_link(text.substr(at + 1)));
    if (tiers.hops.empty()) subject.link = link;
    tiers.hops.push_back(hop_of(link));
    subject.assumptions.push_back(link_text(link));
  }
  if (tiers.hops.empty()) subject.link = last_link;
  EDGEWRIGHT_ASSIGN(tiers.speeds.emplace_back(),
                    speed_of_tier(without_address(options.server).text, options));
  tiers.hops.push_back(hop_of(last_link));
  for (size_t i = 0; i < tiers.speeds.size(); ++i) {
    subject.assumptions.push_back(
        fmt::format("tier {}: {}; {}", i, tiers.speeds[i].name,
                    tiers.speeds[i].roofs && subject.graph_work
                        ? "layers as the cost model predicts"
                        : "a layer takes the larger of its arithmetic and its memory traffic"));
  }
  return tiers;
}

Status load_work(const SplitOptions& options, SplitSubject& subject, SplitWork& work) {
  if (options.model.starts_with(kTransformer)) {
    EDGEWRIGHT_ASSIGN(
        work, transformer_work(std::string_view(options.model).substr(kTransformer.size())));
    return {};
  }
  EDGEWRIGHT_ASSIGN(subject.model, model_to_cut(options.model, options.shapes));
  EDGEWRIGHT_ASSIGN(subject.graph_work, graph_work(*subject.model->graph));
  work = subject.graph_work->work;
  double flops = 0;
  for (const LayerWork& layer : work.layers) flops += layer.flops;
  work.assumptions.push_back(
      fmt::format("{}: {} layers after optimisation, {:.4g} GFLOP (a multiply-add is two)",
                  options.model, work.layers.size() - 1, flops / 1e9));
  return {};
}

Status set_sent_sizes(const SplitOptions& options, SplitWork& work) {
  if (options.sent_bits < 0 || options.sent_bits > 32) {
    return usage_error("found --sent-bits {}, expected 1 to 32", options.sent_bits);
  }
  for (SplitTensor& tensor : work.tensors) {
    if (tensor.producer == 0) {
      EDGEWRIGHT_ASSIGN(tensor.size_bytes,
                        input_bytes(options.input_as, tensor.size_bytes / 4, tensor.size_bytes));
    } else if (options.sent_bits > 0) {
      tensor.size_bytes *= options.sent_bits / 32;
    }
  }
  work.assumptions.push_back(fmt::format("input sent as {}", options.input_as));
  if (options.sent_bits > 0) {
    work.assumptions.push_back(
        fmt::format("activations sent with {:g} of 32 bits; coding takes no "
                    "time",
                    options.sent_bits));
  }
  return {};
}

}  // namespace

Status add_fixed_inputs(const Graph& graph, std::vector<std::string>& names,
                        std::vector<Dims>& dims) {
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    const auto known = input->type.shape ? known_dims(*input->type.shape) : std::nullopt;
    if (!known) {
      return unsupported("input '{}' has type {}; fix its shape with --shape", input->name,
                         type_text(input->type));
    }
    names.push_back(input->name);
    dims.push_back(*known);
  }
  return {};
}

AddressedText without_address(const std::string& text) {
  for (const char* scheme : {"@http://", "@https://", "@grpc://", "@grpcs://"}) {
    const size_t at = text.find(scheme);
    if (at != std::string::npos) return {text.substr(0, at), text.substr(at + 1)};
  }
  return {text, ""};
}

Result<Model> model_to_cut(const std::string& path, const InputShapes& shapes) {
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  InputShapes fixed = shapes;
  // An open dimension is nearly always the batch: one request at a time.
  for (const Value* input : model.graph->inputs()) {
    if (input->is_constant() || !input->type.shape || fixed.contains(input->name)) continue;
    Dims dims;
    for (const Dim& dim : *input->type.shape) dims.push_back(dim.is_known() ? dim.value : 1);
    fixed[input->name] = dims;
  }
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, fixed));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  EDGEWRIGHT_TRY(optimise_model(model, {}));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  return model;
}

Result<SplitSubject> split_subject(const SplitOptions& options) {
  if (options.profile.empty() == options.model.empty()) {
    return usage_error("give a MODEL, or --profile FILE.csv, and not both");
  }
  SplitSubject subject;
  EDGEWRIGHT_ASSIGN(const Link link, link_of(options, subject));
  if (!options.profile.empty()) {
    EDGEWRIGHT_ASSIGN(subject.problem, read_profile_file(options.profile));
    subject.link = link;
    subject.problem.hops[0] = hop_of(link);
    subject.assumptions.push_back(
        fmt::format("times and sizes: as measured in {}; 1 MB is 10^6 bytes", options.profile));
  } else {
    SplitWork work;
    EDGEWRIGHT_TRY(load_work(options, subject, work));
    EDGEWRIGHT_TRY(set_sent_sizes(options, work));
    subject.assumptions = work.assumptions;
    EDGEWRIGHT_ASSIGN(const Tiers tiers, tiers_of(options, link, subject));
    if (subject.graph_work) {
      subject.graph_work->work = std::move(work);
      subject.problem = timed(*subject.model->graph, *subject.graph_work, tiers.speeds, tiers.hops);
    } else {
      subject.problem = timed(work, tiers.speeds, tiers.hops);
    }
  }
  subject.assumptions.push_back(link_text(link));
  subject.problem.server_price_per_us = options.server_price_per_hour / 3.6e9;
  return subject;
}

}  // namespace edgewright
