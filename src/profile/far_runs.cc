#include "profile/far_runs.h"

#include <algorithm>
#include <chrono>

#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kFewestRounds = 10, kMostRounds = 100;
constexpr std::chrono::milliseconds kRoundsBudget{5};

}  // namespace

Result<OtherData> OtherData::allocate(double most_bytes, const MoveKernels& move) {
  const size_t rounds = static_cast<size_t>(most_bytes) / sizeof(float) / kMovedFloats + 1;
  const size_t count = rounds * kMovedFloats;
  EDGEWRIGHT_ASSIGN(Tensor memory,
                    Tensor::allocate(DType::kFloat32, {static_cast<int64_t>(count)}));
  // Pages that nobody wrote to would all be the same one of zeros.
  move.write(memory.mutable_data<float>(), count, false, 1);
  return OtherData(std::move(memory), move);
}

void OtherData::read(double bytes) const {
  const size_t wanted = static_cast<size_t>(bytes) / sizeof(float) / kMovedFloats;
  const size_t held = static_cast<size_t>(memory_.element_count()) / kMovedFloats;
  const size_t count = std::min(wanted, held) * kMovedFloats;
  if (count > 0) move_.read(memory_.data<float>(), count, 1, 1);
}

double OtherData::far_run_us(KernelRunner& kernel, double others_bytes,
                             double after_operands) const {
  const double clock_us = clock_pair_us() / 2;
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < kFewestRounds ||
         (times.size() < kMostRounds && Clock::now() - begin < kRoundsBudget)) {
    read(std::max(0.0, others_bytes - after_operands));
    kernel.write_operands();
    read(std::min(after_operands, others_bytes));
    const auto before = Clock::now();
    kernel.run();
    times.push_back(microseconds(before, Clock::now()) - clock_us);
  }
  return mean_at(quiet_runs(times), times);
}

}  // namespace edgewright
