#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::vector<std::string> shapes;
  ShareOptions share;
};

std::string summary(const ShareReport& report, const std::string& folder) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "multiply-adds", "sent", "received", "inputs up to"}};
  for (const SharedLayerFigures& layer : report.layers) {
    rows.push_back({layer.layer, with_prefix(static_cast<double>(layer.macs)),
                    with_prefix(layer.sent_bytes) + "B", with_prefix(layer.received_bytes) + "B",
                    fmt::format("{:.4g}", layer.largest_value)});
  }
  return table(rows) +
         fmt::format(
             "\n{0}/first and {0}/second: repositories of two servers that must not be one\n"
             "{0}/device: the rest of the model, and masks for {1} requests, each used once\n",
             folder, report.requests) +
         warnings_text(report.warnings);
}

}  // namespace

Action declare_split_share(CLI::App& app, CommonOptions& /*common*/) {
  auto options = std::make_shared<Options>();
  ShareOptions& share = options->share;
  app.add_option("MODEL", share.model, "an ONNX model")->required();
  app.add_option("--layer", share.layers, "a Conv, Gemm or MatMul to share; may be repeated")
      ->required();
  app.add_option("-o,--output", share.output, "for first, second and device")
      ->type_name("FOLDER")
      ->required();
  app.add_option("--requests", share.requests, "masks are drawn for so many (default 100)");
  app.add_option("--fraction-bits", share.fraction_bits, "of the fixed-point numbers (default 24)");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  return [options]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->share.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(const ShareReport report, share_model(options->share));
    return Outcome{summary(report, options->share.output), to_json(report)};
  };
}

}  // namespace edgewright::cli
