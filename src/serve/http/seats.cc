#include "serve/http/seats.h"

namespace edgewright {
namespace {

// In the order in which they give up their places, and what each is granted before.
struct Patience {
  Connection::Phase phase;
  std::chrono::milliseconds time;
};
constexpr Patience kPatience[] = {
    {Connection::Phase::kLeaving, std::chrono::milliseconds(200)},
    // A request that comes in one piece takes a round trip; a second is ten of a slow mobile link.
    {Connection::Phase::kReading, std::chrono::milliseconds(1000)},
    // One that has just connected is about to ask.
    {Connection::Phase::kIdle, std::chrono::milliseconds(100)},
};

}  // namespace

Seats::Place Seats::take(Connection& connection) {
  const std::lock_guard lock(mutex_);
  return connections_.insert(connections_.end(), &connection);
}

void Seats::leave(Place place) {
  const std::lock_guard lock(mutex_);
  connections_.erase(place);
}

bool Seats::cut_one_off(IoClock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (const auto& [phase, time] : kPatience) {
    Connection* longest = nullptr;
    std::chrono::nanoseconds most = time;
    for (Connection* connection : connections_) {
      const auto waiting = connection->waiting_in(phase, now);
      if (!waiting || *waiting < most) continue;
      most = *waiting;
      longest = connection;
    }
    if (longest != nullptr && longest->cut_off(phase)) return true;
  }
  return false;
}

}  // namespace edgewright
