#pragma once

#include <list>
#include <mutex>

#include "serve/http/connection.h"

namespace edgewright {

// The open connections of a server, and which of them makes room when all places are taken.
// Thread-safe.
class Seats {
 public:
  using Place = std::list<Connection*>::iterator;

  Place take(Connection& connection);
  // After this nobody touches the connection.
  void leave(Place place);
  // Cuts off the one that deserves its place least: a peer that was refused and does not go, then
  // one whose request trickles in, then one that asks nothing, each the longest first. Never one
  // that is being answered. False: all deserve theirs.
  bool cut_one_off(IoClock::time_point now);

 private:
  std::mutex mutex_;
  std::list<Connection*> connections_;
};

}  // namespace edgewright
