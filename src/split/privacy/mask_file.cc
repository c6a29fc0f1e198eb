#include "split/privacy/mask_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace edgewright {
namespace {

// At the beginning of the file; all little-endian.
struct Header {
  char magic[8] = {'E', 'W', 'M', 'A', 'S', 'K', 'S', '1'};
  uint64_t record_bytes = 0, requests = 0, taken = 0;
};
static_assert(sizeof(Header) == 32);

uint64_t record_bytes(const std::vector<size_t>& result_sizes) {
  uint64_t bytes = 0;
  for (const size_t size : result_sizes) bytes += sizeof(SealKey) + sizeof(uint64_t) * size;
  return bytes;
}

// Only one process takes at a time.
class Lock {
 public:
  explicit Lock(int descriptor) : descriptor_(descriptor) {
    is_held_ = ::flock(descriptor, LOCK_EX) == 0;
  }
  ~Lock() {
    if (is_held_) ::flock(descriptor_, LOCK_UN);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool is_held() const { return is_held_; }

 private:
  int descriptor_;
  bool is_held_ = false;
};

bool read_at(int descriptor, void* bytes, size_t size, uint64_t offset) {
  return ::pread(descriptor, bytes, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}
bool write_at(int descriptor, const void* bytes, size_t size, uint64_t offset) {
  return ::pwrite(descriptor, bytes, size, static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(size);
}

}  // namespace

Status MaskFile::write(const std::string& path, const std::vector<size_t>& result_sizes,
                       size_t requests, const std::function<OneTimeMask(size_t)>& draw) {
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  Header header;
  header.record_bytes = record_bytes(result_sizes);
  header.requests = requests;
  EDGEWRIGHT_TRY(file.write(std::as_bytes(std::span(&header, 1))));
  for (size_t request = 0; request < requests; ++request) {
    for (size_t layer = 0; layer < result_sizes.size(); ++layer) {
      const OneTimeMask mask = draw(layer);
      EDGEWRIGHT_CHECK(mask.second_product.size() == result_sizes[layer]);
      EDGEWRIGHT_TRY(file.write(mask.key));
      EDGEWRIGHT_TRY(file.write(std::as_bytes(std::span(mask.second_product))));
    }
  }
  return file.commit();
}

Result<MaskFile> MaskFile::open(const std::string& path, const std::vector<size_t>& result_sizes) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return bad_input("{}: cannot be opened: {}", path, std::strerror(errno));
  MaskFile file(path, descriptor, result_sizes);
  Header header, expected;
  struct stat facts{};
  const uint64_t bytes = record_bytes(result_sizes);
  const bool fits = read_at(descriptor, &header, sizeof header, 0) &&
                    std::memcmp(header.magic, expected.magic, sizeof header.magic) == 0 &&
                    header.record_bytes == bytes && ::fstat(descriptor, &facts) == 0 &&
                    header.requests <= (uint64_t{1} << 32) && header.taken <= header.requests &&
                    static_cast<uint64_t>(facts.st_size) == sizeof header + header.requests * bytes;
  if (!fits) {
    return bad_input(
        "{}: found no masks of these layers, expected a file of split share with records of {} "
        "bytes; share the model again",
        path, bytes);
  }
  file.requests_ = header.requests;
  return file;
}

MaskFile::MaskFile(std::string path, int descriptor, std::vector<size_t> result_sizes)
    : path_(std::move(path)), descriptor_(descriptor), result_sizes_(std::move(result_sizes)) {}

MaskFile::MaskFile(MaskFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(other.descriptor_),
      result_sizes_(std::move(other.result_sizes_)),
      requests_(other.requests_) {
  other.descriptor_ = -1;
}

MaskFile::~MaskFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<uint64_t> MaskFile::take(uint64_t requests) {
  const Lock lock(descriptor_);
  Header header;
  if (!lock.is_held() || !read_at(descriptor_, &header, sizeof header, 0)) {
    return internal_error("{}: cannot be read: {}", path_, std::strerror(errno));
  }
  const uint64_t left = requests_ - std::min(requests_, header.taken);
  if (requests > left) {
    return check_failed(
        "{}: found masks for {} more requests, expected {}; a mask is never used twice: share the "
        "model again",
        path_, left, requests);
  }
  const uint64_t begin = header.taken;
  header.taken += requests;
  if (!write_at(descriptor_, &header, sizeof header, 0) || ::fdatasync(descriptor_) != 0) {
    return internal_error("{}: cannot be written: {}", path_, std::strerror(errno));
  }
  return begin;
}

Result<std::vector<OneTimeMask>> MaskFile::read(uint64_t request) {
  EDGEWRIGHT_CHECK(request < requests_);
  std::vector<std::byte> record(record_bytes(result_sizes_));
  const uint64_t offset = sizeof(Header) + request * record.size();
  if (!read_at(descriptor_, record.data(), record.size(), offset)) {
    return bad_input("{}: ends before request {}", path_, request);
  }
  std::vector<OneTimeMask> masks;
  const std::byte* from = record.data();
  for (const size_t size : result_sizes_) {
    OneTimeMask& mask = masks.emplace_back();
    mask.second_product.resize(size);
    std::memcpy(mask.key.data(), from, sizeof mask.key);
    std::memcpy(mask.second_product.data(), from + sizeof mask.key, sizeof(uint64_t) * size);
    from += sizeof mask.key + sizeof(uint64_t) * size;
  }
  const std::vector<std::byte> nothing(record.size());
  if (!write_at(descriptor_, nothing.data(), nothing.size(), offset)) {
    return internal_error("{}: cannot be written: {}", path_, std::strerror(errno));
  }
  return masks;
}

Result<uint64_t> MaskFile::left() const {
  Header header;
  if (!read_at(descriptor_, &header, sizeof header, 0)) {
    return internal_error("{}: cannot be read: {}", path_, std::strerror(errno));
  }
  return requests_ - std::min(requests_, header.taken);
}

}  // namespace edgewright
