#pragma once

#include <memory>
#include <string>

#include "power/govern/governor.h"
#include "power/govern/knobs.h"

namespace edgewright {

// The privileged part: sets knobs for a client over a connected socket, line by line ("set PATH
// VALUE", "cpus PATH LIST", "affinity PID LIST", "clamps PID LOW HIGH", "restore"; answers "ok" or
// "error TEXT"), and restores everything when the client ends, however it ends. Processes have to
// belong to the client's user, frequencies to be among the bounds. Returns when the connection is
// closed.
void serve_knobs(SystemFiles& files, int socket, const std::vector<FrequencyBounds>& bounds);

// Waits on a UNIX socket for one client after another; `path` is made with mode 0600. Returns only
// on failure or when `stop` becomes set.
Status serve_knobs_at(SystemFiles& files, const std::string& path,
                      const std::vector<FrequencyBounds>& bounds, const volatile bool& stop);

// The client's end. Owns the socket.
class HelperClient : public KnobSetter {
 public:
  explicit HelperClient(int socket) : socket_(socket) {}
  ~HelperClient() override;
  HelperClient(const HelperClient&) = delete;
  HelperClient& operator=(const HelperClient&) = delete;
  static Result<std::unique_ptr<HelperClient>> connect(const std::string& path);

  Status set(const std::string& path, int64_t value) override;
  Status set_cpus(const std::string& path, const std::vector<int>& cpus) override;
  Status restore() override;
  // Of a running process, through the helper, which gives everything back when this client ends.
  // The client has to outlive it.
  std::unique_ptr<ProcessControl> control(int pid);

 private:
  class RemoteProcess;
  Status ask(const std::string& line);
  int socket_;
  std::string received_;
};

// Starts a helper as a child process that outlives a killed parent for as long as restoring takes.
Result<std::unique_ptr<HelperClient>> start_helper(const std::string& root,
                                                   const std::vector<FrequencyBounds>& bounds);

}  // namespace edgewright
