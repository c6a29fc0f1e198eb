#include "llm/protobuf_reader.h"

#include <bit>

namespace edgewright {

bool ProtobufReader::varint(uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

bool ProtobufReader::fixed(size_t size_bytes) {
  if (rest_.size() < size_bytes) return false;
  number_ = 0;
  for (size_t i = 0; i < size_bytes; ++i) {
    number_ |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
  }
  rest_.remove_prefix(size_bytes);
  return true;
}

bool ProtobufReader::next() {
  if (!ok_ || rest_.empty()) return false;
  uint64_t key = 0;
  ok_ = varint(key);
  field_ = static_cast<int>(key >> 3 & 0x1fffffff);
  bytes_ = {};
  if (!ok_) return false;
  switch (key & 7) {
    case 0: ok_ = varint(number_); break;
    case 1: ok_ = fixed(8); break;
    case 2: {
      uint64_t length = 0;
      ok_ = varint(length) && length <= rest_.size();
      if (!ok_) break;
      bytes_ = rest_.substr(0, length);
      rest_.remove_prefix(length);
      break;
    }
    case 5: ok_ = fixed(4); break;
    default: ok_ = false;
  }
  return ok_;
}

float ProtobufReader::as_float() const {
  return std::bit_cast<float>(static_cast<uint32_t>(number_));
}

void ProtobufWriter::varint(uint64_t value) {
  while (value >= 128) {
    out_.push_back(static_cast<char>(value | 128));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void ProtobufWriter::number(int field, uint64_t value) {
  varint(static_cast<uint64_t>(field) << 3);
  varint(value);
}

void ProtobufWriter::real(int field, float value) {
  varint(static_cast<uint64_t>(field) << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int i = 0; i < 4; ++i) out_.push_back(static_cast<char>(bits >> (8 * i)));
}

void ProtobufWriter::bytes(int field, std::string_view value) {
  varint(static_cast<uint64_t>(field) << 3 | 2);
  varint(value.size());
  out_ += value;
}

}  // namespace edgewright
