#include "edgewright/profile.h"

#include "register.h"
#include "report.h"
#include "session_keywords.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

Keywords<BenchOptions> bench_keywords() {
  using O = BenchOptions;
  return session_keywords<O>([](O& options) -> InferenceOptions& { return options.session; })
      .add({
          keyword<O>("inputs", &O::inputs, "input -> array; missing ones are seeded"),
          keyword<O>("runs", &O::runs, "counted runs; 0: as many as fit in `seconds`"),
          keyword<O>("warmup", &O::warmup, "runs before, not counted"),
          keyword<O>("seconds", &O::seconds, "time for the counted runs"),
          keyword<O>("seed", &O::seed, "seed of the inputs"),
          keyword<O>("progress", &O::progress, "called with stage, done, total"),
      });
}

Keywords<ProfileOptions> profile_keywords() {
  using O = ProfileOptions;
  return session_keywords<O>([](O& options) -> InferenceOptions& { return options.session; })
      .add({
          keyword<O>("inputs", &O::inputs, "input -> array; missing ones are seeded"),
          keyword<O>("seconds", &O::seconds, "time for the counted runs"),
          keyword<O>("device", &O::device, "another device, modelled; empty: this machine"),
          keyword<O>("roofs_cache", &O::roofs_cache, "file that keeps this machine's roofs"),
          keyword<O>("times_cache", &O::times_cache, "the fitted times of device.probe"),
          keyword<O>("confirm", &O::confirm, "test the verdicts by experiment"),
          keyword<O>("apply", &O::apply, "try the advice that can be tried"),
          keyword<O>("batches", &O::batches, "batch sizes to measure"),
          keyword<O>("latency_cost", &O::latency_cost, "per us of latency"),
          keyword<O>("throughput_cost", &O::throughput_cost, "per us of time per sample"),
          keyword<O>("memory_limit_bytes", &O::memory_limit_bytes, "that a batch may take"),
          keyword<O>("lengths", &O::lengths, "of sequences padded to the longest of a batch"),
          keyword<O>("exports", &O::exports, "files to write; the ending says the format"),
          keyword<O>("seed", &O::seed, "seed of the inputs"),
          keyword<O>("progress", &O::progress, "called with stage, done, total"),
      });
}

}  // namespace

void register_profile(nb::module_& module) {
  define<BenchOptions, 1>(
      module, "bench", {"model"}, bench_keywords(),
      "Latency and throughput, load time and memory of a model, measured.",
      [](const auto& texts, const BenchOptions& options) { return bench(texts[0], options); });
  define<ProfileOptions, 1>(
      module, "profile", {"model"}, profile_keywords(),
      "Where the time of a model goes, what bounds it and what to do first.",
      [](const auto& texts, const ProfileOptions& options) { return profile(texts[0], options); });
  define<ProfileOptions, 1>(
      module, "import_profile", {"path"}, profile_keywords(),
      "Reads what another profiler wrote (ONNX Runtime, OpenVINO, TFLite, Chrome, Perfetto).",
      [](const auto& texts, const ProfileOptions& options) {
        return import_profile(texts[0], options);
      });
  struct None {};
  define<None, 2>(
      module, "compare_profiles", {"first", "second"}, Keywords<None>({}),
      "Which operators of two profiles (their JSON files) differ beyond chance.",
      [](const auto& texts, const None&) { return compare_profiles(texts[0], texts[1]); });
}

}  // namespace edgewright::python
