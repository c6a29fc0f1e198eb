#include "api/serve/model_opener.h"

#include <filesystem>

#include "api/language_open.h"
#include "api/open_backend.h"
#include "api/serve/relay_file.h"
#include "api/server_connection.h"
#include "base/file.h"
#include "serve/coded_half.h"
#include "serve/draft_checked_model.h"
#include "serve/language/partner_models.h"

namespace edgewright {
namespace {

Result<ServedPort> served_port(const Session::Port& port) {
  if (!port.type.is_tensor()) {
    return unsupported("'{}' is {}; only tensors are served", port.name, type_text(port.type));
  }
  ServedPort served{port.name, port.type.dtype, !port.type.shape.has_value(), {}};
  if (served.any_rank) return served;
  for (const Dim& dim : *port.type.shape) served.shape.push_back(dim.is_known() ? dim.value : -1);
  return served;
}

Result<std::vector<ServedPort>> served_ports(const std::vector<Session::Port>& ports) {
  std::vector<ServedPort> list;
  for (const Session::Port& port : ports) {
    EDGEWRIGHT_ASSIGN(ServedPort served, served_port(port));
    list.push_back(std::move(served));
  }
  return list;
}

class OpenedServedModel : public ServedModel {
 public:
  OpenedServedModel(OpenedModel model, std::vector<ServedPort> inputs,
                    std::vector<ServedPort> outputs)
      : model_(std::move(model)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return outputs_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const std::vector<Datum> data(inputs.begin(), inputs.end());
    EDGEWRIGHT_ASSIGN(const std::vector<Datum> results, model_->run(data));
    std::vector<Tensor> outputs;
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].is_tensor()) return unsupported("'{}' is no tensor", outputs_[i].name);
      // The engine takes an output's memory back when nobody holds it, which only its own thread
      // may find out.
      EDGEWRIGHT_ASSIGN(Tensor output, clone(results[i].tensor()));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

 private:
  OpenedModel model_;
  std::vector<ServedPort> inputs_, outputs_;
};

Result<LanguageParts> open_language(const std::string& path, int threads) {
  LanguageOptions options;
  options.threads = threads;
  ThreadPool pool(threads);
  EDGEWRIGHT_ASSIGN(PackedModel packed, open_packed_model(path, options, pool));
  LanguageParts parts;
  parts.model = std::make_shared<const PackedModel>(std::move(packed));
  EDGEWRIGHT_ASSIGN(parts.tokenizer,
                    open_tokenizer(parts.model->tokenizer, parts.model->config.vocabulary));
  if (parts.tokenizer->size() > parts.model->config.vocabulary) {
    return bad_input("the tokenizer has {} tokens, the model only {}", parts.tokenizer->size(),
                     parts.model->config.vocabulary);
  }
  return parts;
}

// Language models that are served as tensors, by their files' names.
using OpenLanguageAsTensors = Result<std::unique_ptr<ServedModel>> (*)(const LanguageParts& parts,
                                                                       int threads);
constexpr std::pair<std::string_view, OpenLanguageAsTensors> kTensorLanguageModels[] = {
    {"checker", draft_checked_model}, {"prompt", prompt_model}, {"layers", layers_model}};

Result<std::unique_ptr<ServedModel>> open_graph(const std::string& path, int threads) {
  InferenceOptions options;
  options.threads = threads;
  EDGEWRIGHT_ASSIGN(OpenedModel model, open_backend(path, options));
  EDGEWRIGHT_ASSIGN(std::vector<ServedPort> inputs, served_ports(model->inputs()));
  EDGEWRIGHT_ASSIGN(std::vector<ServedPort> outputs, served_ports(model->outputs()));
  return std::unique_ptr<ServedModel>(
      std::make_unique<OpenedServedModel>(std::move(model), std::move(inputs), std::move(outputs)));
}

// seal.key beside the model, or that of the whole repository; absent where there is neither.
Result<std::optional<SealKey>> seal_key_for(const std::filesystem::path& model) {
  constexpr size_t kMaxKeyBytes = 4096;
  const auto version = model.parent_path();
  const std::filesystem::path places[] = {version / "seal.key",
                                          version.parent_path().parent_path() / "seal.key"};
  for (const auto& place : places) {
    std::error_code error;
    if (!std::filesystem::exists(place, error)) continue;
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(place.string(), kMaxKeyBytes));
    auto key = parse_seal_key(text);
    if (!key.ok()) return std::move(key).error().at(place.string());
    return std::optional(*key);
  }
  return std::optional<SealKey>();
}

Result<std::unique_ptr<ServedModel>> open_relay(const std::filesystem::path& path, int threads) {
  EDGEWRIGHT_ASSIGN(const RelayFile relay,
                    read_relay_file((path.parent_path() / "relay.json").string()));
  ServerOptions next;
  next.url = relay.server;
  next.token_file = relay.token_file;
  EDGEWRIGHT_ASSIGN(const ServerConnection connection, ServerConnection::of(next));
  EDGEWRIGHT_ASSIGN(auto here, open_graph(path.string(), threads));
  return relay_model(std::move(here), relay.plan, [connection] { return connection.open(); });
}

Result<std::unique_ptr<ServedModel>> open_tensors(const std::string& path, int threads,
                                                  const std::shared_ptr<CodedStreams>& streams) {
  const std::filesystem::path file(path);
  for (const auto& [stem, open] : kTensorLanguageModels) {
    if (file.stem() != stem) continue;
    EDGEWRIGHT_ASSIGN(const LanguageParts parts, open_language(path, threads));
    return open(parts, threads);
  }
  if (file.filename() == "relay.onnx") return open_relay(file, threads);
  EDGEWRIGHT_ASSIGN(auto model, open_graph(path, threads));
  if (file.filename() != "coded.onnx") return model;
  EDGEWRIGHT_ASSIGN(const auto key, seal_key_for(file));
  return coded_half(std::move(model), streams, key);
}

}  // namespace

Result<ModelOpener> model_opener(const OpenerOptions& options) {
  std::function<void(const EnginePhase&)> on_phase;
  if (!options.phase_file.empty()) {
    EDGEWRIGHT_ASSIGN(on_phase, phase_file(options.phase_file));
  }
  StageCpus stages;
  if (!options.stages.empty()) {
    EDGEWRIGHT_ASSIGN(stages, parse_stages(options.stages));
  }
  const auto language = [on_phase, stages, options](const std::string& path,
                                                    int threads) -> Result<LanguageParts> {
    EDGEWRIGHT_ASSIGN(LanguageParts parts, open_language(path, threads));
    parts.on_phase = on_phase;
    if (!options.advice_file.empty()) parts.advice = advice_file(options.advice_file);
    parts.stages = stages;
    parts.ledger = options.ledger;
    return parts;
  };
  const auto tensors = [streams = std::make_shared<CodedStreams>()](const std::string& path,
                                                                    int threads) {
    return open_tensors(path, threads, streams);
  };
  return ModelOpener{tensors, language, options.ledger};
}

}  // namespace edgewright
