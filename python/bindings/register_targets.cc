#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "edgewright/deploy.h"
#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

struct CheckOptions {
  int threads = 1;
};

Keywords<TargetOptions> target_keywords() {
  using O = TargetOptions;
  return {
      keyword<O>("hardware", &O::hardware, "cpu, gpu, npu, dsp or ane; empty: the first"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("device", &O::device, "whose CPU"),
      keyword<O>("accelerator", &O::accelerator, "\"peak=..,bandwidth=..\" of the hardware"),
      keyword<O>("gelu_max_error", &O::gelu_max_error, "largest error of a decomposed GELU"),
      keyword<O>("gelu_low", &O::gelu_low, "observed range of GELU's input"),
      keyword<O>("gelu_high", &O::gelu_high, "observed range of GELU's input"),
      keyword<O>("data", &O::data, "samples that show that range"),
      keyword<O>("as_is", &O::as_is, "do not optimise the model first"),
      keyword<O>("fix", &O::fix, "write the model with the plan applied, as ONNX"),
  };
}

Keywords<DeployOptions> deploy_keywords() {
  using O = DeployOptions;
  return {
      keyword<O>("device", &O::device, "of the catalogue, or a file"),
      keyword<O>("server", &O::server, "also plan a cut: what the server is"),
      keyword<O>("link", &O::link, "and the link to it"),
      keyword<O>("data", &O::data, "samples, for calibration and for judging"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("goals", &O::goals, "latency-ms, energy-mj, size-mb, accuracy-points"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("seed", &O::seed, "of everything random"),
      keyword<O>("progress", &O::progress, "called with stage, done, total"),
  };
}

}  // namespace

void register_targets(nb::module_& module) {
  module.def("target_names", &target_names, "Frameworks of the support tables.");
  define<TargetOptions, 2>(
      module, "check_target", {"model", "target"}, target_keywords(),
      "What of a model runs on another framework (\"tensorrt@8.6\"), and what falls back.",
      [](const auto& texts, TargetOptions options) {
        options.target = texts[1];
        return check_target(texts[0], options);
      });
  define<DeployOptions, 2>(module, "deploy", {"model", "output"}, deploy_keywords(),
                           "All of it: convert, quantise, prove, predict, plan; one bundle.",
                           [](const auto& texts, DeployOptions options) {
                             options.model = texts[0];
                             options.output = texts[1];
                             return deploy(options);
                           });
  define<CheckOptions, 1>(
      module, "check_bundle", {"bundle"},
      {keyword<CheckOptions>("threads", &CheckOptions::threads, "threads of the engine")},
      "Whether a bundle is whole and still gives the recorded outputs on this machine.",
      [](const auto& texts, const CheckOptions& options) {
        return check_bundle(texts[0], options.threads);
      });
}

}  // namespace edgewright::python
