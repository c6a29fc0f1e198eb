#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace edgewright {

// A file mapped read-only. Shared ownership lets tensors point into it.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }
  const std::string& path() const { return path_; }

  // Gives the memory behind these bytes back to the system; it is read again from the file when
  // touched. Bytes that are not of a mapped file are left alone. For long walks over large files.
  static void release_pages(std::span<const std::byte> bytes);

 private:
  MappedFile(std::string path, const std::byte* data, size_t size_bytes)
      : path_(std::move(path)), data_(data), size_bytes_(size_bytes) {}
  std::string path_;
  const std::byte* data_;
  size_t size_bytes_;
};

// A file that appears under its name only when commit() has been called and everything is on
// disk: it is written beside it under a temporary name and renamed. Dropped without commit, it
// leaves nothing.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  // Fills with zero bytes up to a multiple of the alignment.
  Status pad_to(size_t alignment);
  size_t size_bytes() const { return size_bytes_; }
  Status commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  Status flush();
  std::string path_, temporary_;
  int descriptor_;
  size_t size_bytes_ = 0;
  std::string buffer_;
};

Status write_file(const std::string& path, std::string_view text);
// Reads a whole file; one longer than the limit is refused.
Result<std::string> read_file(const std::string& path, size_t limit_bytes = size_t{1} << 30);

}  // namespace edgewright
