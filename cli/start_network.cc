#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "network.h"

namespace edgewright::cli {
namespace {

// The words of this process's own command line.
std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> words;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find('\0', begin), all.size());
    words.push_back(all.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// Returns only when it cannot.
Error become_network_program() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "edgewright-serve").string();
  if (error || !std::filesystem::exists(program, error)) {
    return unsupported(
        "this build has no server and no client of one: {} is not there; it is built where gRPC, "
        "OpenSSL, Boost.Beast "
        "and prometheus-cpp are found (EDGEWRIGHT_SERVER=ON)",
        program);
  }
  std::vector<std::string> words = own_arguments();
  if (words.empty()) return internal_error("cannot read /proc/self/cmdline");
  words[0] = program;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  return internal_error("cannot start {}: {}", program, std::strerror(errno));
}

}  // namespace

namespace network {

Result<Outcome> serve(const ServerSettings& /*settings*/) { return become_network_program(); }

Result<SplitRunReport> run_split(const SplitRunOptions& /*options*/) {
  return become_network_program();
}

Result<SecretRunReport> run_secret(const SecretRunOptions& /*options*/) {
  return become_network_program();
}

Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& /*options*/) {
  return become_network_program();
}

Result<LinkProbeReport> probe_link(const LinkProbeOptions& /*options*/) {
  return become_network_program();
}

Result<RemoteSpeculateReport> speculate_remotely(const RemoteSpeculateOptions& /*options*/) {
  return become_network_program();
}

}  // namespace network

}  // namespace edgewright::cli
