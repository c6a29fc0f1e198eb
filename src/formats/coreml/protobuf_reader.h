#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright::coreml {

// One field of a protobuf message. The text of `bytes` lies in the message.
struct Field {
  uint32_t number = 0;
  uint8_t wire_type = 0;   // 0 varint, 1 eight bytes, 2 text or message, 5 four bytes
  uint64_t value = 0;      // of wire types 0, 1 and 5
  std::string_view bytes;  // of wire type 2
};

// The fields of a message in their order. kBadInput where one reaches beyond its end or has a wire
// type that there is not. Wire format: https://protobuf.dev/programming-guides/encoding/.
Result<std::vector<Field>> fields_of(std::string_view message);

// Packed elements of a field: varints. kBadInput where the last is cut off.
Result<std::vector<uint64_t>> packed_varints(std::string_view bytes);

// What a field of another wire type than expected gives instead: an error.
Result<std::string_view> text_of(const Field& field);

}  // namespace edgewright::coreml
