#include "edgewright/session.h"

#include "command.h"
#include "language_text.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> shapes;
  bool text = false;
  bool weights = false;
};

std::string value_text(const InterfaceValue& value) {
  return fmt::format(
      "{}: {}{}", value.name, value.dtype,
      value.has_shape ? fmt::format("[{}]", fmt::join(value.shape, ",")) : std::string());
}

std::string summary(const InspectReport& report) {
  std::string out;
  for (const auto& input : report.inputs) out += "input   " + value_text(input) + "\n";
  for (const auto& output : report.outputs) out += "output  " + value_text(output) + "\n";
  out +=
      fmt::format("opset {}, {} nodes, {} parameters ({}B), {} multiply-adds{}\n\n", report.opset,
                  report.nodes, with_prefix(static_cast<double>(report.parameters)),
                  with_prefix(static_cast<double>(report.parameter_bytes)),
                  with_prefix(static_cast<double>(report.macs)),
                  report.macs_complete ? "" : " where shapes are known (see --shape)");
  std::vector<std::vector<std::string>> rows = {{"operator", "nodes"}};
  for (const auto& [name, count] : report.operators)
    rows.push_back({name, fmt::format("{}", count)});
  return out + table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_inspect(CLI::App& app, CommonOptions&) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "an ONNX model, a plan or a language model")->required();
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_flag("--text", options->text, "print the readable form of the graph");
  app.add_flag("--weights", options->weights, "with --text: large constants too");
  return [options]() -> Result<Outcome> {
    if (is_language_model(options->model)) {
      EDGEWRIGHT_ASSIGN(const LanguageInfo info, inspect_language_model(options->model));
      return inspect_language(info);
    }
    if (options->text) {
      EDGEWRIGHT_ASSIGN(std::string text, model_text(options->model, options->weights));
      return Outcome{std::move(text), "", true};
    }
    EDGEWRIGHT_ASSIGN(const InputShapes shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(const InspectReport report, inspect(options->model, shapes));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
