#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

#include "api/cut_model.h"
#include "api/server_connection.h"
#include "api/shared_model.h"
#include "base/clock.h"
#include "edgewright/serve.h"
#include "serve/link_probe.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// One of the two.
struct Party {
  std::unique_ptr<InferenceClient> client;
  std::string url;
  std::mt19937_64 random;  // of the waits between tries only
};

struct Machine {
  SharedModel model;
  std::vector<OpenedModel> stages;  // before each layer, then the last; without session: nothing
  Party first, second;
  CutSamples samples;
  std::vector<std::vector<double>> layer_us;
};

Result<OpenedModel> open_stage(const std::string& folder, const std::string& file, int threads) {
  if (file.empty()) return OpenedModel{};
  InferenceOptions options;
  options.threads = threads;
  return open_backend((std::filesystem::path(folder) / file).string(), options);
}

Result<Party> open_party(const SecretRunOptions& options, const std::string& url,
                         const std::string& token_file) {
  Party party;
  party.url = url;
  party.random.seed(options.seed);
  EDGEWRIGHT_ASSIGN(const ServerConnection connection,
                    ServerConnection::of({url, token_file, options.authorities}));
  EDGEWRIGHT_ASSIGN(party.client, connection.open());
  return party;
}

// Both servers must have their share of every layer, of this sharing and of this size.
Status check_party(Party& party, const SharedModel& model, bool is_first) {
  constexpr double kSetUpUs = 30e6;
  for (const SharedLayer& layer : model.layers) {
    const std::string& name = is_first ? layer.first_model : layer.second_model;
    auto metadata = party.client->model(name, "", deadline_in(kSetUpUs));
    if (!metadata.ok()) {
      return std::move(metadata).error().at(
          fmt::format("{} needs the repository {} of the same split share", party.url,
                      is_first ? "first" : "second"));
    }
    const auto it = std::ranges::find(metadata->inputs, "product", &oip::TensorMetadata::name);
    const std::vector<int64_t> expected = {static_cast<int64_t>(layer.rows),
                                           static_cast<int64_t>(layer.positions)};
    if (it == metadata->inputs.end() || it->shape != expected || it->datatype != "UINT64") {
      return unsupported("{}: model {} is no share of layer {}", party.url, name, layer.name);
    }
  }
  return {};
}

Result<Ring> ask(Party& party, const std::string& model, const SharedLayer& layer, const Ring& mask,
                 const Ring& difference, const Ring& product, InferenceClient::Deadline deadline) {
  oip::InferRequest request;
  request.model = model;
  const auto add = [&](const char* name, Dims dims, const Ring& values) {
    request.inputs.push_back({name, Tensor::of<uint64_t>(std::move(dims), values), {}, true});
  };
  const Dims results = {static_cast<int64_t>(layer.rows), static_cast<int64_t>(layer.positions)};
  add("mask", {std::ssize(mask)}, mask);
  add("difference", {std::ssize(difference)}, difference);
  add("product", results, product);
  oip::RequestedOutput& output = request.outputs.emplace_back();
  output.name = "share";
  output.binary = true;
  const RemoteAnswer answer =
      infer_with_retries(*party.client, request, deadline, RetryPolicy{}, party.random);
  if (!answer.ok()) return check_failed("{}: {}", party.url, answer.message);
  const auto& outputs = answer.response.outputs;
  if (outputs.size() != 1 || outputs[0].tensor.dtype() != DType::kUint64 ||
      outputs[0].tensor.dims() != results) {
    return bad_input("{}: found no share of {} x {} numbers in the answer", party.url, layer.rows,
                     layer.positions);
  }
  const auto values = outputs[0].tensor.elements<uint64_t>();
  return Ring(values.begin(), values.end());
}

Result<Tensor> compute_layer(Machine& machine, const SharedLayer& layer, const OneTimeMask& mask,
                             const Tensor& input, InferenceClient::Deadline deadline) {
  if (input.dtype() != DType::kFloat32 || input.dims() != layer.input_dims) {
    return bad_input("layer {} takes float32{}, found {}{}", layer.name,
                     dims_text(layer.input_dims), dtype_name(input.dtype()),
                     dims_text(input.dims()));
  }
  auto request = mask_input(input.elements<float>(), mask.key, mask.second_product.size(),
                            machine.model.fraction_bits, layer.largest_value);
  if (!request.ok()) return std::move(request).error().at(layer.name);
  auto first = std::async(std::launch::async, [&] {
    return ask(machine.first, layer.first_model, layer, request->first_mask, request->difference,
               request->first_product, deadline);
  });
  const auto second = ask(machine.second, layer.second_model, layer, request->second_mask,
                          request->difference, mask.second_product, deadline);
  const auto answered = first.get();
  if (!answered.ok()) return answered.error();
  if (!second.ok()) return second.error();
  return Tensor::of<float>(
      layer.output_dims,
      unmask_output(*answered, *second, layer.bias, layer.rows_last, machine.model.fraction_bits));
}

Status run_stage(OpenedModel& stage, TensorMap& values) {
  if (!stage.session) return {};
  EDGEWRIGHT_ASSIGN(TensorMap made, run_opened(stage, values));
  values.merge(made);
  return {};
}

Result<TensorMap> run_request(Machine& machine, const std::vector<OneTimeMask>& masks,
                              const TensorMap& inputs, InferenceClient::Deadline deadline) {
  TensorMap values = inputs;
  const SharedModel& model = machine.model;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const SharedLayer& layer = model.layers[i];
    EDGEWRIGHT_TRY(run_stage(machine.stages[i], values));
    if (!values.contains(layer.input)) return bad_input("nothing makes '{}'", layer.input);
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(values[layer.output],
                      compute_layer(machine, layer, masks[i], values.at(layer.input), deadline));
    machine.layer_us[i].push_back(microseconds_since(start));
  }
  EDGEWRIGHT_TRY(run_stage(machine.stages.back(), values));
  TensorMap outputs;
  for (const std::string& name : model.outputs) {
    if (!values.contains(name)) return bad_input("nothing makes the output '{}'", name);
    outputs[name] = values.at(name);
  }
  return outputs;
}

Result<Machine> open_machine(const SecretRunOptions& options) {
  Machine machine;
  EDGEWRIGHT_ASSIGN(machine.model, read_shared_model(options.device));
  for (const SharedLayer& layer : machine.model.layers) {
    EDGEWRIGHT_ASSIGN(machine.stages.emplace_back(),
                      open_stage(options.device, layer.stage, options.threads));
  }
  EDGEWRIGHT_ASSIGN(machine.stages.emplace_back(),
                    open_stage(options.device, machine.model.last_stage, options.threads));
  machine.layer_us.resize(machine.model.layers.size());
  EDGEWRIGHT_ASSIGN(machine.samples,
                    input_samples(machine.model.inputs, machine.model.input_dims, options.data,
                                  static_cast<size_t>(options.requests), options.seed));
  EDGEWRIGHT_ASSIGN(machine.first,
                    open_party(options, options.first_url, options.first_token_file));
  EDGEWRIGHT_ASSIGN(machine.second,
                    open_party(options, options.second_url, options.second_token_file));
  EDGEWRIGHT_TRY(check_party(machine.first, machine.model, true));
  EDGEWRIGHT_TRY(check_party(machine.second, machine.model, false));
  return machine;
}

std::string host_of(const std::string& url) {
  const size_t begin = url.find("://");
  const size_t host = begin == std::string::npos ? 0 : begin + 3;
  return url.substr(host, url.rfind(':') - host);
}

void warn(const SecretRunOptions& options, SecretRunReport& report) {
  const auto is_sealed = [](const std::string& url) {
    return url.starts_with("https://") || url.starts_with("grpcs://");
  };
  if (!is_sealed(options.first_url) && !is_sealed(options.second_url)) {
    report.warnings.emplace_back(
        "neither connection is encrypted: who listens to both learns the inputs; use https or "
        "grpcs");
  }
  if (host_of(options.first_url) == host_of(options.second_url)) {
    report.warnings.emplace_back(
        "both servers are on one host: who runs it can put both views together");
  }
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void fill_layers(const Machine& machine, SecretRunReport& report) {
  for (size_t i = 0; i < machine.model.layers.size(); ++i) {
    const SharedLayer& layer = machine.model.layers[i];
    const auto inputs = checked_element_count(layer.input_dims);
    const auto results = static_cast<double>(layer.rows * layer.positions);
    const double sent = 2 * 8 * (2 * static_cast<double>(inputs.ok() ? *inputs : 0) + results);
    report.layers.push_back({layer.name, median(machine.layer_us[i]), sent, 2 * 8 * results});
  }
}

}  // namespace

Result<SecretRunReport> run_secret(const SecretRunOptions& options) {
  if (options.requests < 1 || options.requests > 1000000 || !(options.deadline_ms > 0)) {
    return usage_error("expected 1 to 1000000 requests and a deadline above 0");
  }
  if (options.first_url == options.second_url) {
    return usage_error("both addresses are {}: one server that has both shares learns everything",
                       options.first_url);
  }
  EDGEWRIGHT_ASSIGN(Machine machine, open_machine(options));
  EDGEWRIGHT_ASSIGN(MaskFile masks,
                    MaskFile::open(mask_file_path(options.device), machine.model.result_sizes()));
  SecretRunReport report;
  report.requests = options.requests;
  EDGEWRIGHT_ASSIGN(const uint64_t begin, masks.take(static_cast<uint64_t>(options.requests)));
  std::vector<double> times;
  TensorMap outputs;
  for (int64_t i = 0; i < options.requests; ++i) {
    EDGEWRIGHT_ASSIGN(const auto drawn, masks.read(begin + static_cast<uint64_t>(i)));
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(
        outputs,
        run_request(machine, drawn,
                    machine.samples.inputs[static_cast<size_t>(i) % machine.samples.inputs.size()],
                    deadline_in(1e3 * options.deadline_ms)));
    times.push_back(microseconds_since(start));
  }
  report.latency_us = median(times);
  fill_layers(machine, report);
  EDGEWRIGHT_ASSIGN(report.requests_left, masks.left());
  warn(options, report);
  if (options.output.empty()) return report;
  for (const auto& [name, tensor] : outputs) {
    EDGEWRIGHT_ASSIGN(const std::string file, save_output(options.output, name, tensor));
    report.outputs.push_back({name, std::string(dtype_name(tensor.dtype())), file, tensor.dims()});
  }
  return report;
}

}  // namespace edgewright
