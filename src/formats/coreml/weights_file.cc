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

}  // namespace edgewright::coreml
