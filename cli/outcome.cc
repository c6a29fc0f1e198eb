#include <cstdio>
#include <fstream>

#include "command.h"
#include "edgewright/deploy.h"

namespace edgewright::cli {

int fail(const Error& error) {
  std::fprintf(stderr, "edgewright: %s\n", error.message.c_str());
  return static_cast<int>(error.kind);
}

int finish(const Result<Outcome>& outcome, const CommonOptions& common) {
  if (!outcome.ok()) return fail(outcome.error());
  if (common.json == "-") {
    std::fputs(outcome->json.c_str(), stdout);
  } else {
    std::fputs(outcome->text.c_str(), stdout);
  }
  if (!common.json.empty() && common.json != "-") {
    std::ofstream file(common.json, std::ios::binary);
    file << outcome->json;
    if (!file.flush()) return fail(usage_error("cannot write {}", common.json));
  }
  if (!common.report.empty()) {
    const Status written = write_report(outcome->json, common.report, common.command_line);
    if (!written.ok()) return fail(written.error());
  }
  return outcome->passed ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace edgewright::cli
