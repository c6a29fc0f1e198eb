#include "profile/experiment.h"

#include <algorithm>
#include <chrono>

#include "profile/step_request.h"
#include "profile/step_times.h"
#include "runtime/autotune.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kHalf = 0.5;
// Work that is doubled takes at least so much more time; a fixed cost does not.
constexpr double kGrowth = 1.35;
// And eight times as much at least this.
constexpr double kGrowthOfEight = 1.7;
constexpr int64_t kLargestMoveBytes = int64_t{1} << 30;
// No cache that a step's weights could outlive in is larger for one core.
constexpr double kMostOthersBytes = 64e6;

double measured_or_zero(const KernelRequest& request, const KernelImplementation& implementation) {
  if (!implementation.supports(request)) return 0;
  const auto time_us = measure(request, implementation);
  return time_us.ok() ? *time_us : 0;
}

// Time to read and write so many bytes, again and again.
Result<double> moving_us(const Work& work, const MoveKernels& move) {
  const auto rounded = [](int64_t bytes) {
    const auto count = static_cast<size_t>(std::min(bytes, kLargestMoveBytes)) / sizeof(float);
    return (count + kMovedFloats - 1) / kMovedFloats * kMovedFloats;
  };
  const size_t reads = rounded(work.bytes_read), writes = rounded(work.bytes_written);
  EDGEWRIGHT_ASSIGN(
      Tensor memory,
      Tensor::allocate(DType::kFloat32, {static_cast<int64_t>(reads + writes + kMovedFloats)}));
  auto* data = memory.mutable_data<float>();
  // Pages that nobody wrote to would all be the same one of zeros.
  if (reads + writes > 0) move.write(data, reads + writes, false, 1);
  std::vector<double> times;
  const auto begin = Clock::now();
  float sum = 0;
  for (int i = 0; i < 200; ++i) {
    const auto start = Clock::now();
    if (reads > 0) sum += move.read(data, reads, 1, 1);
    if (writes > 0) move.write(data + reads, writes, false, 1);
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    if (i >= 5 && Clock::now() - begin > std::chrono::milliseconds(5)) break;
  }
  // Using what was read keeps the reads.
  if (sum > 0) data[0] = sum;
  const double time_us = quantile(std::move(times), 0.5);
  // Rounding up to whole rounds is taken back, so that small operands are not overcharged.
  const auto asked = static_cast<double>(work.bytes_read + work.bytes_written);
  const auto moved = static_cast<double>(std::max<size_t>(1, reads + writes)) * sizeof(float);
  return time_us * std::min(1.0, asked / moved);
}

}  // namespace

Result<Response> respond(const Plan& plan, const PlanStep& step, const Work& work,
                         const Surroundings& around, const Roofs& roofs, const MoveKernels& move) {
  Response response;
  response.in_place_us = around.in_place_us;
  response.empty_us = roofs.step_us.value;
  EDGEWRIGHT_ASSIGN(response.moving_us, moving_us(work, move));
  const double peak = Roofline{&roofs, 1}.peak_gop_s(work.compute_dtype);
  response.peak_us = peak > 0 ? static_cast<double>(work.flops) / peak / 1e3 : 0;
  if (step.implementation == nullptr) return response;
  std::vector<Tensor> constants;
  KernelRequest request = full_request(plan, step, constants);
  response.alone_us = measured_or_zero(request, *step.implementation);
  if (response.alone_us > 0) {
    EDGEWRIGHT_ASSIGN(KernelRunner kernel, KernelRunner::create(request, *step.implementation));
    response.far_us = around.others->far_run_us(kernel, around.others_bytes);
  }
  if (roofs.cores > request.threads) {
    KernelRequest wider = request;
    wider.threads = request.threads + 1;
    response.threads_us = measured_or_zero(wider, *step.implementation);
  }
  if (scale_batch(request, 2)) {
    response.twice_us = measured_or_zero(request, *step.implementation);
    if (response.twice_us < kGrowth * response.alone_us && scale_batch(request, 4)) {
      response.eight_us = measured_or_zero(request, *step.implementation);
      KernelRequest longer = full_request(plan, step, constants);
      if (lengthen_sums(longer, constants)) {
        response.longer_us = measured_or_zero(longer, *step.implementation);
      }
    }
  }
  return response;
}

std::string bound_by_experiment(const Response& response) {
  const double time_us = response.in_place_us;
  // A wait is for memory when it is there in the run and other data alone makes it.
  const double far_us = std::min(time_us, response.far_us > 0 ? response.far_us : time_us);
  const double waiting_us = response.alone_us > 0 ? std::max(0.0, far_us - response.alone_us) : 0.0;
  const bool tiny = response.empty_us >= kHalf * time_us;
  const bool fixed = response.twice_us > 0 && response.twice_us < kGrowth * response.alone_us &&
                     response.eight_us < kGrowthOfEight * response.alone_us &&
                     response.longer_us < kGrowth * response.alone_us &&
                     response.moving_us < kHalf * response.alone_us;
  if (tiny) return "overhead";
  const double memory_us = response.moving_us + waiting_us;
  if (memory_us >= kHalf * time_us && memory_us > response.peak_us) return "memory";
  return fixed ? "overhead" : "compute";
}

std::string describe(const Response& response) {
  std::string text = fmt::format("{:.2f} us in the run", response.in_place_us);
  if (response.alone_us > 0) text += fmt::format(", {:.2f} alone", response.alone_us);
  if (response.far_us > 0) text += fmt::format(", {:.2f} after the others", response.far_us);
  text += fmt::format(", {:.2f} for moving its bytes", response.moving_us);
  if (response.twice_us > 0) {
    text += fmt::format(", {:.2f}x with twice the batch", response.twice_us / response.alone_us);
  }
  if (response.eight_us > 0) {
    text += fmt::format(", {:.2f}x with eight times", response.eight_us / response.alone_us);
  }
  if (response.longer_us > 0) {
    text +=
        fmt::format(", {:.2f}x with sums twice as long", response.longer_us / response.alone_us);
  }
  if (response.threads_us > 0) {
    text += fmt::format(", {:.2f}x quicker with a thread more",
                        response.alone_us / response.threads_us);
  }
  return text;
}

bool agrees(std::string_view modelled_bound, std::string_view seen) {
  if (modelled_bound == "compute" || modelled_bound == "overhead") return modelled_bound == seen;
  return seen == "memory";
}

Result<double> confirm(const Plan& plan, const Roofs& roofs, const MoveKernels& move,
                       double smallest_share, std::vector<ProfiledOperator>& operators,
                       const Progress& progress) {
  int tried = 0, held = 0;
  auto all_bytes = static_cast<double>(plan.arena_bytes);
  for (const ProfiledOperator& op : operators) all_bytes += static_cast<double>(op.weight_bytes);
  EDGEWRIGHT_ASSIGN(const OtherData others,
                    OtherData::allocate(std::min(all_bytes, kMostOthersBytes), move));
  for (size_t i = 0; i < operators.size(); ++i) {
    ProfiledOperator& row = operators[i];
    if (progress) progress("confirm", i, operators.size());
    if (row.share < smallest_share) continue;
    const PlanStep& step = plan.steps[i];
    const Work work = work_of(operation_of(plan, step));
    const auto own_bytes = static_cast<double>(work.bytes_read + work.bytes_written);
    const Surroundings around{row.time_us, &others, std::max(0.0, all_bytes - own_bytes)};
    EDGEWRIGHT_ASSIGN(const Response response, respond(plan, step, work, around, roofs, move));
    const std::string seen = bound_by_experiment(response);
    row.confirmed = agrees(row.bound, seen);
    row.contradicted = !row.confirmed;
    row.experiment = fmt::format("fits {}: {}", seen, describe(response));
    ++tried;
    held += static_cast<int>(row.confirmed);
  }
  return tried == 0 ? 1.0 : static_cast<double>(held) / tried;
}

}  // namespace edgewright
