#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace edgewright {

// Walks the fields of one protocol buffer message in its wire form, without a schema:
// https://protobuf.dev/programming-guides/encoding.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : rest_(bytes) {}

  // Moves to the next field; false at the end or when the rest is malformed (ok() tells which).
  bool next();
  bool ok() const { return ok_; }

  int field() const { return field_; }
  uint64_t number() const { return number_; }        // of a varint or fixed field
  std::string_view bytes() const { return bytes_; }  // of a length-delimited field
  float as_float() const;

 private:
  bool varint(uint64_t& value);
  bool fixed(size_t size_bytes);
  std::string_view rest_, bytes_;
  uint64_t number_ = 0;
  int field_ = 0;
  bool ok_ = true;
};

// Writes fields in the same form.
class ProtobufWriter {
 public:
  void number(int field, uint64_t value);
  void real(int field, float value);
  void bytes(int field, std::string_view value);
  const std::string& text() const { return out_; }

 private:
  void varint(uint64_t value);
  std::string out_;
};

}  // namespace edgewright
