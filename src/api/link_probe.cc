#include "serve/link_probe.h"

#include <cmath>

#include "api/server_connection.h"
#include "base/file.h"
#include "device/link.h"
#include "edgewright/serve.h"

namespace edgewright {
namespace {

ProbedFigure figure_of(const Interval& interval, double unit = 1) {
  return {interval.value / unit, interval.low / unit, interval.high / unit};
}

// What varies less than this is as even as clocks can tell.
double worth_saying(double variation) {
  return variation < 0.02 ? 0 : std::round(1000 * variation) / 1000;
}

Link link_of(const LinkProbeReport& report, const LinkMeasurement& found) {
  Link link;
  link.name = report.server;
  link.summary = "as measured";
  link.source = fmt::format("link probe: {} exchanges of {:.0f} and {:.0f} bytes", report.exchanges,
                            report.small_bytes, report.large_bytes);
  link.uplink.theoretical_mbit_s = report.uplink_mbit_s.value;
  link.downlink.theoretical_mbit_s =
      report.downlink_mbit_s ? report.downlink_mbit_s->value : report.uplink_mbit_s.value;
  if (!report.downlink_mbit_s) {
    link.notes.emplace_back("the downlink was not measured; it is taken to be like the uplink");
  }
  link.access_ms = report.round_trip_ms.value / 2;
  link.bandwidth_cv = worth_saying(found.uplink_cv);
  link.delay_cv = worth_saying(found.round_trip_cv);
  return link;
}

}  // namespace

Result<LinkProbeReport> probe_link(const LinkProbeOptions& options) {
  if (options.repeats < 3 || options.repeats > 1000 || !(options.most_mb >= 0.001) ||
      options.most_mb > 1000 || !(options.deadline_s > 0)) {
    return usage_error("found {} repeats of up to {} MB, expected 3 to 1000 of 0.001 to 1000",
                       options.repeats, options.most_mb);
  }
  EDGEWRIGHT_ASSIGN(const ServerConnection server, ServerConnection::of(options.server));
  EDGEWRIGHT_ASSIGN(const auto client, server.open());
  const auto deadline = deadline_in(1e6 * options.deadline_s);
  LinkProbe probe(*client, deadline);
  EDGEWRIGHT_ASSIGN(
      const LinkMeasurement found,
      probe.measure(static_cast<size_t>(options.repeats),
                    static_cast<size_t>(1e6 * options.most_mb), options.seed, deadline));
  LinkProbeReport report;
  report.server = server.text();
  if (!std::isfinite(found.uplink.mbit_s.value)) {
    return check_failed(
        "{}: {:.0f} bytes took no longer than {:.0f}, so that no rate can be told; the server may "
        "answer before it has read a request (give it the model {}), or allow more with --most-mb",
        report.server, found.large_bytes, found.small_bytes, kEchoModel);
  }
  report.uplink_mbit_s = figure_of(found.uplink.mbit_s);
  if (found.downlink_mbit_s && std::isfinite(found.downlink_mbit_s->value)) {
    report.downlink_mbit_s = figure_of(*found.downlink_mbit_s);
  }
  report.round_trip_ms = figure_of(found.round_trip_us, 1e3);
  report.small_bytes = found.small_bytes;
  report.large_bytes = found.large_bytes;
  report.exchanges = static_cast<int64_t>(found.exchanges);
  if (!probe.has_echo()) {
    report.warnings.push_back(fmt::format(
        "the server has no model {} (split plan --output writes it), so the downlink was not "
        "measured, and the uplink by requests that it refuses",
        kEchoModel));
  }
  report.toml = link_to_toml(link_of(report, found));
  if (options.output.empty()) return report;
  EDGEWRIGHT_TRY(write_file(options.output, report.toml));
  report.files.push_back(options.output);
  return report;
}

}  // namespace edgewright
