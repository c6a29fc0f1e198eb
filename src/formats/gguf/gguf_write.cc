#include <cstring>

#include "formats/gguf/gguf.h"

namespace edgewright {
namespace {

constexpr uint64_t kAlignment = 32;

// ggml_type of what can be written.
uint32_t code_of(WeightEncoding encoding) {
  switch (encoding) {
    case WeightEncoding::kF32: return 0;
    case WeightEncoding::kF16: return 1;
    case WeightEncoding::kQ4_0: return 2;
    case WeightEncoding::kQ8_0: return 8;
    case WeightEncoding::kBf16: return 30;
    default: EDGEWRIGHT_CHECK(false);
  }
  return 0;
}

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put_text(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

// The number of a value's type in the format.
uint32_t type_of(const Json& value) {
  if (value.is_boolean()) return 7;
  if (value.is_string()) return 8;
  if (value.is_array()) return 9;
  if (value.is_number_unsigned()) return 4;
  if (value.is_number_integer()) return value.get<int64_t>() < 0 ? 5 : 4;
  return 6;
}

void put_scalar(std::string& out, const Json& value, uint32_t type) {
  if (type == 7) put<uint8_t>(out, value.get<bool>() ? 1 : 0);
  if (type == 8) put_text(out, value.get_ref<const std::string&>());
  if (type == 4) put<uint32_t>(out, value.get<uint32_t>());
  if (type == 5) put<int32_t>(out, value.get<int32_t>());
  if (type == 6) put<float>(out, value.get<float>());
}

void put_value(std::string& out, const Json& value) {
  const uint32_t type = type_of(value);
  put(out, type);
  if (type != 9) return put_scalar(out, value, type);
  uint32_t item_type = value.empty() ? 5 : type_of(value[0]);
  // Token types are int32 by the format.
  if (item_type == 4) item_type = 5;
  put(out, item_type);
  put<uint64_t>(out, value.size());
  for (const Json& item : value) put_scalar(out, item, item_type);
}

Status write_rows(AtomicFile& file, const GgufTensor& tensor) {
  const int64_t rows = tensor.dims.size() < 2 ? 1 : tensor.dims[0];
  const int64_t columns = tensor.dims.back();
  std::vector<float> values(static_cast<size_t>(columns));
  std::vector<std::byte> bytes(static_cast<size_t>(encoded_bytes(tensor.encoding, columns)));
  for (int64_t row = 0; row < rows; ++row) {
    tensor.read_row(row, values);
    encode_weights(tensor.encoding, values, bytes);
    EDGEWRIGHT_TRY(file.write(bytes));
  }
  return file.pad_to(kAlignment);
}

}  // namespace

Status write_gguf(const std::string& path, const Json& metadata,
                  const std::vector<GgufTensor>& tensors) {
  std::string header = "GGUF";
  put<uint32_t>(header, 3);
  put<uint64_t>(header, tensors.size());
  put<uint64_t>(header, metadata.size());
  for (const auto& [key, value] : metadata.items()) {
    put_text(header, key);
    put_value(header, value);
  }
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    put_text(header, tensor.name);
    put<uint32_t>(header, static_cast<uint32_t>(tensor.dims.size()));
    int64_t elements = 1;
    for (auto dim = tensor.dims.rbegin(); dim != tensor.dims.rend(); ++dim) {
      put<uint64_t>(header, static_cast<uint64_t>(*dim));
      elements *= *dim;
    }
    if (tensor.dims.back() % encoding_shape(tensor.encoding).block_elements != 0) {
      return unsupported("{}: rows of {} values do not divide into {} blocks", tensor.name,
                         tensor.dims.back(), encoding_shape(tensor.encoding).name);
    }
    put<uint32_t>(header, code_of(tensor.encoding));
    put<uint64_t>(header, offset);
    const auto bytes = static_cast<uint64_t>(encoded_bytes(tensor.encoding, elements));
    offset += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  EDGEWRIGHT_TRY(file.write(header));
  EDGEWRIGHT_TRY(file.pad_to(kAlignment));
  for (const GgufTensor& tensor : tensors) EDGEWRIGHT_TRY(write_rows(file, tensor));
  return file.commit();
}

}  // namespace edgewright
