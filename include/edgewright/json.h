#pragma once

#include <string>

#include "edgewright/bench.h"
#include "edgewright/convert.h"
#include "edgewright/inspect.h"
#include "edgewright/verify.h"

namespace edgewright {

// The versioned JSON documents of the command line ({"schema": "edgewright.<command>/1", ...}).
// The same report gives the same bytes.
std::string to_json(const InspectReport& report);
std::string to_json(const ConvertReport& report);
std::string to_json(const VerifyReport& report);
std::string to_json(const BenchReport& report);
struct RunOutput {
  std::string name, dtype, file;
  std::vector<int64_t> shape;
};
std::string run_to_json(const std::vector<RunOutput>& outputs, const std::string& backend,
                        const std::vector<std::string>& warnings);

}  // namespace edgewright
