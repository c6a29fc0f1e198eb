#include "power/govern/privileged.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

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

Status obey(Knobs& knobs, const std::string& line) {
  if (line == "restore") return knobs.restore();
  const size_t space = line.rfind(' ');
  int64_t value = 0;
  if (line.starts_with("set ") && space > 4) {
    const auto [end, code] =
        std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    if (code == std::errc() && end == line.data() + line.size()) {
      return knobs.set(line.substr(4, space - 4), value);
    }
  }
  return bad_input("found '{}', expected 'set PATH VALUE' or 'restore'", line.substr(0, 60));
}

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

void serve_knobs(SystemFiles& files, int socket) {
  Knobs knobs(files);
  std::string buffer, line;
  while (receive_line(socket, buffer, line)) {
    const Status status = obey(knobs, line);
    std::string answer = status.ok() ? "ok" : "error " + status.error().message;
    std::erase(answer, '\n');
    if (!send_all(socket, answer + "\n")) break;
  }
  (void)knobs.restore().ok();
}

Status serve_knobs_at(SystemFiles& files, const std::string& path, const volatile bool& stop) {
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
    serve_knobs(files, client);
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

Status HelperClient::restore() { return ask("restore"); }

Result<std::unique_ptr<HelperClient>> start_helper(const std::string& root) {
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
    serve_knobs(files, ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  return std::make_unique<HelperClient>(ends[0]);
}

}  // namespace edgewright
