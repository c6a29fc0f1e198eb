#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::vector<std::string> shapes;
  ProtectOptions protect;
};

std::string summary(const ProtectReport& report) {
  const auto pair = [](double ssim, double psnr_db) {
    return fmt::format("{:.3f} / {:.1f}", ssim, psnr_db);
  };
  std::vector<std::vector<std::string>> rows = {{"defence", "linear decoder", "kernel decoder",
                                                 "optimisation", "overhead us", "of device %",
                                                 "bytes x", "agree %", "accuracy %", "epsilon"}};
  for (const DefenceFigures& figures : report.defences) {
    rows.push_back({figures.defence, pair(figures.linear_ssim, figures.linear_psnr_db),
                    pair(figures.kernel_ssim, figures.kernel_psnr_db),
                    pair(figures.optimised_ssim, figures.optimised_psnr_db),
                    fmt::format("{:.1f}", figures.overhead_us),
                    fmt::format("{:.1f}", 100 * figures.overhead_share),
                    fmt::format("{:.2f}", figures.size_ratio),
                    fmt::format("{:.1f}", 100 * figures.agreement),
                    figures.accuracy ? fmt::format("{:.1f}", 100 * *figures.accuracy) : "",
                    figures.epsilon > 0 ? fmt::format("{:g}", figures.epsilon) : "-"});
  }
  std::string out = fmt::format(
      "reconstruction of the input from what is sent, SSIM / PSNR in dB (1 / high: found; "
      "guessing the mean: {})\nthe attacker knows {} samples, {} are attacked (4 by "
      "optimisation); device half {:.1f} us\n\n",
      pair(report.blind_ssim, report.blind_psnr_db), report.known, report.attacked,
      report.device_us);
  out += table(rows) + "\n";
  for (const DefenceFigures& figures : report.defences) {
    out += fmt::format("{}: guarantee: {}\n", figures.defence, figures.guarantee);
  }
  out += fmt::format("noise: activations clipped to a norm of {:.4g}, sigma {:.4g} (analytic)\n",
                     report.clip, report.sigma);
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_protect(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  ProtectOptions& protect = options->protect;
  app.add_option("MODEL", protect.model, "an ONNX model of one input")->required();
  app.add_option("--cut", protect.cut, "the last layer on the device")->required();
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--data", protect.data, "samples, perhaps with labels")->type_name("DATA");
  app.add_option("--samples", protect.samples, "as many of them; a sixth is attacked")
      ->check(CLI::Range(12, 5000));
  app.add_option("--epsilon", protect.epsilon, "of one request (default 8)");
  app.add_option("--delta", protect.delta, "of one request (default 1e-5)");
  app.add_option("--clip", protect.clip, "bound of the activations' norm (default: its median)");
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->protect.shapes, parse_shapes(options->shapes));
    options->protect.threads = common.threads;
    options->protect.seed = common.seed;
    EDGEWRIGHT_ASSIGN(const ProtectReport report, protect_cut(options->protect));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
