#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::vector<std::string> shapes;
  CodecOptions codecs;
};

std::string summary(const CodecReport& report) {
  std::vector<std::vector<std::string>> rows = {{"codec", "bytes", "ratio", "error", "encode us",
                                                 "decode us", "total us", "output error", "agree %",
                                                 "accuracy %"}};
  for (const CodecFigures& figures : report.codecs) {
    rows.push_back(
        {figures.codec, fmt::format("{:.0f}", figures.size_bytes),
         fmt::format("{:.2f}", figures.ratio), fmt::format("{:.2e}", figures.relative_l2),
         fmt::format("{:.1f}", figures.encode_us), fmt::format("{:.1f}", figures.decode_us),
         fmt::format("{:.1f}", figures.total_us), fmt::format("{:.2e}", figures.output_relative_l2),
         fmt::format("{:.2f}", 100 * figures.agreement),
         figures.accuracy ? fmt::format("{:.2f}", 100 * *figures.accuracy) : ""});
  }
  std::string out = fmt::format("sent: {} ({:.0f} bytes), {} samples, {:g} Mbit/s\n\n",
                                fmt::join(report.sent, ", "), report.original_bytes, report.samples,
                                report.bandwidth_mbit_s);
  out += table(rows) + "\n";
  out += report.choice.empty()
             ? fmt::format("no codec keeps {:.2f} % of the top answers\n", 100 * report.floor)
             : fmt::format(
                   "choice: {} (least encode + transfer + decode with {:.2f} % of the top "
                   "answers kept), next best: {}\n",
                   report.choice, 100 * report.floor,
                   report.runner_up.empty() ? "none" : report.runner_up);
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_codecs(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  CodecOptions& codecs = options->codecs;
  app.add_option("MODEL", codecs.model, "an ONNX model")->required();
  app.add_option("--cut", codecs.cut, "the last layer on the device; input: none")->required();
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--data", codecs.data, "samples, perhaps with labels")->type_name("DATA");
  app.add_option("--samples", codecs.samples, "as many of them")->check(CLI::Range(1, 100000));
  app.add_option("--codec", codecs.only, "compare these only, for example delta+int8+zstd");
  app.add_option("--link", codecs.link, "the link to choose for");
  app.add_option("--bandwidth-mbit-s", codecs.bandwidth_mbit_s, "instead of a link (default 10)");
  app.add_option("--floor", codecs.floor, "share of top answers that must stay (default 0.99)")
      ->check(CLI::Range(0.0, 1.0));
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->codecs.shapes, parse_shapes(options->shapes));
    options->codecs.threads = common.threads;
    options->codecs.seed = common.seed;
    EDGEWRIGHT_ASSIGN(const CodecReport report, compare_codecs(options->codecs));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
