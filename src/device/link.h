#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// One direction of a link. What arrives of the rate on paper:
//   effective = theoretical x protocol x congestion x signal.
struct LinkDirection {
  double theoretical_mbit_s = 0;
  double protocol = 1;           // share that headers, coding and acknowledgements leave
  double congestion = 1;         // share that other users leave
  double signal = 1;             // share that distance and interference leave
  double guaranteed_mbit_s = 0;  // a slice's floor under all of that; 0: none

  double effective_mbit_s() const;
};

// What it costs the device to keep a radio up and to move data, a line in the rate (Huang et al.,
// "A close examination of performance and power characteristics of 4G LTE networks", MobiSys 2012).
// All zero: not known.
struct RadioPower {
  double base_mw = 0;
  double uplink_mw_per_mbit_s = 0, downlink_mw_per_mbit_s = 0;
};

// A network link as data: docs/formats/link.md.
struct Link {
  std::string name, summary, source;
  std::vector<std::string> notes;  // what is assumed rather than sourced
  LinkDirection uplink, downlink;
  double distance_km = 0;
  double signal_km_per_s = 2e5;  // light in glass: 299,792 km/s / 1.47
  double access_ms = 0;          // one way over the radio, or through the modem
  double processing_ms = 0;      // one way, of all routers and hosts together
  double utilisation = 0;        // of the bottleneck's queue, at least 0 and below 1
  double packet_bytes = 1500;
  double bandwidth_cv = 0;  // standard deviation / mean of the effective rate over time
  double delay_cv = 0;      // of the access delay
  double price_per_gb = 0;  // in whatever currency the other prices are
  RadioPower radio;
};

// A link of the catalogue by name, or of a file where the text has a '/' or ends in ".toml". kUsage
// naming the known links when there is none of that name; kBadInput with the place in the file.
Result<Link> load_link(const std::string& name_or_path);
Result<Link> parse_link(std::string_view text, std::string_view file);
std::string link_to_toml(const Link& link);
// A link of a given rate, the same both ways, and a round trip.
Link plain_link(double mbit_s, double round_trip_ms);

// The parts of the mean time that one message takes in one direction, in milliseconds.
struct LinkDelay {
  double propagation_ms = 0;  // distance / signal speed
  double access_ms = 0;
  double transmission_ms = 0;  // 8 bytes / effective rate
  double queueing_ms = 0;      // M/M/1: utilisation / (1 - utilisation) x a packet's transmission
  double processing_ms = 0;

  double total_ms() const {
    return propagation_ms + access_ms + transmission_ms + queueing_ms + processing_ms;
  }
  // What does not depend on the size.
  double fixed_ms() const { return total_ms() - transmission_ms; }
};
LinkDelay uplink_delay(const Link& link, double size_bytes);
LinkDelay downlink_delay(const Link& link, double size_bytes);
// There and back without a byte.
double round_trip_ms(const Link& link);
// Energy of sending or receiving at the effective rate, in millijoules; 0 when not known.
double send_energy_mj(const Link& link, double size_bytes);
double receive_energy_mj(const Link& link, double size_bytes);

// One state that the link may be in: the effective rates are log-normal, the access delay is a
// gamma variable, a packet waits as in M/M/1 (with probability 1 - utilisation not at all,
// otherwise exponentially).
struct LinkState {
  double uplink_mbit_s = 0, downlink_mbit_s = 0, round_trip_ms = 0;
};
LinkState mean_state(const Link& link);
LinkState sample_state(const Link& link, std::mt19937_64& random);

}  // namespace edgewright
