#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace edgewright {
namespace {

// Writes are gathered to this size, that of a large page of most systems.
constexpr size_t kPieceBytes = size_t{1} << 21;

// The mappings that live now, begin -> end, so that release_pages() can tell them from other
// memory.
struct Mappings {
  std::mutex mutex;
  std::map<uintptr_t, uintptr_t> ranges;
};
Mappings& mappings() {
  static Mappings instance;
  return instance;
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Status write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return internal_error("cannot write {}: {}; free some space or choose another folder", path,
                            std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return bad_input("cannot open {}: {}", path, std::strerror(errno));
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return bad_input("{} is not a regular file", path);
  }
  const auto size_bytes = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size_bytes > 0) {
    data = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  ::close(descriptor);
  if (data == MAP_FAILED) return internal_error("cannot map {}: {}", path, std::strerror(errno));
#ifdef MADV_HUGEPAGE
  // Only a wish: what is read from the disk from now on comes in large pages where it can.
  if (size_bytes >= kPieceBytes) ::madvise(data, size_bytes, MADV_HUGEPAGE);
#endif
  if (size_bytes > 0) {
    const auto begin = reinterpret_cast<uintptr_t>(data);
    const std::lock_guard lock(mappings().mutex);
    mappings().ranges[begin] = begin + size_bytes;
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(data), size_bytes));
}

MappedFile::~MappedFile() {
  if (size_bytes_ == 0) return;
  {
    const std::lock_guard lock(mappings().mutex);
    mappings().ranges.erase(reinterpret_cast<uintptr_t>(data_));
  }
  ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void MappedFile::release_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  const std::lock_guard lock(mappings().mutex);
  const auto next = mappings().ranges.upper_bound(begin);
  if (bytes.empty() || next == mappings().ranges.begin()) return;
  if (end > std::prev(next)->second) return;
  // The mapping is private but never written, so that nothing can be lost.
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  std::string temporary = path + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return usage_error("cannot create a file beside {}: {}; does the folder exist?", path,
                       std::strerror(errno));
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor, 0666 & ~mask);
  return AtomicFile(path, std::move(temporary), descriptor);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_),
      buffer_(std::move(other.buffer_)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::flush() {
  EDGEWRIGHT_TRY(write_all(descriptor_, as_bytes(buffer_), path_));
  buffer_.clear();
  return {};
}

// What is written comes in whole pieces at multiples of a piece's size: the system then keeps the
// file in large pages, which a mapping of it reads with fewer look-ups of addresses.
Status AtomicFile::write(std::span<const std::byte> bytes) {
  size_bytes_ += bytes.size();
  const size_t missing = kPieceBytes - buffer_.size();
  if (bytes.size() < missing) {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), missing);
  EDGEWRIGHT_TRY(flush());
  bytes = bytes.subspan(missing);
  const size_t whole = bytes.size() / kPieceBytes * kPieceBytes;
  EDGEWRIGHT_TRY(write_all(descriptor_, bytes.first(whole), path_));
  buffer_.append(reinterpret_cast<const char*>(bytes.data()) + whole, bytes.size() - whole);
  return {};
}

Status AtomicFile::write(std::string_view text) { return write(as_bytes(text)); }

Status AtomicFile::pad_to(size_t alignment) {
  const size_t rest = size_bytes_ % alignment;
  return rest == 0 ? Status() : write(std::string(alignment - rest, '\0'));
}

Status AtomicFile::commit() {
  EDGEWRIGHT_TRY(flush());
  if (::close(std::exchange(descriptor_, -1)) != 0 ||
      ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    return internal_error("cannot finish {}: {}", path_, std::strerror(reason));
  }
  return {};
}

Status write_file(const std::string& path, std::string_view text) {
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  EDGEWRIGHT_TRY(file.write(text));
  return file.commit();
}

Result<std::string> read_file(const std::string& path, size_t limit_bytes) {
  EDGEWRIGHT_ASSIGN(auto file, MappedFile::open(path));
  const auto bytes = file->bytes();
  if (bytes.size() > limit_bytes) {
    return bad_input("{} has {} bytes, at most {} are expected", path, bytes.size(), limit_bytes);
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace edgewright
