#include "power/govern/system_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace edgewright {
namespace {

constexpr size_t kMaxText = size_t{1} << 16;  // /proc/stat of a large machine

// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

Error failed(const std::string& path, const char* what) {
  return bad_input("cannot {} {}: {}", what, path, std::strerror(errno));
}

}  // namespace

Result<int64_t> SystemFiles::read_number(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read(path));
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return bad_input("{}: found '{}', expected a number", path, text.substr(0, 40));
  }
  return value;
}

RootedFiles::RootedFiles(std::string root) : root_(std::move(root)) {
  if (!root_.ends_with('/')) root_ += '/';
}

Result<std::string> RootedFiles::read(const std::string& path) {
  const Descriptor file(::open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failed(path, "open");
  std::string text(kMaxText, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, "read");
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  text.resize(size);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Status RootedFiles::write(const std::string& path, const std::string& text) {
  // Files of the kernel exist or do not; one is never made. A write is whole or fails.
  const Descriptor file(::open((root_ + path).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file.get() < 0) return failed(path, "open");
  const std::string line = text + "\n";
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return failed(path, "write");
  }
  return {};
}

std::vector<std::string> RootedFiles::list(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(root_ + folder, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace edgewright
