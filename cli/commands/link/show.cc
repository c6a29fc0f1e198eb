#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string link;
  double size_bytes = 1e6;
  bool toml = false;
};

std::vector<std::string> delay_row(const std::string& title, const LinkDelayReport& delay) {
  const auto ms = [](double value) { return fmt::format("{:.3f}", value); };
  return {title,
          ms(delay.transmission_ms),
          ms(delay.propagation_ms),
          ms(delay.access_ms),
          ms(delay.queueing_ms),
          ms(delay.processing_ms),
          ms(delay.total_ms),
          ms(delay.p50_ms),
          ms(delay.p90_ms),
          ms(delay.p99_ms),
          delay.energy_mj > 0 ? fmt::format("{:.1f}", delay.energy_mj) : "not known"};
}

std::string summary(const LinkReport& report) {
  std::string out = fmt::format("{}: {}\n", report.name, report.summary);
  out += fmt::format("uplink {:.4g} Mbit/s =", report.uplink_mbit_s);
  for (const auto& [name, value] : report.uplink_factors) {
    if (name == "guaranteed_mbit_s") {
      if (value > 0) out += fmt::format(", at least {:g} guaranteed", value);
    } else {
      out += fmt::format("{} {:g} {}", name == "theoretical_mbit_s" ? "" : " x", value,
                         name == "theoretical_mbit_s" ? "theoretical" : name);
    }
  }
  out += fmt::format("\ndownlink {:.4g} Mbit/s, round trip {:.3f} ms\n\n", report.downlink_mbit_s,
                     report.round_trip_ms);
  const std::string size = with_prefix(report.send.size_bytes) + "B";
  out += table({{"ms", "transmission", "propagation", "access", "queueing", "processing", "total",
                 "p50", "p90", "p99", "energy mJ"},
                delay_row("send " + size, report.send),
                delay_row("receive " + size, report.receive)});
  out += "\nsource: " + report.source + "\n";
  for (const std::string& note : report.notes) out += "assumed: " + note + "\n";
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_link_show(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->link, "a link of the catalogue, or FILE.toml")->required();
  app.add_option("--bytes", options->size_bytes, "size of the message (default 1000000)");
  app.add_flag("--toml", options->toml, "print the link file");
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(const LinkReport report,
                      show_link(options->link, options->size_bytes, common.seed));
    return Outcome{options->toml ? report.toml : summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
