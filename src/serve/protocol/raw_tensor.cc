#include "serve/protocol/raw_tensor.h"

#include <bit>
#include <cstring>

#include "serve/protocol/datatype.h"

namespace edgewright::oip {
namespace {

static_assert(std::endian::native == std::endian::little, "raw tensors are little-endian");

constexpr size_t kLengthBytes = 4;

Result<Tensor> strings_from_raw(Dims dims, size_t count, std::string_view bytes) {
  // Every element takes its length at least, which bounds what is allocated.
  if (bytes.size() / kLengthBytes < count) {
    return bad_input("found {} bytes for {} strings, expected {} or more", bytes.size(), count,
                     count * kLengthBytes);
  }
  std::vector<std::string> elements;
  elements.reserve(count);
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (bytes.size() - at < kLengthBytes) {
      return bad_input("string {} of {} begins beyond the {} bytes of data", i, count,
                       bytes.size());
    }
    std::memcpy(&length, bytes.data() + at, kLengthBytes);
    at += kLengthBytes;
    if (bytes.size() - at < length) {
      return bad_input("string {} of {} has {} bytes, of which {} are there", i, count, length,
                       bytes.size() - at);
    }
    elements.emplace_back(bytes.substr(at, length));
    at += length;
  }
  if (at != bytes.size()) {
    return bad_input("{} bytes follow the last of {} strings", bytes.size() - at, count);
  }
  return Tensor::strings(std::move(dims), std::move(elements));
}

}  // namespace

size_t raw_bytes(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString) return tensor.size_bytes();
  size_t total = 0;
  for (const std::string& text : tensor.string_elements()) total += kLengthBytes + text.size();
  return total;
}

void append_raw(const Tensor& tensor, std::string& out) {
  if (tensor.dtype() != DType::kString) {
    out.append(reinterpret_cast<const char*>(tensor.bytes()), tensor.size_bytes());
    return;
  }
  for (const std::string& text : tensor.string_elements()) {
    const auto length = static_cast<uint32_t>(text.size());
    char prefix[kLengthBytes];
    std::memcpy(prefix, &length, kLengthBytes);
    out.append(prefix, kLengthBytes);
    out.append(text);
  }
}

Result<Tensor> tensor_from_raw(DType dtype, Dims dims, std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (dtype == DType::kString) {
    return strings_from_raw(std::move(dims), static_cast<size_t>(count), bytes);
  }
  const auto elements = static_cast<size_t>(count);
  const auto width = static_cast<size_t>(dtype_bits(dtype)) / 8;
  // The first test keeps the product from overflowing.
  if (width == 0 || elements > bytes.size() || elements * width != bytes.size()) {
    return bad_input("found {} bytes of data, expected {} elements of {} bytes each", bytes.size(),
                     elements, width);
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  if (!bytes.empty()) std::memcpy(tensor.mutable_bytes(), bytes.data(), bytes.size());
  if (dtype == DType::kBool) {
    // A bool that is neither 0 nor 1 would be undefined in every kernel that reads it.
    for (std::byte* at = tensor.mutable_bytes(); at != tensor.mutable_bytes() + elements; ++at) {
      *at = *at == std::byte{0} ? std::byte{0} : std::byte{1};
    }
  }
  return tensor;
}

}  // namespace edgewright::oip
