#include "edgewright/split.h"

#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

struct LinkOptions {
  double size_bytes = 1e6;
  uint64_t seed = 0;
};

Keywords<SplitOptions> plan_keywords() {
  using O = SplitOptions;
  return {
      keyword<O>("profile", &O::profile, "a measured chain (CSV) instead of a model"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("device", &O::device,
                 "\"50GFLOP/s,12GB/s\", a device's name or file, or \"host\""),
      keyword<O>("server", &O::server, "the same of the server"),
      keyword<O>("roofs_cache", &O::roofs_cache, "file that keeps this machine's roofs"),
      keyword<O>("tiers", &O::tiers, "\"SPEED@LINK\" between them, nearest first"),
      keyword<O>("link", &O::link, "a link's name or file, or a recorded FILE.up"),
      keyword<O>("bandwidth_mbit_s", &O::bandwidth_mbit_s, "instead of a link"),
      keyword<O>("latency_ms", &O::latency_ms, "round trip, once for a request"),
      keyword<O>("objective", &O::objective, "latency, throughput, p90, p95 or p99"),
      keyword<O>("limits", &O::limits, "bounds by name that the cut must keep"),
      keyword<O>("input_as", &O::input_as, "how the input is sent: tensor, raw, jpeg or BYTES"),
      keyword<O>("sent_bits", &O::sent_bits, "of each sent activation, unmeasured"),
      keyword<O>("codecs", &O::codecs, "fp16, int8, int4: how activations may be sent"),
      keyword<O>("data", &O::data, "samples to measure codecs by"),
      keyword<O>("server_price_per_hour", &O::server_price_per_hour, "in the link's currency"),
      keyword<O>("map", &O::map, "also the best cut over bandwidth x latency"),
      keyword<O>("output", &O::output, "folder for device.onnx and server.onnx"),
      keyword<O>("seed", &O::seed, "of percentiles"),
  };
}

Keywords<CodecOptions> codec_keywords() {
  using O = CodecOptions;
  return {
      keyword<O>("cut", &O::cut, "the last layer on the device"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("data", &O::data, "samples; empty: seeded random inputs"),
      keyword<O>("only", &O::only, "codecs; empty: all"),
      keyword<O>("samples", &O::samples, "at most so many"),
      keyword<O>("link", &O::link, "to choose for"),
      keyword<O>("bandwidth_mbit_s", &O::bandwidth_mbit_s, "in place of a link"),
      keyword<O>("floor", &O::floor, "share of samples whose top answer must stay"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("seed", &O::seed, "of the inputs"),
  };
}

Keywords<OffloadOptions> offload_keywords() {
  using O = OffloadOptions;
  return {
      keyword<O>("local_ms", &O::local_ms, "all of the work on the device"),
      keyword<O>("head_ms", &O::head_ms, "of the device's half"),
      keyword<O>("server_ms", &O::server_ms, "all of the work on the server"),
      keyword<O>("tail_ms", &O::tail_ms, "of the server's half"),
      keyword<O>("latency_ms", &O::latency_ms, "round trip"),
      keyword<O>("input_kb", &O::input_kb, "sent when all of the work goes to the server"),
      keyword<O>("cut_kb", &O::cut_kb, "sent when half of it does"),
      keyword<O>("patience_ms", &O::patience_ms, "then the device does the work after all"),
      keyword<O>("interval_ms", &O::interval_ms, "between requests"),
      keyword<O>("per_energy_mj", &O::per_energy_mj, "weight beside 1 for each ms of latency"),
      keyword<O>("per_device_ms", &O::per_device_ms, "weight beside 1 for each ms of latency"),
      keyword<O>("requests", &O::requests, "how many"),
      keyword<O>("state", &O::state, "file of the lin-ucb policy's state"),
      keyword<O>("seed", &O::seed, "of everything random"),
  };
}

Keywords<ProtectOptions> protect_keywords() {
  using O = ProtectOptions;
  return {
      keyword<O>("cut", &O::cut, "the last layer on the device"),
      keyword<O>("shapes", &O::shapes, "input -> dimensions that fix symbolic ones"),
      keyword<O>("data", &O::data, "samples that the attacker knows and others that he attacks"),
      keyword<O>("samples", &O::samples, "of which a sixth are attacked"),
      keyword<O>("epsilon", &O::epsilon, "privacy bound"),
      keyword<O>("delta", &O::delta, "privacy bound"),
      keyword<O>("clip", &O::clip, "L2 bound; 0: the median norm"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("seed", &O::seed, "of everything random"),
  };
}

void register_numbers(nb::module_& module) {
  using Privacy = PrivacyOptions;
  define<Privacy, 0>(
      module, "reckon_privacy", {},
      {
          keyword<Privacy>("epsilon", &Privacy::epsilon, "privacy bound"),
          keyword<Privacy>("delta", &Privacy::delta, "privacy bound"),
          keyword<Privacy>("sensitivity", &Privacy::sensitivity,
                           "L2 norm of what one input changes"),
          keyword<Privacy>("releases", &Privacy::releases, "of the noise"),
          keyword<Privacy>("sigma", &Privacy::sigma, "of each release; 0: the one for the bound"),
      },
      "Noise of the Gaussian mechanism for a bound, and what many releases add up to.",
      [](const auto&, const Privacy& options) { return reckon_privacy(options); });
  using Speculate = SpeculateOptions;
  define<Speculate, 0>(
      module, "plan_speculation", {},
      {
          keyword<Speculate>("draft_ms", &Speculate::draft_ms, "per token"),
          keyword<Speculate>("target_ms", &Speculate::target_ms, "per pass"),
          keyword<Speculate>("check_ms", &Speculate::check_ms, "each further token"),
          keyword<Speculate>("acceptance", &Speculate::acceptance, "of one token after right ones"),
          keyword<Speculate>("latency_ms", &Speculate::latency_ms, "round trip"),
          keyword<Speculate>("link", &Speculate::link, "or that of a link"),
      },
      "Whether drafting tokens on the device for a model behind the link pays.",
      [](const auto&, const Speculate& options) { return plan_speculation(options); });
}

}  // namespace

void register_split(nb::module_& module) {
  define<SplitOptions, 1>(
      module, "plan_split", {"model"}, plan_keywords(),
      "Where to cut a model between a device and a server.\n`model`: an ONNX file, "
      "\"transformer:layers=N,width=N,tokens=N\", or \"\" with `profile`.",
      [](const auto& texts, SplitOptions options) {
        options.model = texts[0];
        return plan_split(options);
      });
  define<CodecOptions, 1>(module, "compare_codecs", {"model"}, codec_keywords(),
                          "What activation codecs cost and lose at a cut.",
                          [](const auto& texts, CodecOptions options) {
                            options.model = texts[0];
                            return compare_codecs(options);
                          });
  define<ProtectOptions, 1>(module, "protect_cut", {"model"}, protect_keywords(),
                            "What an attacker learns at a cut, before and after defences.",
                            [](const auto& texts, ProtectOptions options) {
                              options.model = texts[0];
                              return protect_cut(options);
                            });
  define<OffloadOptions, 1>(module, "compare_offloading", {"trace"}, offload_keywords(),
                            "Policies that choose per request where it runs, on a recorded link.",
                            [](const auto& texts, OffloadOptions options) {
                              options.trace = texts[0];
                              return compare_offloading(options);
                            });
  define<LinkOptions, 1>(
      module, "show_link", {"link"},
      {
          keyword<LinkOptions>("size_bytes", &LinkOptions::size_bytes, "of a message"),
          keyword<LinkOptions>("seed", &LinkOptions::seed, "of percentiles"),
      },
      "A link of the catalogue or of a file, and what a message over it takes.",
      [](const auto& texts, const LinkOptions& options) {
        return show_link(texts[0], options.size_bytes, options.seed);
      });
  register_numbers(module);
}

}  // namespace edgewright::python
