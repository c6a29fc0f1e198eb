#include "profile/step_code.h"

#include <map>
#include <optional>

#include "profile/machine_code.h"
#include "profile/step_request.h"
#include "runtime/autotune.h"
#include "runtime/kernel_runner.h"

namespace edgewright {
namespace {

// Ticks of the processor-time clock come every millisecond at best.
constexpr double kSampleSeconds = 0.15;

std::optional<HotLoop> look(const KernelRequest& request,
                            const KernelImplementation& implementation) {
  auto runner = KernelRunner::create(request, implementation);
  if (!runner.ok()) return std::nullopt;
  const auto samples = sample_addresses([&] { runner->run(); }, kSampleSeconds);
  if (!samples.ok()) return std::nullopt;
  auto hot = hot_loop(*samples);
  if (!hot.ok()) return std::nullopt;
  return *std::move(hot);
}

}  // namespace

Status look_at_code(const Plan& plan, double smallest_share,
                    std::vector<ProfiledOperator>& operators, const Progress& progress) {
  std::map<std::string, std::optional<HotLoop>> known;
  for (size_t i = 0; i < operators.size(); ++i) {
    if (progress) progress("code", i, operators.size());
    const PlanStep& step = plan.steps[i];
    if (operators[i].share < smallest_share || step.implementation == nullptr) continue;
    std::vector<Tensor> constants;
    const KernelRequest request = full_request(plan, step, constants);
    const auto [entry, is_first] = known.try_emplace(timing_key(request, *step.implementation));
    if (is_first) entry->second = look(request, *step.implementation);
    if (!entry->second) continue;
    const LoopCode& code = entry->second->code;
    ProfiledOperator& row = operators[i];
    row.code_share = entry->second->share;
    row.loop_instructions = code.instructions;
    row.vector_bits = code.vector_bits;
    row.instruction_parallelism = code.parallelism;
    if (code.instructions > 0) {
      const double all = code.instructions;
      row.vector_share = code.vector_instructions / all;
      row.arithmetic_share = code.arithmetic_vectors / all;
    }
  }
  return {};
}

}  // namespace edgewright
