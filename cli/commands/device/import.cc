#include "command.h"
#include "device_text.h"
#include "edgewright/device.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string file;
  DeviceImportOptions import;
};

}  // namespace

Action declare_device_import(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE.dtb", options->file, "a flattened device tree of Linux")->required();
  app.add_option("-o,--output", options->import.output, "write a device file")
      ->type_name("FILE.toml");
  app.add_option("--name", options->import.name, "name of the device (default: of the file)");
  app.add_option("--hardware-bin", options->import.hardware_bin,
                 "the chip's bit in opp-supported-hw (default: every operating point)")
      ->check(CLI::Range(0, 31));
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    EDGEWRIGHT_ASSIGN(const DeviceReport report, import_device(options->file, options->import));
    return Outcome{device_text(report.device) + warnings_text(report.warnings),
                   to_json(report, "device import"), report.passed};
  };
}

}  // namespace edgewright::cli
