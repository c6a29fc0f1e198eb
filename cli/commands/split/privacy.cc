#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

std::string summary(const PrivacyReport& report, const PrivacyOptions& options) {
  std::string out =
      fmt::format("noise for epsilon {:g}, delta {:g}, sensitivity {:g}: sigma {:.6f}",
                  options.epsilon, options.delta, options.sensitivity, report.analytic_sigma);
  out += report.classical_sigma
             ? fmt::format(" (the classical formula would take {:.6f})\n", *report.classical_sigma)
             : " (the classical formula is not proven from epsilon 1 on)\n";
  out += fmt::format(
      "{} releases of sigma {:.6f} at delta {:g}: epsilon {:.5f} exactly, {:.5f} by "
      "Renyi orders, {:.5f} by zCDP\n",
      options.releases, report.sigma, options.delta, report.exact_epsilon, report.rdp_epsilon,
      report.zcdp_epsilon);
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_privacy(CLI::App& app, CommonOptions&) {
  auto options = std::make_shared<PrivacyOptions>();
  app.add_option("--epsilon", options->epsilon, "of one release (default 1)");
  app.add_option("--delta", options->delta, "default 1e-5");
  app.add_option("--sensitivity", options->sensitivity, "L2, default 1");
  app.add_option("--releases", options->releases, "how many add up");
  app.add_option("--sigma", options->sigma, "of each release (default: the one for the bound)");
  return [options]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(const PrivacyReport report, reckon_privacy(*options));
    return Outcome{summary(report, *options), to_json(report), true};
  };
}

}  // namespace edgewright::cli
