#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/quote.h"
#include "formats/gguf/gguf.h"

namespace edgewright {
namespace {

// The types of metadata values, by the numbers of the format.
enum ValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

constexpr uint64_t kMaxTensors = 1 << 20;
constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxItems = 1 << 22;
constexpr size_t kMaxNameBytes = 65535;

struct EncodingCode {
  uint32_t code;
  WeightEncoding encoding;
};
// ggml_type.
constexpr EncodingCode kEncodings[] = {
    {0, WeightEncoding::kF32},  {1, WeightEncoding::kF16},   {2, WeightEncoding::kQ4_0},
    {3, WeightEncoding::kQ4_1}, {6, WeightEncoding::kQ5_0},  {7, WeightEncoding::kQ5_1},
    {8, WeightEncoding::kQ8_0}, {12, WeightEncoding::kQ4K},  {13, WeightEncoding::kQ5K},
    {14, WeightEncoding::kQ6K}, {30, WeightEncoding::kBf16},
};

// Types that files hold and that are not computed here: their sizes tell a newer or rarer type from
// a damaged number. https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
struct UnreadType {
  uint32_t code;
  const char* name;
  int64_t block_elements, block_bytes;
};
constexpr UnreadType kUnread[] = {
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return at_; }
  size_t rest() const { return bytes_.size() - at_; }

  template <class T>
  Result<T> number() {
    if (rest() < sizeof(T)) return short_file(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  Result<std::string> text(size_t limit) {
    EDGEWRIGHT_ASSIGN(const auto length, number<uint64_t>());
    if (length > rest()) return short_file(length);
    if (length > limit) {
      return bad_input("offset {}: found a name of {} bytes, expected at most {}", at_, length,
                       limit);
    }
    std::string value(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return value;
  }

  Result<Json> value(uint32_t type) {
    switch (type) {
      case kUint8: return json<uint8_t>();
      case kInt8: return json<int8_t>();
      case kUint16: return json<uint16_t>();
      case kInt16: return json<int16_t>();
      case kUint32: return json<uint32_t>();
      case kInt32: return json<int32_t>();
      case kUint64: return json<uint64_t>();
      case kInt64: return json<int64_t>();
      case kFloat32: return json<float>();
      case kFloat64: return json<double>();
      case kBool: {
        EDGEWRIGHT_ASSIGN(const auto flag, number<uint8_t>());
        return Json(flag != 0);
      }
      case kString: {
        EDGEWRIGHT_ASSIGN(std::string string, text(rest()));
        return Json(std::move(string));
      }
      case kArray: return list();
      default: return bad_input("offset {}: found a value of unknown type {}", at_, type);
    }
  }

 private:
  template <class T>
  Result<Json> json() {
    EDGEWRIGHT_ASSIGN(const auto value, number<T>());
    return Json(value);
  }

  Result<Json> list() {
    EDGEWRIGHT_ASSIGN(const auto type, number<uint32_t>());
    EDGEWRIGHT_ASSIGN(const auto count, number<uint64_t>());
    if (type == kArray) return bad_input("offset {}: lists of lists are not supported", at_);
    if (count > kMaxItems || count > rest()) {
      return bad_input("offset {}: found a list of {} items with {} bytes left", at_, count,
                       rest());
    }
    Json items = Json::array();
    for (uint64_t i = 0; i < count; ++i) {
      EDGEWRIGHT_ASSIGN(Json item, value(type));
      items.push_back(std::move(item));
    }
    return items;
  }

  Error short_file(uint64_t wanted) const {
    return bad_input("offset {}: expected {} more bytes, found {}; the file is cut short", at_,
                     wanted, rest());
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

struct TensorEntry {
  std::string name;
  uint32_t type = 0;
  Dims dims;
  uint64_t offset = 0;
};

Result<TensorEntry> read_entry(Reader& reader) {
  TensorEntry entry;
  EDGEWRIGHT_ASSIGN(entry.name, reader.text(kMaxNameBytes));
  EDGEWRIGHT_ASSIGN(const auto rank, reader.number<uint32_t>());
  if (rank > 4) return bad_input("found {} dimensions, expected at most 4", rank);
  for (uint32_t i = 0; i < rank; ++i) {
    EDGEWRIGHT_ASSIGN(const auto dim, reader.number<uint64_t>());
    if (dim == 0 || dim > uint64_t{1} << 40) return bad_input("found a dimension of {}", dim);
    entry.dims.push_back(static_cast<int64_t>(dim));
  }
  std::ranges::reverse(entry.dims);
  EDGEWRIGHT_ASSIGN(entry.type, reader.number<uint32_t>());
  EDGEWRIGHT_ASSIGN(entry.offset, reader.number<uint64_t>());
  return entry;
}

// Why a type is not read: it is none, its weight would not fill the `room_bytes` up to the next
// one, or it is one that is not computed.
Error type_error(const TensorEntry& entry, uint64_t room_bytes, uint64_t alignment) {
  constexpr const char* kRead =
      "expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K";
  const auto* found = std::ranges::find(kUnread, entry.type, &UnreadType::code);
  if (found == std::end(kUnread)) {
    return bad_input("ggml type {} is none that holds weights; {}", entry.type, kRead);
  }
  const auto elements = checked_element_count(entry.dims);
  if (!elements.ok()) return elements.error();
  const uint64_t blocks = static_cast<uint64_t>(*elements / found->block_elements);
  const auto block_bytes = static_cast<uint64_t>(found->block_bytes);
  const int64_t columns = entry.dims.empty() ? 1 : entry.dims.back();
  const bool is_whole = columns % found->block_elements == 0;
  if (!is_whole || blocks > room_bytes / block_bytes ||
      room_bytes - blocks * block_bytes >= alignment) {
    return bad_input("{} {} does not fill the {} bytes up to the next weight",
                     dims_text(entry.dims), found->name, room_bytes);
  }
  return unsupported("weights of type {} are not supported; {}", found->name, kRead);
}

Result<StoredWeight> weight_of(const TensorEntry& entry, std::span<const std::byte> data,
                               uint64_t room_bytes, uint64_t alignment) {
  const auto* found = std::ranges::find(kEncodings, entry.type, &EncodingCode::code);
  if (found == std::end(kEncodings)) return type_error(entry, room_bytes, alignment);
  StoredWeight weight;
  weight.encoding = found->encoding;
  weight.dims = entry.dims;
  const EncodingShape& shape = encoding_shape(weight.encoding);
  EDGEWRIGHT_ASSIGN(const int64_t elements, checked_element_count(entry.dims));
  const int64_t columns = entry.dims.empty() ? 1 : entry.dims.back();
  if (columns % shape.block_elements != 0) {
    return bad_input("rows of {} values do not divide into {} blocks of {}", columns, shape.name,
                     shape.block_elements);
  }
  const int64_t blocks = elements / shape.block_elements;
  if (blocks > std::ssize(data) / shape.block_bytes || entry.offset > data.size() ||
      blocks * shape.block_bytes > std::ssize(data) - static_cast<int64_t>(entry.offset)) {
    return bad_input("{} {} at offset {} does not fit the {} bytes of data", dims_text(entry.dims),
                     shape.name, entry.offset, data.size());
  }
  weight.bytes = data.subspan(entry.offset, static_cast<size_t>(blocks * shape.block_bytes));
  return weight;
}

Result<Json> read_metadata(Reader& reader, uint64_t count) {
  Json metadata = Json::object();
  for (uint64_t i = 0; i < count; ++i) {
    EDGEWRIGHT_ASSIGN(const std::string key, reader.text(kMaxNameBytes));
    EDGEWRIGHT_ASSIGN(const auto type, reader.number<uint32_t>());
    Result<Json> value = reader.value(type);
    if (!value.ok()) return std::move(value).error().at(edgewright::quoted(key));
    metadata[key] = *std::move(value);
  }
  return metadata;
}

Result<uint64_t> alignment_of(const Json& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return uint64_t{32};
  if (found->is_number_unsigned()) {
    const auto value = found->get<uint64_t>();
    if (value >= 1 && value <= 65536 && (value & (value - 1)) == 0) return value;
  }
  return bad_input("found general.alignment {}, expected a power of two up to 65536",
                   found->dump(-1, ' ', true, Json::error_handler_t::replace));
}

Result<GgufFile> read_bytes(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  EDGEWRIGHT_ASSIGN(const auto magic, reader.number<uint32_t>());
  if (magic != 0x46554747) return bad_input("expected a GGUF file, which begins with GGUF");
  EDGEWRIGHT_ASSIGN(const auto version, reader.number<uint32_t>());
  if (version != 2 && version != 3) {
    // So far there have been three; a little room for those to come.
    constexpr uint32_t kHighest = 16;
    if (version == 0 || version > kHighest) {
      return bad_input("GGUF version {}, expected 2 or 3", version);
    }
    return unsupported("GGUF version {} is not supported, only 2 and 3", version);
  }
  EDGEWRIGHT_ASSIGN(const auto tensors, reader.number<uint64_t>());
  EDGEWRIGHT_ASSIGN(const auto keys, reader.number<uint64_t>());
  if (tensors > kMaxTensors || keys > kMaxKeys) {
    return bad_input("found {} tensors and {} keys, expected at most {} and {}", tensors, keys,
                     kMaxTensors, kMaxKeys);
  }
  GgufFile file;
  EDGEWRIGHT_ASSIGN(file.metadata, read_metadata(reader, keys));
  std::vector<TensorEntry> entries;
  for (uint64_t i = 0; i < tensors; ++i) {
    EDGEWRIGHT_ASSIGN(TensorEntry entry, read_entry(reader));
    entries.push_back(std::move(entry));
  }
  EDGEWRIGHT_ASSIGN(const uint64_t alignment, alignment_of(file.metadata));
  const uint64_t begin = (reader.offset() + alignment - 1) / alignment * alignment;
  const auto data = bytes.subspan(std::min<uint64_t>(begin, bytes.size()));
  std::vector<uint64_t> offsets;
  for (const TensorEntry& entry : entries) offsets.push_back(entry.offset);
  std::ranges::sort(offsets);
  for (const TensorEntry& entry : entries) {
    const auto next = std::ranges::upper_bound(offsets, entry.offset);
    const uint64_t end = next == offsets.end() ? data.size() : *next;
    const uint64_t room_bytes = end - std::min(end, entry.offset);
    Result<StoredWeight> weight = weight_of(entry, data, room_bytes, alignment);
    if (!weight.ok()) return std::move(weight).error().at(edgewright::quoted(entry.name));
    if (!file.set.weights.emplace(entry.name, *std::move(weight)).second) {
      return bad_input("the weight {} is there twice", edgewright::quoted(entry.name));
    }
  }
  return file;
}

}  // namespace

Result<GgufFile> read_gguf(const std::string& path) {
  EDGEWRIGHT_ASSIGN(auto mapped, MappedFile::open(path));
  Result<GgufFile> file = read_bytes(mapped->bytes());
  if (!file.ok()) return std::move(file).error().at(path);
  file->set.files.push_back(std::move(mapped));
  return file;
}

}  // namespace edgewright
