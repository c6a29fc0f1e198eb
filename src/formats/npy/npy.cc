#include "formats/npy/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/file.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeRow {
  std::string_view code;  // NumPy's type character and size, without the byte order
  DType dtype;
};
constexpr TypeRow kTypes[] = {
    {"f4", DType::kFloat32},   {"f8", DType::kFloat64},     {"f2", DType::kFloat16},
    {"i1", DType::kInt8},      {"i2", DType::kInt16},       {"i4", DType::kInt32},
    {"i8", DType::kInt64},     {"u1", DType::kUint8},       {"u2", DType::kUint16},
    {"u4", DType::kUint32},    {"u8", DType::kUint64},      {"b1", DType::kBool},
    {"c8", DType::kComplex64}, {"c16", DType::kComplex128},
};

struct Header {
  std::string type;
  bool fortran = false;
  Dims dims;
  size_t data_offset = 0;
};

// The text after 'KEY': in the header's dictionary.
Result<std::string_view> field(std::string_view dictionary, std::string_view key) {
  const size_t at = dictionary.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return bad_input("the .npy header lacks '{}'", key);
  std::string_view rest = dictionary.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

Result<Dims> parse_shape(std::string_view text) {
  const size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == std::string_view::npos) {
    return bad_input("the shape in the .npy header is not a tuple");
  }
  Dims dims;
  std::string_view rest = text.substr(1, end - 1);
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.empty()) return dims;
    int64_t dim = 0;
    const auto [stop, code] = std::from_chars(rest.data(), rest.data() + rest.size(), dim);
    if (code != std::errc() || dim < 0)
      return bad_input("the shape in the .npy header is not numbers");
    dims.push_back(dim);
    rest.remove_prefix(static_cast<size_t>(stop - rest.data()));
  }
}

Result<Header> parse_header(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 12 || text.substr(0, kMagic.size()) != kMagic) {
    return bad_input("not a .npy file: it does not begin with \\x93NUMPY");
  }
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(text[i])); };
  const size_t version = byte(6);
  if (version < 1 || version > 3) return bad_input(".npy version {}, expected 1 to 3", version);
  const size_t begin = version == 1 ? 10 : 12;
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > text.size() - begin) return bad_input("the .npy header is cut short");
  const std::string_view dictionary = text.substr(begin, length);
  Header header;
  EDGEWRIGHT_ASSIGN(const std::string_view type, field(dictionary, "descr"));
  EDGEWRIGHT_ASSIGN(const std::string_view order, field(dictionary, "fortran_order"));
  EDGEWRIGHT_ASSIGN(const std::string_view shape, field(dictionary, "shape"));
  const size_t close = type.find('\'', 1);
  if (type.empty() || type[0] != '\'' || close == std::string_view::npos) {
    return bad_input("arrays of records are not supported; save plain arrays");
  }
  header.type = type.substr(1, close - 1);
  header.fortran = order.substr(0, 4) == "True";
  EDGEWRIGHT_ASSIGN(header.dims, parse_shape(shape));
  header.data_offset = begin + length;
  return header;
}

Result<Tensor> parse_strings(const Header& header, std::span<const std::byte> data) {
  const bool wide = header.type[1] == 'U';
  size_t width = 0;
  const char* end = header.type.data() + header.type.size();
  if (std::from_chars(header.type.data() + 2, end, width).ptr != end || width > (1 << 24)) {
    return bad_input("string type '{}' of a .npy file", header.type);
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(header.dims));
  const size_t item = width * (wide ? 4 : 1);
  if (item > 0 && data.size() / item < static_cast<size_t>(count)) {
    return bad_input("the .npy file is cut short");
  }
  if (item == 0 && count > (1 << 20)) return bad_input("too many empty strings");
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(DType::kString, header.dims));
  for (int64_t i = 0; i < count; ++i) {
    std::string& out = tensor.mutable_string_elements()[static_cast<size_t>(i)];
    for (size_t c = 0; c < width; ++c) {
      uint32_t code = 0;
      std::memcpy(&code, data.data() + static_cast<size_t>(i) * item + c * (wide ? 4 : 1),
                  wide ? 4 : 1);
      if (code == 0) break;
      // UTF-8; the S type is bytes already.
      if (!wide || code < 0x80) {
        out += static_cast<char>(code);
      } else if (code < 0x800) {
        out += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
      } else if (code < 0x10000) {
        out += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                static_cast<char>(0x80 | (code & 63))};
      } else {
        out += {static_cast<char>(0xf0 | (code >> 18 & 7)),
                static_cast<char>(0x80 | (code >> 12 & 63)),
                static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
      }
    }
  }
  return tensor;
}

// Rearranges Fortran order (first index fastest) into C order.
Result<Tensor> from_fortran(const Tensor& tensor, const Dims& dims) {
  EDGEWRIGHT_ASSIGN(Tensor out, Tensor::allocate_uninitialised(tensor.dtype(), dims));
  const auto size = static_cast<size_t>(dtype_bits(tensor.dtype()) / 8);
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t i = 0; i < out.element_count(); ++i) {
    int64_t from = 0;
    for (size_t a = dims.size(); a-- > 0;) from = from * dims[a] + index[a];
    std::memcpy(out.mutable_bytes() + static_cast<size_t>(i) * size,
                tensor.bytes() + static_cast<size_t>(from) * size, size);
    for (size_t a = dims.size(); a-- > 0;) {
      if (++index[a] < dims[a]) break;
      index[a] = 0;
    }
  }
  return out;
}

const TypeRow* row_of(DType dtype) {
  const auto it = std::ranges::find(kTypes, dtype, &TypeRow::dtype);
  return it == std::end(kTypes) ? nullptr : &*it;
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> bytes) {
  EDGEWRIGHT_ASSIGN(const Header header, parse_header(bytes));
  const auto data = bytes.subspan(header.data_offset);
  const std::string_view type = header.type;
  if (type.size() > 2 && (type[1] == 'U' || type[1] == 'S') && type[0] != '>') {
    return parse_strings(header, data);
  }
  const auto row = std::ranges::find_if(
      kTypes, [&](const TypeRow& r) { return !type.empty() && type.substr(1) == r.code; });
  if (row == std::end(kTypes) || (type[0] == '>' && row->code.back() != '1')) {
    return bad_input("element type '{}' of a .npy file; expected a little-endian number or bool",
                     type);
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(header.dims));
  const auto item = static_cast<size_t>(dtype_bits(row->dtype) / 8);
  if (data.size() / item < static_cast<size_t>(count)) {
    return bad_input(
        "the .npy file is cut short: {} elements of {} bytes are expected, {} bytes found", count,
        item, data.size());
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(row->dtype, header.dims));
  if (tensor.size_bytes() > 0) {
    std::memcpy(tensor.mutable_bytes(), data.data(), tensor.size_bytes());
  }
  if (header.fortran && header.dims.size() > 1) return from_fortran(tensor, header.dims);
  return tensor;
}

Result<Tensor> read_npy(const std::string& path) {
  EDGEWRIGHT_ASSIGN(auto file, MappedFile::open(path));
  auto tensor = parse_npy(file->bytes());
  if (!tensor.ok()) return std::move(tensor).error().at(path);
  return tensor;
}

Result<std::string> format_npy(const Tensor& tensor) {
  std::string type, data;
  if (tensor.dtype() == DType::kString) {
    size_t width = 1;
    for (const std::string& text : tensor.string_elements()) width = std::max(width, text.size());
    type = fmt::format("|S{}", width);
    for (std::string text : tensor.string_elements()) {
      text.resize(width, '\0');
      data += text;
    }
  } else if (const TypeRow* row = row_of(tensor.dtype())) {
    type = fmt::format("{}{}", row->code.back() == '1' ? '|' : '<', row->code);
    if (tensor.dtype() == DType::kComplex128) type = "<c16";
    const auto bytes = tensor.byte_span();
    data.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else {
    EDGEWRIGHT_ASSIGN(const auto values, tensor.to_doubles());
    const bool real = is_floating_point(tensor.dtype());
    type = real ? "<f4" : "|i1";
    if (!is_signed(tensor.dtype())) type = "|u1";
    for (const double value : values) {
      const auto single = static_cast<float>(value);
      if (real) data.append(reinterpret_cast<const char*>(&single), 4);
      if (!real) data += static_cast<char>(static_cast<int>(value));
    }
  }
  std::string shape;
  for (const int64_t dim : tensor.dims()) shape += fmt::format("{}, ", dim);
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);
  if (tensor.rank() == 1) shape.pop_back();
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  // The format asks for data that begins at a multiple of 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string out(kMagic);
  out += {'\x01', '\x00', static_cast<char>(header.size() & 255),
          static_cast<char>(header.size() >> 8)};
  return out + header + data;
}

Status write_npy(const std::string& path, const Tensor& tensor) {
  EDGEWRIGHT_ASSIGN(const std::string bytes, format_npy(tensor));
  return write_file(path, bytes);
}

}  // namespace edgewright
