#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// One direction of a recorded link in the format of mahimahi (Netravali et al., USENIX ATC 2015):
// every line is the time in milliseconds of one opportunity to deliver 1,500 bytes; after the last
// one the trace begins again.
struct LinkTrace {
  static constexpr int64_t kOpportunityBytes = 1500;
  std::vector<int64_t> delivery_ms;  // not falling, the last one above 0

  int64_t period_ms() const { return delivery_ms.back(); }
  double mean_mbit_s() const;
};

// kBadInput with the line's number.
Result<LinkTrace> parse_link_trace(std::string_view text, std::string_view file);
Result<LinkTrace> read_link_trace(const std::string& path);

// When the last byte of a message has been delivered that is ready at `start_ms` (any number of
// periods after the beginning) on an idle link: opportunities before that are lost.
double delivered_ms(const LinkTrace& trace, double start_ms, double size_bytes);
// Mean rate from `start_ms` over a window.
double mbit_s_at(const LinkTrace& trace, double start_ms, double window_ms);

}  // namespace edgewright
