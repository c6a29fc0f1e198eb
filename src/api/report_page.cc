#include "base/file.h"
#include "edgewright/deploy.h"
#include "report/page.h"

namespace edgewright {

Status write_report(const std::string& document, const std::string& path,
                    const std::string& command_line) {
  EDGEWRIGHT_ASSIGN(const std::string page, report_page(document, command_line));
  return write_file(path, page);
}

}  // namespace edgewright
