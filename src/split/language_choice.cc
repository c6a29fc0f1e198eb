#include "split/language_choice.h"

#include <algorithm>

namespace edgewright {
namespace {

constexpr std::string_view kNames[] = {"device", "prompt", "layers", "draft"};
constexpr double kTokenBytes = 4;

double up_ms(const SharedTimes& figures, double bytes) {
  return 8 * bytes / figures.link.uplink_mbit_s / 1e3;
}
double down_ms(const SharedTimes& figures, double bytes) {
  return 8 * bytes / figures.link.downlink_mbit_s / 1e3;
}
double trip_ms(const SharedTimes& figures) { return figures.link.round_trip_us / 1e3; }

double device_ms(const SharedTimes& figures) {
  return figures.prompt_tokens * figures.device_prompt_ms +
         figures.answer_tokens * figures.device_step_ms;
}

double prompt_ms(const SharedTimes& figures) {
  const double tokens = figures.prompt_tokens;
  return trip_ms(figures) + up_ms(figures, kTokenBytes * tokens) +
         down_ms(figures, figures.cache_bytes * tokens) + tokens * figures.server_prompt_ms +
         figures.answer_tokens * figures.device_step_ms;
}

double layers_ms(const SharedTimes& figures, int device_layers) {
  const double here = static_cast<double>(device_layers) / figures.layers, there = 1 - here;
  const double way_ms = trip_ms(figures) + down_ms(figures, figures.answer_bytes);
  const double prompt =
      way_ms + up_ms(figures, figures.state_bytes * figures.prompt_tokens) +
      figures.prompt_tokens * (here * figures.device_prompt_ms + there * figures.server_prompt_ms);
  const double step = way_ms + up_ms(figures, figures.state_bytes) + here * figures.device_step_ms +
                      there * figures.server_step_ms;
  return prompt + std::max(0, figures.answer_tokens - 1) * step;
}

double draft_ms(const SharedTimes& figures) {
  constexpr double kAtOnce = 32;
  SpeculationCosts costs = *figures.draft;
  costs.round_trip_ms = trip_ms(figures);
  const SpeculationPlan plan = plan_speculation(costs, figures.acceptance);
  const double token_ms =
      plan.length > 0 ? plan.ms_per_token : plan.plain_ms + trip_ms(figures) / kAtOnce;
  return trip_ms(figures) + figures.prompt_tokens * figures.server_prompt_ms +
         figures.answer_tokens * token_ms;
}

}  // namespace

std::string_view language_way_name(LanguageWay way) { return kNames[static_cast<size_t>(way)]; }

std::vector<LanguageWayPlan> plan_language(const SharedTimes& figures) {
  std::vector<LanguageWayPlan> plans = {{LanguageWay::kDevice, 0, device_ms(figures)}};
  if (figures.has_prompt) plans.push_back({LanguageWay::kPrompt, 0, prompt_ms(figures)});
  if (figures.has_layers) {
    LanguageWayPlan best{LanguageWay::kLayers, 1, layers_ms(figures, 1)};
    for (int layers = 2; layers < figures.layers; ++layers) {
      const double total_ms = layers_ms(figures, layers);
      if (total_ms < best.total_ms) best = {LanguageWay::kLayers, layers, total_ms};
    }
    plans.push_back(best);
  }
  if (figures.draft) plans.push_back({LanguageWay::kDraft, 0, draft_ms(figures)});
  std::ranges::sort(plans, {}, &LanguageWayPlan::total_ms);
  return plans;
}

}  // namespace edgewright
