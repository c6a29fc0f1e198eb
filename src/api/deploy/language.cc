#include <algorithm>

#include "api/deploy/stages.h"
#include "base/file.h"
#include "edgewright/language.h"
#include "edgewright/power.h"

namespace edgewright {
namespace {

constexpr const char* kPacked = "models/model.ewlm";
// Of the text that the original writes for the proof.
constexpr const char* kPrompt = "The ";
constexpr int kProofTokens = 257;

// A model that is packed already stays as it is.
Result<Bundle::Outcome> take_packed(Deployment& d) {
  EDGEWRIGHT_ASSIGN(const LanguageInfo info, inspect_language_model(d.options.model));
  EDGEWRIGHT_ASSIGN(const auto file, MappedFile::open(d.options.model));
  const auto bytes = file->bytes();
  EDGEWRIGHT_TRY(
      d.bundle.write(kPacked, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  Bundle::Outcome outcome;
  outcome.files = {kPacked};
  outcome.result = {{"as_given", true},
                    {"precision", info.precision},
                    {"bits_per_weight", 8.0 * static_cast<double>(info.weight_bytes) /
                                            static_cast<double>(info.parameters)},
                    {"size_bytes", static_cast<int64_t>(bytes.size())}};
  return outcome;
}

Result<Bundle::Outcome> pack(Deployment& d) {
  if (d.options.model.ends_with(".ewlm")) return take_packed(d);
  LanguageConvertOptions convert_with;
  convert_with.precision = "int8";
  convert_with.threads = d.options.threads;
  EDGEWRIGHT_ASSIGN(const LanguageConvertReport report,
                    convert_language_model(d.options.model, d.bundle.path(kPacked), convert_with));
  if (!report.passed) return check_failed("the packed model is too far from the original");
  EDGEWRIGHT_TRY(d.bundle.write("proof/pack.json", to_json(report)));
  Bundle::Outcome outcome;
  outcome.files = {kPacked, "proof/pack.json"};
  outcome.result = {{"bits_per_weight", report.bits_per_weight},
                    {"size_bytes", report.size_bytes},
                    {"mean_kl_divergence", report.mean_kl_divergence},
                    {"top1_agreement", report.top1_agreement}};
  return outcome;
}

// The original writes a text; the packed model's perplexity on it is what every machine must find.
Result<Bundle::Outcome> prove(Deployment& d) {
  LanguageOptions language;
  language.threads = d.options.threads;
  GenerateOptions generate;
  generate.prompt = kPrompt;
  generate.max_tokens = kProofTokens;
  generate.ignore_end = true;
  generate.measure_bandwidth = false;
  generate.sampling.temperature = 1;
  generate.sampling.seed = d.options.seed;
  EDGEWRIGHT_ASSIGN(LanguageModel original, LanguageModel::open(d.options.model, language));
  generate.max_tokens = std::min(generate.max_tokens, original.info().context - 8);
  EDGEWRIGHT_ASSIGN(const GenerateReport written, original.generate(generate));
  const std::string text = kPrompt + written.text;
  EDGEWRIGHT_ASSIGN(LanguageModel packed, LanguageModel::open(d.bundle.path(kPacked), language));
  EDGEWRIGHT_ASSIGN(const PerplexityReport before, original.perplexity(text, {kProofWindow}));
  EDGEWRIGHT_ASSIGN(const PerplexityReport after, packed.perplexity(text, {kProofWindow}));
  EDGEWRIGHT_TRY(d.bundle.write(kProofText, text));
  return Bundle::Outcome{{{"original_perplexity", before.perplexity},
                          {"perplexity", after.perplexity},
                          {"tokens", after.tokens}},
                         {kProofText}};
}

Result<Bundle::Outcome> plan_power(Deployment& d) {
  PowerPlanOptions options;
  options.device = d.options.device;
  options.token_ms = d.goal("latency-ms", 0);
  const auto planned = power_plan(d.options.model, options);
  Bundle::Outcome outcome;
  if (!planned.ok()) {
    // A limit that nothing keeps is an answer of the deployment, not a failure of the stage.
    if (planned.error().kind != ErrorKind::kCheckFailed) return planned.error();
    outcome.result = {{"passed", false}, {"why", planned.error().message}};
    // What the device can do at best says how far off the limit is.
    options.token_ms = 0;
    if (const auto free = power_plan(d.options.model, options); free.ok()) {
      const auto by_time = &PowerPlanPoint::latency_us;
      const auto quickest = std::ranges::min_element(free->front, {}, by_time);
      if (quickest != free->front.end()) outcome.result["quickest_us"] = quickest->latency_us;
    }
    return outcome;
  }
  EDGEWRIGHT_TRY(d.bundle.write("plans/power.json", to_json(*planned)));
  const PowerPlanPoint& choice = planned->choice;
  outcome.files = {"plans/power.json"};
  outcome.result = {{"passed", planned->passed},
                    {"prefill", choice.prefill},
                    {"decode", choice.decode},
                    {"latency_us", choice.latency_us},
                    {"energy_mj_per_token", choice.energy_mj_per_token},
                    {"sustained_tokens_per_s", choice.sustained_tokens_per_s},
                    {"examined", planned->examined}};
  if (planned->front.size() > 1) outcome.result["runner_up"] = planned->front[1].decode;
  return outcome;
}

}  // namespace

Status deploy_language_model(Deployment& d) {
  EDGEWRIGHT_ASSIGN(const Json packed,
                    d.bundle.stage("pack", {d.model_digest}, [&] { return pack(d); }));
  EDGEWRIGHT_TRY(d.bundle.stage("prove", {d.model_digest, std::to_string(d.options.seed)},
                                [&] { return prove(d); }));
  if (packed.value("as_given", false)) {
    d.choose("precision", packed.value("precision", ""), "none",
             "the model came packed; only the original could be packed otherwise");
  } else {
    d.choose("precision", "int8", "as stored",
             fmt::format(
                 "mean KL divergence of the next token {:.2g} nats, same likeliest token on "
                 "{:.1f} %, {:.2f} bits a weight",
                 packed.value("mean_kl_divergence", 0.0), 100 * packed.value("top1_agreement", 0.0),
                 packed.value("bits_per_weight", 0.0)));
  }
  EDGEWRIGHT_TRY(add_exports(d, kPacked, {d.model_digest}));
  EDGEWRIGHT_ASSIGN(const Json power, d.bundle.stage("power",
                                                     {d.model_digest, d.device_text,
                                                      std::to_string(d.goal("latency-ms", 0))},
                                                     [&] { return plan_power(d); }));
  if (power.value("passed", false)) {
    d.choose(
        "operating point",
        fmt::format("prefill {}, decode {}", power.value("prefill", ""), power.value("decode", "")),
        power.value("runner_up", ""),
        fmt::format("{:.2f} ms and {:.3f} mJ a token, {:.1f} tokens/s sustained (modelled)",
                    power.value("latency_us", 0.0) / 1e3, power.value("energy_mj_per_token", 0.0),
                    power.value("sustained_tokens_per_s", 0.0)));
    d.reach("latency-ms", power.value("latency_us", 0.0) / 1e3);
    d.reach("energy-mj", power.value("energy_mj_per_token", 0.0));
  } else {
    d.report.warnings.push_back(power.value("why", "no power plan"));
    const double limit = d.goal("latency-ms", 0);
    const double quickest_ms = power.value("quickest_us", limit * 1e3) / 1e3;
    if (limit > 0) d.report.goals.push_back({"latency-ms", limit, quickest_ms, false});
  }
  d.reach("size-mb", packed.value("size_bytes", 0.0) / 1e6);
  return finish_bundle(d, kPacked);
}

}  // namespace edgewright
