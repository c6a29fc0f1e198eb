#include "formats/coreml/weights_file.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace edgewright::coreml {
namespace {

constexpr size_t kAlignment = 64;
constexpr uint32_t kVersion = 2;
constexpr uint32_t kSentinel = 0xDEADBEEF;

// MILBlob/Blob/BlobDataType.hpp.
struct BlobType {
  DType dtype;
  uint32_t code;
};
constexpr BlobType kBlobTypes[] = {
    {DType::kFloat16, 1}, {DType::kFloat32, 2}, {DType::kUint8, 3}, {DType::kInt8, 4}};

const BlobType* find(DType dtype) {
  const auto* it = std::ranges::find(kBlobTypes, dtype, &BlobType::dtype);
  return it == std::end(kBlobTypes) ? nullptr : it;
}

// Little-endian, as the file's readers expect.
template <class T>
void put(std::string& bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}

template <class T>
T get(std::span<const std::byte> bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(std::to_integer<uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

}  // namespace

WeightsFile::WeightsFile() : bytes_(kAlignment, '\0') { put<uint32_t>(bytes_, 4, kVersion); }

bool WeightsFile::has(DType dtype) { return find(dtype) != nullptr; }

uint64_t WeightsFile::add(const Tensor& tensor) {
  const BlobType* type = find(tensor.dtype());
  EDGEWRIGHT_CHECK(type != nullptr);
  const size_t at = bytes_.size();
  const size_t data = at + kAlignment;
  bytes_.resize(data);
  put<uint32_t>(bytes_, at, kSentinel);
  put<uint32_t>(bytes_, at + 4, type->code);
  put<uint64_t>(bytes_, at + 8, tensor.size_bytes());
  put<uint64_t>(bytes_, at + 16, data);
  bytes_.append(reinterpret_cast<const char*>(tensor.bytes()), tensor.size_bytes());
  bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
  ++count_;
  return at;
}

std::string WeightsFile::finish() && {
  put<uint32_t>(bytes_, 0, count_);
  return std::move(bytes_);
}

Result<WeightsReader> WeightsReader::open(const std::string& path) {
  WeightsReader reader;
  EDGEWRIGHT_ASSIGN(reader.file_, MappedFile::open(path));
  const auto bytes = reader.file_->bytes();
  if (bytes.size() < kAlignment || get<uint32_t>(bytes, 4) != kVersion) {
    return bad_input("{}: found no blob storage of version {}", path, kVersion);
  }
  return reader;
}

Result<Tensor> WeightsReader::at(uint64_t offset, DType dtype, const Dims& dims) const {
  if (file_ == nullptr) return bad_input("the program has weights in a file, and there is none");
  const auto bytes = file_->bytes();
  const auto fail = [&](const std::string& what) {
    return bad_input("{}: the blob at byte {} {}", file_->path(), offset, what);
  };
  if (offset > bytes.size() || bytes.size() - offset < kAlignment) {
    return fail("lies beyond the end");
  }
  if (get<uint32_t>(bytes, offset) != kSentinel) return fail("does not begin with 0xDEADBEEF");
  const BlobType* type = find(dtype);
  if (type == nullptr || get<uint32_t>(bytes, offset + 4) != type->code) {
    return fail(fmt::format("has type {}, expected {}", get<uint32_t>(bytes, offset + 4),
                            dtype_name(dtype)));
  }
  const auto size = get<uint64_t>(bytes, offset + 8), data = get<uint64_t>(bytes, offset + 16);
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count > (int64_t{1} << 40) || size != dtype_bytes(dtype, static_cast<size_t>(count))) {
    return fail(fmt::format("has {} bytes for {} of {}", size, dims_text(dims), dtype_name(dtype)));
  }
  if (data > bytes.size() || bytes.size() - data < size) return fail("reaches beyond the end");
  return Tensor::view(dtype, dims, bytes.data() + data, file_);
}

}  // namespace edgewright::coreml
