#include "power/govern/privileged.h"

#include <fmt/ranges.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <map>

#include "power/govern/inventory.h"

namespace edgewright {
namespace {

constexpr size_t kMaxLine = 512;

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// The next line, or false at the end of the connection or of patience with a line's length.
bool receive_line(int socket, std::string& buffer, std::string& line) {
  while (true) {
    const size_t end = buffer.find('\n');
    if (end != std::string::npos) {
      line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      return true;
    }
    if (buffer.size() > kMaxLine) return false;
    char chunk[256];
    const ssize_t count = ::recv(socket, chunk, sizeof chunk, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    buffer.append(chunk, static_cast<size_t>(count));
  }
}

bool read_number(std::string_view text, int64_t& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

// Everything of one client: what it had set is given back when this ends.
class Desk {
 public:
  Desk(SystemFiles& files, const std::vector<FrequencyBounds>& bounds, int socket)
      : knobs_(files, bounds), socket_(socket) {}

  Status obey(const std::string& line) {
    if (line == "restore") return restore();
    const size_t first = line.find(' '), last = line.rfind(' ');
    if (first != std::string::npos) {
      const std::string word = line.substr(0, first), end = line.substr(last + 1);
      const std::string subject = first < last ? line.substr(first + 1, last - first - 1) : "";
      int64_t value = 0;
      if (word == "set" && read_number(end, value)) return knobs_.set(subject, value);
      if (word == "cpus") return knobs_.set_cpus(subject, parse_cpu_list(end));
      if (word == "affinity" && read_number(subject, value)) {
        EDGEWRIGHT_ASSIGN(ProcessControl * process, process_of(value));
        return process->set_affinity(parse_cpu_list(end));
      }
      const size_t space = subject.find(' ');
      int64_t low = 0, high = 0;
      if (word == "clamps" && space != std::string::npos &&
          read_number(subject.substr(0, space), value) &&
          read_number(subject.substr(space + 1), low) && read_number(end, high)) {
        EDGEWRIGHT_ASSIGN(ProcessControl * process, process_of(value));
        return set_clamps(*process, low, high);
      }
    }
    return bad_input(
        "found '{}', expected 'set PATH VALUE', 'cpus PATH LIST', 'affinity PID LIST', "
        "'clamps PID LOW HIGH' or 'restore'",
        line.substr(0, 60));
  }

 private:
  Status restore() {
    // Groups first: threads cannot go back to where their group does not reach.
    const Status status = knobs_.restore();
    processes_.clear();
    return status;
  }
  static Status set_clamps(ProcessControl& process, int64_t low, int64_t high) {
    constexpr int64_t kMost = 1024;
    if (low < 0 || low > high || high > kMost) {
      return bad_input("clamps {} to {}, expected 0 to {}", low, high, kMost);
    }
    return process.set_clamps(static_cast<int>(low), static_cast<int>(high));
  }
  // Root may name every process, others their own.
  Result<ProcessControl*> process_of(int64_t pid) {
    ucred client{};
    socklen_t size = sizeof client;
    struct stat folder{};
    if (pid <= 0 || pid > INT32_MAX || ::stat(fmt::format("/proc/{}", pid).c_str(), &folder) != 0) {
      return bad_input("there is no process {}", pid);
    }
    if (::getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &client, &size) != 0 ||
        (client.uid != 0 && client.uid != folder.st_uid)) {
      return bad_input("process {} is another user's", pid);
    }
    auto& process = processes_[pid];
    if (!process) process = control_process(static_cast<int>(pid));
    return process.get();
  }

  // Ended in reverse: affinities are given back after the CPUs of groups.
  std::map<int64_t, std::unique_ptr<ProcessControl>> processes_;
  Knobs knobs_;
  int socket_;
};

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return usage_error("socket path '{}', expected 1 to {} bytes", path,
                       sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

void serve_knobs(SystemFiles& files, int socket, const std::vector<FrequencyBounds>& bounds) {
  Desk desk(files, bounds, socket);
  std::string buffer, line;
  while (receive_line(socket, buffer, line)) {
    const Status status = desk.obey(line);
    std::string answer = status.ok() ? "ok" : "error " + status.error().message;
    std::erase(answer, '\n');
    if (!send_all(socket, answer + "\n")) break;
  }
}

Status serve_knobs_at(SystemFiles& files, const std::string& path,
                      const std::vector<FrequencyBounds>& bounds, const volatile bool& stop) {
  EDGEWRIGHT_ASSIGN(const sockaddr_un address, address_of(path));
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return internal_error("cannot make a socket: {}", std::strerror(errno));
  ::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const bool bound =
      ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(before);
  if (!bound || ::listen(listener, 1) != 0) {
    const std::string reason = std::strerror(errno);
    ::close(listener);
    return usage_error("cannot listen on {}: {}", path, reason);
  }
  while (!stop) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    serve_knobs(files, client, bounds);
    ::close(client);
  }
  ::close(listener);
  ::unlink(path.c_str());
  return {};
}

HelperClient::~HelperClient() { ::close(socket_); }

Result<std::unique_ptr<HelperClient>> HelperClient::connect(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const sockaddr_un address, address_of(path));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 ||
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string reason = std::strerror(errno);
    if (socket >= 0) ::close(socket);
    return usage_error("cannot reach the helper at {}: {}", path, reason);
  }
  return std::make_unique<HelperClient>(socket);
}

Status HelperClient::ask(const std::string& line) {
  std::string answer;
  if (!send_all(socket_, line + "\n") || !receive_line(socket_, received_, answer)) {
    return bad_input("the helper is gone");
  }
  if (answer == "ok") return {};
  return bad_input("{}", answer.starts_with("error ") ? answer.substr(6) : answer);
}

Status HelperClient::set(const std::string& path, int64_t value) {
  return ask(fmt::format("set {} {}", path, value));
}

Status HelperClient::set_cpus(const std::string& path, const std::vector<int>& cpus) {
  return ask(fmt::format("cpus {} {}", path, fmt::join(cpus, ",")));
}

class HelperClient::RemoteProcess : public ProcessControl {
 public:
  RemoteProcess(HelperClient& helper, int pid) : helper_(helper), pid_(pid) {}
  Status set_affinity(const std::vector<int>& cpus) override {
    return helper_.ask(fmt::format("affinity {} {}", pid_, fmt::join(cpus, ",")));
  }
  Status set_clamps(int lowest, int highest) override {
    return helper_.ask(fmt::format("clamps {} {} {}", pid_, lowest, highest));
  }

 private:
  HelperClient& helper_;
  int pid_;
};

std::unique_ptr<ProcessControl> HelperClient::control(int pid) {
  return std::make_unique<RemoteProcess>(*this, pid);
}

Status HelperClient::restore() { return ask("restore"); }

Result<std::unique_ptr<HelperClient>> start_helper(const std::string& root,
                                                   const std::vector<FrequencyBounds>& bounds) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return internal_error("cannot make a socket pair: {}", std::strerror(errno));
  }
  const pid_t child = ::fork();
  if (child < 0) return internal_error("cannot start the helper: {}", std::strerror(errno));
  if (child == 0) {
    ::close(ends[0]);
    // What ends the parent must not end its child before everything is restored.
    ::setsid();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
      ::signal(signal, SIG_IGN);
    }
    RootedFiles files(root);
    serve_knobs(files, ends[1], bounds);
    ::_exit(0);
  }
  ::close(ends[1]);
  return std::make_unique<HelperClient>(ends[0]);
}

}  // namespace edgewright
