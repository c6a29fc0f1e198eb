#include "edgewright/convert.h"
#include "edgewright/verify.h"
#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

struct InspectOptions {
  InputShapes shapes;
};

Keywords<ConvertOptions> convert_keywords() {
  using O = ConvertOptions;
  return {
      keyword<O>("to", &O::to, "the format; empty: from the output's ending"),
      keyword<O>("opset", &O::opset, "of an ONNX output; 0: the input's"),
      keyword<O>("dialect", &O::dialect, "\"standard\" or \"ort\""),
      keyword<O>("precision", &O::precision, "one of precision_names()"),
      keyword<O>("calibrate", &O::calibrate, "samples (.npz) for ranges and for judging choices"),
      keyword<O>("quantize", &O::quantize, "\"key=value\" details of the precision"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("fixes", &O::fixes, "input -> value (\"16000\", \"@file.npy\"): a constant then"),
      keyword<O>("disabled", &O::disabled, "passes to leave out"),
      keyword<O>("stop_after", &O::stop_after, "the last pass to run"),
      keyword<O>("verify", &O::verify, "compare with the original when done"),
      keyword<O>("verify_each_pass", &O::verify_each_pass, "and after every pass"),
      keyword<O>("lossy", &O::lossy, "passes that change results slightly, too"),
      keyword<O>("keep_initializer_inputs", &O::keep_initializer_inputs,
                 "inputs with a default stay inputs"),
      keyword<O>("force", &O::force, "write a result that misses its goals"),
      keyword<O>("tune", &O::tune, "plans: measure and choose the kernels of every layer"),
      keyword<O>("timing_cache", &O::timing_cache, "file that keeps measured times between runs"),
      keyword<O>("seed", &O::seed, "seed of everything random"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("progress", &O::progress, "called with stage, done, total"),
  };
}

Keywords<VerifyOptions> verify_keywords() {
  using O = VerifyOptions;
  return {
      keyword<O>("data", &O::data, ".npz or folder of .npy; empty: seeded random inputs"),
      keyword<O>("boundary", &O::boundary, "zeros, huge, denormal, NaN, adversarial inputs too"),
      keyword<O>("samples", &O::samples, "at most so many; 0: all of the data, or 4 seeded ones"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("relative_l2", &O::relative_l2, "bound of an output's relative L2 error"),
      keyword<O>("max_abs", &O::max_abs, "or of its largest absolute error"),
      keyword<O>("max_loss", &O::max_loss, "points that a task metric may lose"),
      keyword<O>("derivatives", &O::derivatives, "compare directional derivatives too"),
      keyword<O>("bisect", &O::bisect, "find the layers to blame"),
      keyword<O>("pareto", &O::pareto, "more candidates to weigh against each other"),
      keyword<O>("layers", &O::layers, "compare inner values too"),
      keyword<O>("reference_backend", &O::reference_backend, "\"reference\" or \"native\""),
      keyword<O>("candidate_backend", &O::candidate_backend, "\"native\" or \"reference\""),
      keyword<O>("seed", &O::seed, "seed of the inputs"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("progress", &O::progress, "called with stage, done, total"),
  };
}

void register_names(nb::module_& module) {
  module.def("precision_names", &precision_names, "Values of convert's `precision`.");
  module.def(
      "list_passes",
      [] {
        nb::list rows;
        for (const PassDescription& pass : list_passes()) {
          nb::dict row;
          row["name"] = pass.name;
          row["summary"] = pass.summary;
          row["dialect"] = pass.dialect;
          row["lossy"] = pass.lossy;
          rows.append(row);
        }
        return rows;
      },
      nb::sig("def list_passes() -> list[dict[str, typing.Any]]"),
      "Every pass of convert in order: name, summary, dialect, lossy.");
  module.def(
      "load_operators",
      [](const std::vector<std::string>& paths) { value_or_raise(load_operators(paths)); },
      nb::arg("paths"),
      "Adds the operators of shared libraries to this process, before models that use them open.");
  module.def(
      "model_text",
      [](nb::handle path, bool whole) {
        return value_or_raise(model_text(to_text(path, "model"), whole));
      },
      nb::arg("model"), nb::arg("whole") = false,
      nb::sig("def model_text(model: str | os.PathLike[str], whole: bool = False) -> str"),
      "The readable text form of a model; large constants elided unless `whole`.");
}

}  // namespace

void register_model(nb::module_& module) {
  register_names(module);
  define<InspectOptions, 1>(
      module, "inspect", {"model"},
      {keyword<InspectOptions>("shapes", &InspectOptions::shapes,
                               "input -> dimensions that fix symbolic ones")},
      "Inputs, outputs, operators, parameters and multiply-adds of a model.",
      [](const auto& texts, const InspectOptions& options) -> Result<std::string> {
        if (is_language_model(texts[0])) {
          EDGEWRIGHT_ASSIGN(const LanguageInfo info, inspect_language_model(texts[0]));
          return to_json(info);
        }
        EDGEWRIGHT_ASSIGN(const InspectReport report, inspect(texts[0], options.shapes));
        return to_json(report);
      });
  define<ConvertOptions, 2>(
      module, "convert", {"model", "output"}, convert_keywords(),
      "Imports, optimises, optionally quantises, checks and writes a model. The output appears\n"
      "only when everything passed.",
      [](const auto& texts, const ConvertOptions& options) {
        return convert(texts[0], texts[1], options);
      });
  define<VerifyOptions, 2>(
      module, "verify", {"reference", "candidate"}, verify_keywords(),
      "Do two models (or a model and recorded outputs) compute the same function?",
      [](const auto& texts, const VerifyOptions& options) {
        return verify(texts[0], texts[1], options);
      });
}

}  // namespace edgewright::python
