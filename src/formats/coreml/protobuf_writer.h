#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace edgewright::coreml {

// A protobuf message being written: fields in the order of the calls, so that the same calls give
// the same bytes. Wire format: https://protobuf.dev/programming-guides/encoding/.
class Message {
 public:
  Message& number(int field, uint64_t value) {
    key(field, 0);
    varint(value);
    return *this;
  }
  Message& text(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  // An entry of a map from strings.
  Message& entry(int field, std::string_view name, const Message& value) {
    return message(field, Message().text(1, name).message(2, value));
  }

  // Elements of packed fields; the caller writes the field around them.
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  void fixed(float value) {
    auto bits = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i, bits >>= 8) bytes_ += static_cast<char>(bits & 0xff);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  void key(int field, int wire_type) {
    varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type));
  }
  std::string bytes_;
};

}  // namespace edgewright::coreml
