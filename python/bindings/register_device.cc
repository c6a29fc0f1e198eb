#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "edgewright/device.h"
#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

struct None {};

Keywords<DeviceProbeOptions> probe_keywords() {
  using O = DeviceProbeOptions;
  return {
      keyword<O>("seconds", &O::seconds, "time to take"),
      keyword<O>("threads", &O::threads, "of \"all cores\"; 0: every core"),
      keyword<O>("accept_noise", &O::accept_noise, "report instead of refuse"),
      keyword<O>("output", &O::output, "device file to write"),
      keyword<O>("roofs_cache", &O::roofs_cache, "where profile looks for the roofs"),
      keyword<O>("layers", &O::layers, "time so many layers more and fit what predicts others"),
      keyword<O>("layers_seconds", &O::layers_seconds, "ends earlier when this is over"),
      keyword<O>("samples_cache", &O::samples_cache, "file that keeps the layers' times"),
      keyword<O>("times_cache", &O::times_cache, "file of the fit"),
      keyword<O>("progress", &O::progress, "called with stage, done, total"),
  };
}

}  // namespace

void register_device(nb::module_& module) {
  module.def("device_names", &device_names, "Devices of the catalogue.");
  define<None, 1>(module, "show_device", {"device"}, Keywords<None>({}),
                  "A device of the catalogue, or of a device file.",
                  [](const auto& texts, const None&) -> Result<std::string> {
                    EDGEWRIGHT_ASSIGN(const DeviceReport made, show_device(texts[0]));
                    return to_json(made, "device show");
                  });
  using Import = DeviceImportOptions;
  define<Import, 1>(
      module, "import_device", {"dtb"},
      {
          keyword<Import>("name", &Import::name, "of the result; empty: from the file's name"),
          keyword<Import>("hardware_bin", &Import::hardware_bin, "opp-supported-hw bit; -1: all"),
          keyword<Import>("output", &Import::output, "device file to write"),
      },
      "A flattened Linux device tree (.dtb) as a device.",
      [](const auto& texts, const Import& options) -> Result<std::string> {
        EDGEWRIGHT_ASSIGN(const DeviceReport made, import_device(texts[0], options));
        return to_json(made, "device import");
      });
  using Calibrate = DeviceCalibrateOptions;
  define<Calibrate, 1>(
      module, "calibrate_device", {"device"},
      {
          keyword<Calibrate>("measurements", &Calibrate::measurements, "freqbench CSV"),
          keyword<Calibrate>("voltages", &Calibrate::voltages, "\"CPU.KHZ=UV\" words"),
          keyword<Calibrate>("output", &Calibrate::output, "device file to write"),
          keyword<Calibrate>("suspicious_ratio", &Calibrate::suspicious_ratio,
                             "how far stated and fitted coefficients may be apart"),
      },
      "The power model of a device, fitted to measured powers.",
      [](const auto& texts, const Calibrate& options) {
        return calibrate_device(texts[0], options);
      });
  define<DeviceProbeOptions, 0>(
      module, "probe_device", {}, probe_keywords(),
      "Measures this machine: bandwidths, peak arithmetic, dispatch.",
      [](const auto&, const DeviceProbeOptions& options) { return probe_device(options); });
}

}  // namespace edgewright::python
