#include "base/pool_trace.h"

#include <atomic>

#include "base/result.h"

namespace edgewright {
namespace {

std::atomic<PoolTrace*>& listener() {
  static std::atomic<PoolTrace*> trace = nullptr;
  return trace;
}

}  // namespace

PoolTrace::PoolTrace() {
  PoolTrace* nobody = nullptr;
  EDGEWRIGHT_CHECK(listener().compare_exchange_strong(nobody, this));
}

PoolTrace::~PoolTrace() { listener().store(nullptr); }

std::vector<PoolTrace::Slice> PoolTrace::slices() const {
  const std::lock_guard lock(mutex_);
  return slices_;
}

PoolTrace* PoolTrace::current() { return listener().load(std::memory_order_relaxed); }

void PoolTrace::add(Slice slice) {
  const std::lock_guard lock(mutex_);
  slices_.push_back(slice);
}

}  // namespace edgewright
