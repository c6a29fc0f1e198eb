#include "device/link.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "device/catalogue.h"
#include "device/fields.h"
#include "device/toml.h"

namespace edgewright {

// Links have a dozen lines.
constexpr size_t kMaxLinkFileBytes = size_t{1} << 18;

template <class Visitor>
void describe(Visitor& visitor, LinkDirection& direction) {
  visitor.required("theoretical_mbit_s", direction.theoretical_mbit_s, {1e-6, 1e9});
  visitor.field("protocol", direction.protocol, {1e-6, 1});
  visitor.field("congestion", direction.congestion, {1e-6, 1});
  visitor.field("signal", direction.signal, {1e-6, 1});
  visitor.field("guaranteed_mbit_s", direction.guaranteed_mbit_s, {0, 1e9});
}

template <class Visitor>
void describe(Visitor& visitor, RadioPower& radio) {
  visitor.field("base_mw", radio.base_mw, {0, 1e9});
  visitor.field("uplink_mw_per_mbit_s", radio.uplink_mw_per_mbit_s, {0, 1e9});
  visitor.field("downlink_mw_per_mbit_s", radio.downlink_mw_per_mbit_s, {0, 1e9});
}

template <class Visitor>
void describe(Visitor& visitor, Link& link) {
  visitor.required("name", link.name);
  visitor.field("summary", link.summary);
  visitor.required("source", link.source);
  visitor.field("notes", link.notes);
  visitor.field("distance_km", link.distance_km, {0, 1e9});
  visitor.field("signal_km_per_s", link.signal_km_per_s, {1, 299792.458});
  visitor.field("access_ms", link.access_ms, {0, 1e7});
  visitor.field("processing_ms", link.processing_ms, {0, 1e7});
  visitor.field("utilisation", link.utilisation, {0, 0.999});
  visitor.field("packet_bytes", link.packet_bytes, {1, 1e6});
  visitor.field("bandwidth_cv", link.bandwidth_cv, {0, 10});
  visitor.field("delay_cv", link.delay_cv, {0, 10});
  visitor.field("price_per_gb", link.price_per_gb, {0, 1e9});
  visitor.required("uplink", link.uplink);
  visitor.required("downlink", link.downlink);
  visitor.field("radio", link.radio);
}

namespace {

LinkDelay delay(const Link& link, const LinkDirection& direction, double size_bytes) {
  const double ms_per_byte = 8e-3 / direction.effective_mbit_s();
  LinkDelay delay;
  delay.propagation_ms = 1e3 * link.distance_km / link.signal_km_per_s;
  delay.access_ms = link.access_ms;
  delay.transmission_ms = size_bytes * ms_per_byte;
  delay.queueing_ms = link.utilisation / (1 - link.utilisation) * link.packet_bytes * ms_per_byte;
  delay.processing_ms = link.processing_ms;
  return delay;
}

double energy_mj(const RadioPower& radio, double mw_per_mbit_s, double mbit_s, double size_bytes) {
  if (radio.base_mw == 0 && mw_per_mbit_s == 0) return 0;
  const double seconds = size_bytes * 8e-6 / mbit_s;
  return (radio.base_mw + mw_per_mbit_s * mbit_s) * seconds;
}

// A variable of a given mean and coefficient of variation.
double log_normal(double mean, double cv, std::mt19937_64& random) {
  if (cv == 0 || mean == 0) return mean;
  const double variance = std::log1p(cv * cv);
  std::normal_distribution<double> normal(std::log(mean) - variance / 2, std::sqrt(variance));
  return std::exp(normal(random));
}
double gamma(double mean, double cv, std::mt19937_64& random) {
  if (cv == 0 || mean == 0) return mean;
  const double shape = 1 / (cv * cv);
  return std::gamma_distribution<double>(shape, mean / shape)(random);
}
double queueing_ms(const Link& link, double mbit_s, std::mt19937_64& random) {
  if (std::bernoulli_distribution(1 - link.utilisation)(random)) return 0;
  const double mean = link.packet_bytes * 8e-3 / mbit_s / (1 - link.utilisation);
  return std::exponential_distribution<double>(1 / mean)(random);
}

}  // namespace

double LinkDirection::effective_mbit_s() const {
  return std::max(guaranteed_mbit_s, theoretical_mbit_s * protocol * congestion * signal);
}

Result<Link> parse_link(std::string_view text, std::string_view file) {
  EDGEWRIGHT_ASSIGN(const Json table, parse_toml(text, file));
  return read_fields<Link>(table, file);
}

std::string link_to_toml(const Link& link) { return to_toml(write_fields(link)); }

Result<Link> load_link(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml")) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(name_or_path, kMaxLinkFileBytes));
    return parse_link(text, name_or_path);
  }
  const std::string_view text = catalogue_text("links", name_or_path);
  if (text.empty()) {
    return usage_error("found no link '{}', expected a file ending in .toml or one of {}",
                       name_or_path, fmt::join(catalogue_names("links"), ", "));
  }
  return parse_link(text, name_or_path + ".toml");
}

Link plain_link(double mbit_s, double round_trip_ms) {
  Link link;
  link.name = fmt::format("{:g} Mbit/s, {:g} ms", mbit_s, round_trip_ms);
  link.source = "as given";
  link.uplink.theoretical_mbit_s = link.downlink.theoretical_mbit_s = mbit_s;
  link.access_ms = round_trip_ms / 2;
  return link;
}

LinkDelay uplink_delay(const Link& link, double size_bytes) {
  return delay(link, link.uplink, size_bytes);
}
LinkDelay downlink_delay(const Link& link, double size_bytes) {
  return delay(link, link.downlink, size_bytes);
}
double round_trip_ms(const Link& link) {
  return uplink_delay(link, 0).fixed_ms() + downlink_delay(link, 0).fixed_ms();
}

double send_energy_mj(const Link& link, double size_bytes) {
  return energy_mj(link.radio, link.radio.uplink_mw_per_mbit_s, link.uplink.effective_mbit_s(),
                   size_bytes);
}
double receive_energy_mj(const Link& link, double size_bytes) {
  return energy_mj(link.radio, link.radio.downlink_mw_per_mbit_s, link.downlink.effective_mbit_s(),
                   size_bytes);
}

LinkState mean_state(const Link& link) {
  return {link.uplink.effective_mbit_s(), link.downlink.effective_mbit_s(), round_trip_ms(link)};
}

LinkState sample_state(const Link& link, std::mt19937_64& random) {
  const LinkState mean = mean_state(link);
  // Both directions share the air, so they get better and worse together.
  const double factor = log_normal(1, link.bandwidth_cv, random);
  LinkState state;
  state.uplink_mbit_s = std::max(link.uplink.guaranteed_mbit_s, mean.uplink_mbit_s * factor);
  state.downlink_mbit_s = std::max(link.downlink.guaranteed_mbit_s, mean.downlink_mbit_s * factor);
  const double access_ms = gamma(link.access_ms, link.delay_cv, random);
  state.round_trip_ms = 2 * (1e3 * link.distance_km / link.signal_km_per_s + link.processing_ms) +
                        2 * access_ms + queueing_ms(link, state.uplink_mbit_s, random) +
                        queueing_ms(link, state.downlink_mbit_s, random);
  return state;
}

}  // namespace edgewright
