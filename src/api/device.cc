#include "device/device.h"

#include "base/file.h"
#include "device/calibrate.h"
#include "device/catalogue.h"
#include "device/import_device_tree.h"
#include "edgewright/device.h"

namespace edgewright {
namespace {

constexpr size_t kMaxTreeBytes = size_t{16} << 20;
constexpr size_t kMaxTextBytes = size_t{16} << 20;

DeviceReport report_of(Device device) {
  DeviceReport report;
  report.toml = device_to_toml(device);
  report.warnings = device.notes;
  report.device = std::move(device);
  return report;
}

}  // namespace

Result<DeviceReport> import_device(const std::string& dtb_path,
                                   const DeviceImportOptions& options) {
  if (options.hardware_bin > 31) {
    return usage_error("hardware bin {}, expected 0 to 31", options.hardware_bin);
  }
  EDGEWRIGHT_ASSIGN(std::string bytes, read_file(dtb_path, kMaxTreeBytes));
  EDGEWRIGHT_ASSIGN(Device device,
                    import_device_tree(std::move(bytes), dtb_path, options.hardware_bin));
  if (!options.name.empty()) device.name = options.name;
  DeviceReport report = report_of(std::move(device));
  if (!options.output.empty()) EDGEWRIGHT_TRY(write_file(options.output, report.toml));
  return report;
}

Result<DeviceReport> show_device(const std::string& name_or_path) {
  EDGEWRIGHT_ASSIGN(Device device, load_device(name_or_path));
  return report_of(std::move(device));
}

Result<DeviceCalibrateReport> calibrate_device(const std::string& name_or_path,
                                               const DeviceCalibrateOptions& options) {
  EDGEWRIGHT_ASSIGN(Device device, load_device(name_or_path));
  EDGEWRIGHT_ASSIGN(const std::string csv, read_file(options.measurements, kMaxTextBytes));
  EDGEWRIGHT_ASSIGN(const auto samples, parse_power_samples(csv, options.measurements));
  VoltageTable voltages;
  if (!options.voltages.empty()) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.voltages, kMaxTextBytes));
    EDGEWRIGHT_ASSIGN(voltages, parse_voltages(text, options.voltages));
  }
  const std::string source = options.measurements.substr(options.measurements.rfind('/') + 1);
  EDGEWRIGHT_ASSIGN(Calibration result, calibrate(std::move(device), samples, voltages,
                                                  options.suspicious_ratio, source));
  DeviceCalibrateReport report;
  report.fits = std::move(result.fits);
  report.warnings = std::move(result.warnings);
  report.toml = device_to_toml(result.device);
  report.device = std::move(result.device);
  if (!options.output.empty()) EDGEWRIGHT_TRY(write_file(options.output, report.toml));
  return report;
}

std::vector<std::string> device_names() { return catalogue_names("devices"); }

}  // namespace edgewright
