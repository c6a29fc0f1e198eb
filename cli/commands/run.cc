#include "command.h"
#include "edgewright/session.h"
#include "edgewright/tensor.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, output = ".";
  std::vector<std::string> inputs;
  InferenceOptions session;
};

Result<Outcome> run_model(const Options& options) {
  EDGEWRIGHT_ASSIGN(const auto files, parse_pairs(options.inputs, "--input"));
  TensorMap inputs;
  for (const auto& [name, file] : files) {
    EDGEWRIGHT_ASSIGN(inputs[name], load_npy(file));
  }
  EDGEWRIGHT_ASSIGN(InferenceSession session,
                    InferenceSession::open(options.model, options.session));
  EDGEWRIGHT_ASSIGN(const TensorMap outputs, session.run(inputs));
  std::vector<RunOutput> written;
  Outcome outcome;
  for (const auto& [name, tensor] : outputs) {
    EDGEWRIGHT_ASSIGN(const std::string file, save_output(options.output, name, tensor));
    written.push_back({name, std::string(dtype_name(tensor.dtype())), file, tensor.dims()});
    outcome.text += fmt::format("{}: {}[{}] -> {}\n", name, dtype_name(tensor.dtype()),
                                fmt::join(tensor.dims(), ","), file);
  }
  outcome.text += warnings_text(session.warnings());
  outcome.json = run_to_json(written, options.session.backend, session.warnings());
  return outcome;
}

}  // namespace

Action declare_run(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "an ONNX model or a plan")->required();
  app.add_option("--input", options->inputs, "an input's value")->type_name("NAME=FILE.npy");
  app.add_option("-o,--output", options->output, "folder for the outputs");
  app.add_option("--backend", options->session.backend, kBackendHelp);
  return [options, &common] {
    options->session.threads = common.threads;
    options->session.openvino_library = openvino_library();
    return run_model(*options);
  };
}

}  // namespace edgewright::cli
