#include "formats/coreml/protobuf_reader.h"

namespace edgewright::coreml {
namespace {

// Takes bytes from the front of a message.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ == bytes_.size(); }

  Result<uint64_t> varint() {
    uint64_t value = 0;
    // Seven bits a byte: ten bytes hold 64 bits.
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_end()) return bad_input("a number is cut off at byte {}", at_);
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return bad_input("a number of more than ten bytes at byte {}", at_);
  }

  Result<uint64_t> fixed(size_t size) {
    EDGEWRIGHT_ASSIGN(const std::string_view text, take(size));
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= static_cast<uint64_t>(static_cast<uint8_t>(text[i])) << (8 * i);
    }
    return value;
  }

  Result<std::string_view> take(uint64_t size) {
    if (size > bytes_.size() - at_) {
      return bad_input("a field of {} bytes at byte {}, {} are left", size, at_,
                       bytes_.size() - at_);
    }
    const std::string_view text = bytes_.substr(at_, size);
    at_ += size;
    return text;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<Field>> fields_of(std::string_view message) {
  std::vector<Field> fields;
  Cursor cursor(message);
  while (!cursor.at_end()) {
    EDGEWRIGHT_ASSIGN(const uint64_t key, cursor.varint());
    Field field;
    field.wire_type = key & 7;
    if (key >> 3 == 0 || key >> 3 >= uint64_t{1} << 29) {
      return bad_input("a field has the number {}", key >> 3);
    }
    field.number = static_cast<uint32_t>(key >> 3);
    switch (field.wire_type) {
      case 0: {
        EDGEWRIGHT_ASSIGN(field.value, cursor.varint());
        break;
      }
      case 1: {
        EDGEWRIGHT_ASSIGN(field.value, cursor.fixed(8));
        break;
      }
      case 2: {
        EDGEWRIGHT_ASSIGN(const uint64_t size, cursor.varint());
        EDGEWRIGHT_ASSIGN(field.bytes, cursor.take(size));
        break;
      }
      case 5: {
        EDGEWRIGHT_ASSIGN(field.value, cursor.fixed(4));
        break;
      }
      default: return bad_input("field {} has wire type {}", field.number, field.wire_type);
    }
    fields.push_back(field);
  }
  return fields;
}

Result<std::vector<uint64_t>> packed_varints(std::string_view bytes) {
  std::vector<uint64_t> values;
  Cursor cursor(bytes);
  while (!cursor.at_end()) {
    EDGEWRIGHT_ASSIGN(const uint64_t value, cursor.varint());
    values.push_back(value);
  }
  return values;
}

Result<std::string_view> text_of(const Field& field) {
  if (field.wire_type != 2) {
    return bad_input("field {} has wire type {}, expected 2", field.number, field.wire_type);
  }
  return field.bytes;
}

}  // namespace edgewright::coreml
