#include <charconv>

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
  for (const PrivacyOptions::Layer& layer : report.layers) {
    out += fmt::format("{}: sigma {:.6f} for sensitivity {:g}, weight {:g}\n", layer.name,
                       layer.sigma, layer.sensitivity, layer.weight);
  }
  return out + warnings_text(report.warnings);
}

// NAME=SENSITIVITY or NAME=SENSITIVITY,WEIGHT.
Status take_layers(const std::vector<std::string>& texts, PrivacyOptions& options) {
  options.layers.clear();
  for (const std::string& text : texts) {
    const size_t at = text.rfind('=');
    PrivacyOptions::Layer layer;
    layer.name = text.substr(0, at);
    std::string numbers = at == std::string::npos ? "" : text.substr(at + 1);
    const auto next = [&numbers](double& value) {
      const char* const begin = numbers.data();
      const auto [end, code] = std::from_chars(begin, begin + numbers.size(), value);
      const bool is_whole = code == std::errc() && (end == begin + numbers.size() || *end == ',');
      numbers.erase(0, static_cast<size_t>(end - begin) + 1);
      return is_whole;
    };
    if (!next(layer.sensitivity) || (!numbers.empty() && !next(layer.weight)) || !numbers.empty() ||
        !(layer.sensitivity > 0)) {
      return usage_error("found --layer {}, expected NAME=SENSITIVITY or NAME=SENSITIVITY,WEIGHT",
                         text);
    }
    options.layers.push_back(std::move(layer));
  }
  return {};
}

}  // namespace

Action declare_split_privacy(CLI::App& app, CommonOptions&) {
  auto options = std::make_shared<PrivacyOptions>();
  auto layers = std::make_shared<std::vector<std::string>>();
  app.add_option("--epsilon", options->epsilon, "of one release (default 1)");
  app.add_option("--delta", options->delta, "default 1e-5");
  app.add_option("--sensitivity", options->sensitivity, "L2, default 1");
  app.add_option("--releases", options->releases, "how many add up");
  app.add_option("--sigma", options->sigma, "of each release (default: the one for the bound)");
  app.add_option("--layer", *layers, "released together: divide the bound by weights; repeated")
      ->type_name("NAME=SENSITIVITY[,WEIGHT]");
  return [options, layers]() -> Result<Outcome> {
    EDGEWRIGHT_TRY(take_layers(*layers, *options));
    EDGEWRIGHT_ASSIGN(const PrivacyReport report, reckon_privacy(*options));
    return Outcome{summary(report, *options), to_json(report), true};
  };
}

}  // namespace edgewright::cli
