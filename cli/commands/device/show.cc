#include "command.h"
#include "device_text.h"
#include "edgewright/device.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string name;
  bool toml = false;
};

}  // namespace

Action declare_device_show(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "a device of the catalogue, or a device file")->required();
  app.add_flag("--toml", options->toml, "print the device file");
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    EDGEWRIGHT_ASSIGN(const DeviceReport report, show_device(options->name));
    return Outcome{
        options->toml ? report.toml : device_text(report.device) + warnings_text(report.warnings),
        to_json(report, "device show"), report.passed};
  };
}

}  // namespace edgewright::cli
