#include "split/codec/codec.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "split/codec/forms.h"

namespace edgewright {
namespace {

constexpr uint32_t kMagic = 0x43415745;  // "EWAC"
constexpr uint8_t kVersion = 1;
constexpr size_t kMaxRank = 8;
// No activation that is worth sending is near it.
constexpr size_t kMaxBytes = size_t{1} << 28;
// Zeros pack into next to nothing; more than this is an attempt to exhaust the receiver.
constexpr size_t kMostUnpackedPerByte = 4096;
constexpr uint8_t kSparseFlag = 1, kDependsFlag = 2;

constexpr std::pair<std::string_view, ActivationForm> kForms[] = {
    {"fp32", ActivationForm::kFloat32},
    {"fp16", ActivationForm::kFloat16},
    {"int8", ActivationForm::kInt8},
    {"int4", ActivationForm::kInt4},
    {"pca", ActivationForm::kPca}};
constexpr std::pair<std::string_view, ActivationPacker> kPackers[] = {
    {"lz4", ActivationPacker::kLz4}, {"zstd", ActivationPacker::kZstd}};

// Bit shuffling works on items of this size.
size_t item_bytes(const ActivationCodec& codec) {
  if (codec.form == ActivationForm::kFloat32) return 4;
  return codec.form == ActivationForm::kFloat16 ? 2 : 1;
}

void put_bit_map(const std::vector<bool>& kept, ByteWriter& writer) {
  for (size_t i = 0; i < kept.size(); i += 8) {
    unsigned byte = 0;
    for (size_t bit = 0; bit < 8 && i + bit < kept.size(); ++bit) {
      byte |= static_cast<unsigned>(kept[i + bit]) << bit;
    }
    writer.put(static_cast<uint8_t>(byte));
  }
}

Result<std::vector<bool>> get_bit_map(size_t count, ByteReader& reader) {
  EDGEWRIGHT_ASSIGN(const auto bytes, reader.take((count + 7) / 8));
  std::vector<bool> kept(count);
  for (size_t i = 0; i < count; ++i) {
    kept[i] = (std::to_integer<unsigned>(bytes[i / 8]) >> (i % 8) & 1) != 0;
  }
  return kept;
}

// Form, packer, flags, frame, dimensions; then the size of the body before packing, and the body.
struct Header {
  ActivationCodec codec;
  bool depends = false;
  uint32_t frame = 0;
  Dims dims;
  size_t elements = 0, body_bytes = 0;
};

void write_header(const Header& header, ByteWriter& writer) {
  writer.put(kMagic);
  writer.put(kVersion);
  writer.put(header.codec.form);
  writer.put(header.codec.packer);
  writer.put(static_cast<uint8_t>((header.codec.sparse ? kSparseFlag : 0) |
                                  (header.depends ? kDependsFlag : 0)));
  writer.put(header.frame);
  writer.put(static_cast<uint8_t>(header.dims.size()));
  for (const int64_t dim : header.dims) writer.put(dim);
  writer.put(static_cast<uint64_t>(header.body_bytes));
}

Result<Header> read_header(ByteReader& reader) {
  EDGEWRIGHT_ASSIGN(const uint32_t magic, reader.get<uint32_t>());
  EDGEWRIGHT_ASSIGN(const uint8_t version, reader.get<uint8_t>());
  EDGEWRIGHT_ASSIGN(const uint8_t form, reader.get<uint8_t>());
  EDGEWRIGHT_ASSIGN(const uint8_t packer, reader.get<uint8_t>());
  EDGEWRIGHT_ASSIGN(const uint8_t flags, reader.get<uint8_t>());
  Header header;
  EDGEWRIGHT_ASSIGN(header.frame, reader.get<uint32_t>());
  EDGEWRIGHT_ASSIGN(const uint8_t rank, reader.get<uint8_t>());
  if (magic != kMagic || version != kVersion || form > 4 || packer > 2 || flags > 3 ||
      rank > kMaxRank) {
    return bad_input("these bytes are no activation of version {}", kVersion);
  }
  header.codec = {static_cast<ActivationForm>(form), static_cast<ActivationPacker>(packer),
                  (flags & kSparseFlag) != 0, false};
  header.depends = (flags & kDependsFlag) != 0;
  for (int i = 0; i < rank; ++i) {
    EDGEWRIGHT_ASSIGN(header.dims.emplace_back(), reader.get<int64_t>());
  }
  EDGEWRIGHT_ASSIGN(const int64_t elements, checked_element_count(header.dims));
  EDGEWRIGHT_ASSIGN(const uint64_t body_bytes, reader.get<uint64_t>());
  if (elements > static_cast<int64_t>(kMaxBytes / 4) || body_bytes > kMaxBytes) {
    return bad_input("an activation states {} elements in {} bytes, expected at most {} bytes",
                     elements, body_bytes, kMaxBytes);
  }
  header.elements = static_cast<size_t>(elements);
  header.body_bytes = static_cast<size_t>(body_bytes);
  return header;
}

// What the sizes must be before anything is allocated for them.
Status check_sizes(const Header& header, size_t left_bytes) {
  // Any form but components has at least a bit for an element; a component at least a byte for
  // every position, of which there is one for at most 512 elements.
  const size_t least_bytes =
      header.elements / (header.codec.form == ActivationForm::kPca ? 512 : 8);
  const bool fits = header.codec.packer == ActivationPacker::kNone
                        ? header.body_bytes == left_bytes
                        : header.body_bytes / kMostUnpackedPerByte <= left_bytes;
  if (header.body_bytes < least_bytes || !fits) {
    return bad_input(
        "an activation of {} elements states {} bytes and has {}, expected at least {}",
        header.elements, header.body_bytes, left_bytes, least_bytes);
  }
  return {};
}

Status read_body(const Header& header, ByteReader& reader, std::span<float> values) {
  EDGEWRIGHT_ASSIGN(auto body, reader.take(reader.left()));
  std::vector<std::byte> unpacked;
  if (header.codec.packer != ActivationPacker::kNone) {
    EDGEWRIGHT_ASSIGN(unpacked, unpack(body, header.body_bytes));
    body = unpacked;
  }
  ByteReader body_reader(body);
  std::vector<bool> kept;
  if (header.codec.sparse) {
    EDGEWRIGHT_ASSIGN(kept, get_bit_map(header.elements, body_reader));
  }
  EDGEWRIGHT_TRY(read_form(header.codec.form, body_reader, header.dims, kept, values));
  if (body_reader.left() > 0)
    return bad_input("an activation has {} bytes too many", body_reader.left());
  return {};
}

Tensor tensor_of(const Dims& dims, const std::vector<float>& values) {
  return Tensor::of<float>(dims, values);
}

}  // namespace

Result<ActivationCodec> parse_codec(std::string_view text) {
  ActivationCodec codec;
  bool has_form = false;
  std::string_view rest = text;
  while (true) {
    const std::string_view word = rest.substr(0, rest.find('+'));
    const auto* form = std::ranges::find(kForms, word, [](const auto& row) { return row.first; });
    const auto* packer =
        std::ranges::find(kPackers, word, [](const auto& row) { return row.first; });
    if (form != std::end(kForms) && !has_form) {
      codec.form = form->second;
      has_form = true;
    } else if (packer != std::end(kPackers) && codec.packer == ActivationPacker::kNone) {
      codec.packer = packer->second;
    } else if (word == "sparse" && !codec.sparse) {
      codec.sparse = true;
    } else if (word == "delta" && !codec.delta) {
      codec.delta = true;
    } else {
      return usage_error(
          "found '{}' in the codec '{}', expected one of fp32, fp16, int8, int4, pca, "
          "and perhaps sparse, delta, lz4 or zstd, joined by '+'",
          word, text);
    }
    if (word.size() == rest.size()) break;
    rest.remove_prefix(word.size() + 1);
  }
  if (codec.form == ActivationForm::kPca && codec.sparse) {
    return usage_error("principal components have no zeros; leave out sparse in '{}'", text);
  }
  return codec;
}

std::string codec_name(const ActivationCodec& codec) {
  std::string name = codec.delta ? "delta+" : "";
  if (codec.sparse) name += "sparse+";
  name += kForms[static_cast<size_t>(codec.form)].first;
  if (codec.packer != ActivationPacker::kNone) {
    name += "+";
    name += kPackers[static_cast<size_t>(codec.packer) - 1].first;
  }
  return name;
}

std::vector<ActivationCodec> known_codecs() {
  std::vector<ActivationCodec> codecs;
  for (const char* name :
       {"fp32", "fp32+lz4", "fp32+zstd", "sparse+fp32", "fp16", "sparse+fp16", "fp16+zstd",
        "delta+fp16+zstd", "int8", "sparse+int8", "int8+lz4", "int8+zstd", "delta+int8+zstd",
        "pca+zstd", "int4", "sparse+int4", "int4+zstd"}) {
    codecs.push_back(*parse_codec(name));
  }
  return codecs;
}

Result<std::vector<std::byte>> ActivationEncoder::encode(const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32 || tensor.rank() > kMaxRank ||
      tensor.size_bytes() > kMaxBytes / 2) {
    return unsupported(
        "found an activation of type {} and shape {}, expected float32 of at most {} "
        "dimensions and {} bytes",
        dtype_name(tensor.dtype()), dims_text(tensor.dims()), kMaxRank, kMaxBytes / 2);
  }
  const auto elements = tensor.elements<float>();
  std::vector<float> values(elements.begin(), elements.end());
  const bool is_finite =
      std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
  if (!is_finite && codec_.form != ActivationForm::kFloat32) {
    return unsupported(
        "an activation holds infinities or NaN, which {} cannot keep; send it as fp32",
        codec_name(codec_));
  }
  Header header{codec_, false, frame_, tensor.dims(), values.size(), 0};
  header.depends =
      codec_.delta && is_finite && !previous_.empty() && previous_dims_ == tensor.dims();
  if (header.depends) {
    for (size_t i = 0; i < values.size(); ++i) values[i] -= previous_[i];
  }
  std::vector<bool> kept;
  ByteWriter body;
  if (codec_.sparse) {
    kept.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) kept[i] = values[i] != 0;
    put_bit_map(kept, body);
  }
  EDGEWRIGHT_TRY(write_form(codec_.form, values, tensor.dims(), kept, body));
  header.body_bytes = body.bytes().size();
  ByteWriter writer;
  write_header(header, writer);
  writer.put_bytes(codec_.packer == ActivationPacker::kNone
                       ? body.bytes()
                       : pack(codec_.packer, body.bytes(), item_bytes(codec_)));
  if (codec_.delta) {
    // What the receiver will have: differences are to that, so that errors do not add up.
    std::vector<float> received(values.size(), 0);
    ByteReader reader(body.bytes());
    if (codec_.sparse) EDGEWRIGHT_TRY(get_bit_map(values.size(), reader));
    EDGEWRIGHT_TRY(read_form(codec_.form, reader, tensor.dims(), kept, received));
    for (size_t i = 0; header.depends && i < values.size(); ++i) received[i] += previous_[i];
    previous_ = std::move(received);
    previous_dims_ = tensor.dims();
  }
  ++frame_;
  return std::move(writer.bytes());
}

Result<Tensor> ActivationDecoder::decode(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  EDGEWRIGHT_ASSIGN(const Header header, read_header(reader));
  if (header.depends && (header.frame != next_frame_ || previous_dims_ != header.dims)) {
    return bad_input(
        "frame {} of a stream of activations depends on the one before, which was not "
        "received; ask for a restart",
        header.frame);
  }
  EDGEWRIGHT_TRY(check_sizes(header, reader.left()));
  std::vector<float> values(header.elements, 0);
  EDGEWRIGHT_TRY(read_body(header, reader, values));
  for (size_t i = 0; header.depends && i < values.size(); ++i) values[i] += previous_[i];
  Tensor tensor = tensor_of(header.dims, values);
  previous_ = std::move(values);
  previous_dims_ = header.dims;
  next_frame_ = header.frame + 1;
  return tensor;
}

Result<CodecMeasurement> measure_codec(const ActivationCodec& codec,
                                       std::span<const Tensor> frames) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  };
  CodecMeasurement measurement{codec_name(codec)};
  ActivationEncoder encoder(codec);
  ActivationDecoder decoder;
  double error = 0, norm = 0;
  for (const Tensor& frame : frames) {
    auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(const auto bytes, encoder.encode(frame));
    measurement.encode_us += since(start);
    start = Clock::now();
    EDGEWRIGHT_ASSIGN(const Tensor decoded, decoder.decode(bytes));
    measurement.decode_us += since(start);
    measurement.size_bytes += static_cast<double>(bytes.size());
    const auto a = frame.elements<float>(), b = decoded.elements<float>();
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(b[i]) - static_cast<double>(a[i]);
      error += difference * difference;
      norm += static_cast<double>(a[i]) * static_cast<double>(a[i]);
      measurement.max_abs = std::max(measurement.max_abs, std::fabs(difference));
    }
  }
  const auto count = static_cast<double>(std::max<size_t>(1, frames.size()));
  measurement.size_bytes /= count;
  measurement.encode_us /= count;
  measurement.decode_us /= count;
  measurement.relative_l2 = norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
  return measurement;
}

const CodecMeasurement* choose_codec(std::span<const CodecMeasurement> measurements,
                                     double mbit_per_s, double max_relative_l2) {
  const auto total_us = [mbit_per_s](const CodecMeasurement& measurement) {
    return measurement.encode_us + measurement.size_bytes * 8 / mbit_per_s + measurement.decode_us;
  };
  const CodecMeasurement* best = nullptr;
  for (const CodecMeasurement& measurement : measurements) {
    if (measurement.relative_l2 > max_relative_l2) continue;
    if (best == nullptr || total_us(measurement) < total_us(*best)) best = &measurement;
  }
  return best;
}

}  // namespace edgewright
