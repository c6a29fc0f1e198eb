#include "llm/packed_file.h"

#include <cstring>

#include "base/file.h"
#include "llm/config_fields.h"

namespace edgewright {
namespace {

constexpr char kMagic[4] = {'E', 'W', 'L', 'M'};
constexpr uint32_t kVersion = 1;
constexpr uint32_t kHighestVersion = 64;  // a little room for those to come
constexpr size_t kPreludeBytes = 64;
constexpr size_t kAlignment = 64;
constexpr size_t kMaxHeaderBytes = size_t{1} << 28;

struct Prelude {
  char magic[4];
  uint32_t version;
  uint64_t header_bytes, file_bytes, header_digest;
  char zero[32];
};
static_assert(sizeof(Prelude) == kPreludeBytes);

size_t aligned(size_t value) { return (value + kAlignment - 1) / kAlignment * kAlignment; }

// FNV-1a of 64 bits (Fowler, Noll, Vo).
uint64_t digest(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// What a file holds after its header, in order.
class Blobs {
 public:
  Json add(std::span<const std::byte> bytes) {
    const Json place = {size_bytes_, bytes.size()};
    parts_.push_back(bytes);
    size_bytes_ = aligned(size_bytes_ + bytes.size());
    return place;
  }
  std::span<const std::span<const std::byte>> parts() const { return parts_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::vector<std::span<const std::byte>> parts_;
  size_t size_bytes_ = 0;
};

Json header_of(const PackedModel& model, Blobs& blobs) {
  Json header;
  header["schema"] = "edgewright.language-model/1";
  header["precision"] = model.precision;
  header["config"] = config_to_json(model.config);
  Json& tokenizer = header["tokenizer"];
  tokenizer["kind"] = static_cast<int>(model.tokenizer.kind);
  if (model.tokenizer.add_bos) tokenizer["add_bos"] = *model.tokenizer.add_bos;
  tokenizer["data"] = blobs.add(bytes_of(model.tokenizer.data));
  tokenizer["chat_template"] = blobs.add(bytes_of(model.tokenizer.chat_template));
  Json& vectors = header["vectors"] = Json::object();
  for (const auto& [name, values] : model.vectors) {
    vectors[name] = blobs.add(std::as_bytes(std::span(values)));
  }
  Json& matrices = header["matrices"] = Json::object();
  for (const std::string& name : matrices_in_order(model.config)) {
    Json& list = matrices[name] = Json::array();
    for (const language::PackedMatrix& m : model.matrices.at(name)) {
      const size_t size = language::packed_bytes(m.type, m.rows, m.columns);
      list.push_back({{"type", language::weight_type_name(m.type)},
                      {"rows", m.rows},
                      {"columns", m.columns},
                      {"blob", blobs.add({m.data, size})}});
    }
  }
  return header;
}

class Reader {
 public:
  Reader(const Json& header, std::span<const std::byte> data) : header_(header), data_(data) {}

  Result<PackedModel> read() {
    PackedModel model;
    Fields fields(header_);
    model.precision = fields.text("precision", "");
    EDGEWRIGHT_TRY(fields.status());
    EDGEWRIGHT_ASSIGN(model.config, config_from_json(fields.at("config")));
    EDGEWRIGHT_TRY(read_tokenizer(fields.at("tokenizer"), model.tokenizer));
    EDGEWRIGHT_TRY(read_vectors(fields.at("vectors"), model));
    EDGEWRIGHT_TRY(read_matrices(fields.at("matrices"), model));
    EDGEWRIGHT_TRY(check_packed_model(model));
    return model;
  }

 private:
  Result<std::span<const std::byte>> blob(const Json& place) const {
    if (!place.is_array() || place.size() != 2 || !place[0].is_number_unsigned() ||
        !place[1].is_number_unsigned()) {
      return bad_input("expected a blob as [offset, length]");
    }
    const auto offset = place[0].get<uint64_t>();
    const auto length = place[1].get<uint64_t>();
    if (offset > data_.size() || length > data_.size() - offset || offset % 64 != 0) {
      return bad_input("found a blob [{}, {}], but the file holds {} bytes of data", offset, length,
                       data_.size());
    }
    return data_.subspan(offset, length);
  }

  Status read_tokenizer(const Json& json, TokenizerSource& tokenizer) const {
    Fields fields(json);
    const int kind = fields.integer("kind", 0);
    if (kind < 0 || kind > 2) return bad_input("unknown kind of tokenizer");
    tokenizer.kind = static_cast<TokenizerSource::Kind>(kind);
    if (fields.has("add_bos")) tokenizer.add_bos = fields.flag("add_bos", false);
    EDGEWRIGHT_TRY(fields.status());
    EDGEWRIGHT_ASSIGN(const auto data, blob(fields.at("data")));
    EDGEWRIGHT_ASSIGN(const auto chat, blob(fields.at("chat_template")));
    tokenizer.data.assign(reinterpret_cast<const char*>(data.data()), data.size());
    tokenizer.chat_template.assign(reinterpret_cast<const char*>(chat.data()), chat.size());
    return {};
  }

  Status read_vectors(const Json& json, PackedModel& model) const {
    if (!json.is_object()) return bad_input("expected an object of vectors");
    for (const auto& [name, place] : json.items()) {
      EDGEWRIGHT_ASSIGN(const auto bytes, blob(place));
      auto& values = model.vectors[name];
      values.resize(bytes.size() / sizeof(float));
      if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    }
    return {};
  }

  Status read_matrices(const Json& json, PackedModel& model) const {
    if (!json.is_object()) return bad_input("expected an object of matrices");
    for (const auto& [name, list] : json.items()) {
      if (!list.is_array() || list.size() > 8) return bad_input("expected a list of matrices");
      for (const Json& entry : list) {
        Result<language::PackedMatrix> matrix = read_matrix(entry);
        if (!matrix.ok()) return std::move(matrix).error().at(name);
        model.matrices[name].push_back(*matrix);
      }
    }
    return {};
  }

  Result<language::PackedMatrix> read_matrix(const Json& entry) const {
    Fields fields(entry);
    language::PackedMatrix matrix;
    matrix.rows = static_cast<size_t>(fields.count("rows"));
    matrix.columns = static_cast<size_t>(fields.count("columns"));
    const std::string type = fields.text("type", "");
    EDGEWRIGHT_TRY(fields.status());
    int found = 0;
    while (found < language::kWeightTypeCount &&
           type != language::weight_type_name(static_cast<language::WeightType>(found))) {
      ++found;
    }
    if (found == language::kWeightTypeCount) {
      return unsupported("weights of type '{}' are not known here; convert the model again", type);
    }
    matrix.type = static_cast<language::WeightType>(found);
    EDGEWRIGHT_ASSIGN(const auto bytes, blob(fields.at("blob")));
    if (bytes.size() != language::packed_bytes(matrix.type, matrix.rows, matrix.columns)) {
      return bad_input(
          "found {} bytes for {} rows of {} {}, expected {}; the file is damaged or of an earlier "
          "build: convert the model again",
          bytes.size(), matrix.rows, matrix.columns, type,
          language::packed_bytes(matrix.type, matrix.rows, matrix.columns));
    }
    matrix.data = bytes.data();
    return matrix;
  }

  const Json& header_;
  std::span<const std::byte> data_;
};

Result<PackedModel> read_bytes(std::span<const std::byte> bytes) {
  Prelude prelude;
  if (bytes.size() < sizeof(prelude)) return bad_input("{} bytes are too few", bytes.size());
  std::memcpy(&prelude, bytes.data(), sizeof(prelude));
  if (std::memcmp(prelude.magic, kMagic, sizeof(kMagic)) != 0) {
    return bad_input("expected a packed language model, which begins with EWLM");
  }
  if (prelude.version == 0 || prelude.version > kHighestVersion) {
    return bad_input("version {} of the format, expected {}", prelude.version, kVersion);
  }
  if (prelude.version != kVersion) {
    return unsupported("packed in version {} of the format, expected {}; convert the model again",
                       prelude.version, kVersion);
  }
  if (prelude.file_bytes != bytes.size() || prelude.header_bytes > kMaxHeaderBytes ||
      prelude.header_bytes > bytes.size() - kPreludeBytes) {
    return bad_input("the file has {} bytes, expected {}; it is cut short or damaged", bytes.size(),
                     prelude.file_bytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kPreludeBytes,
                              prelude.header_bytes);
  if (digest(text) != prelude.header_digest) return bad_input("the header is damaged");
  const Json header = Json::parse(text, nullptr, false);
  if (header.is_discarded()) return bad_input("the header is not JSON");
  const size_t begin = std::min(bytes.size(), aligned(kPreludeBytes + prelude.header_bytes));
  return Reader(header, bytes.subspan(begin)).read();
}

}  // namespace

Status write_packed_model(const std::string& path, const PackedModel& model) {
  Blobs blobs;
  const std::string header = header_of(model, blobs).dump();
  Prelude prelude{};
  std::memcpy(prelude.magic, kMagic, sizeof(kMagic));
  prelude.version = kVersion;
  prelude.header_bytes = header.size();
  prelude.file_bytes = aligned(kPreludeBytes + header.size()) + blobs.size_bytes();
  prelude.header_digest = digest(header);
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  EDGEWRIGHT_TRY(file.write(std::as_bytes(std::span(&prelude, 1))));
  EDGEWRIGHT_TRY(file.write(header));
  EDGEWRIGHT_TRY(file.pad_to(kAlignment));
  for (const auto part : blobs.parts()) {
    EDGEWRIGHT_TRY(file.write(part));
    EDGEWRIGHT_TRY(file.pad_to(kAlignment));
  }
  return file.commit();
}

Result<PackedModel> read_packed_model(const std::string& path) {
  EDGEWRIGHT_ASSIGN(auto file, MappedFile::open(path));
  Result<PackedModel> model = read_bytes(file->bytes());
  if (!model.ok()) return std::move(model).error().at(path);
  model->storage.push_back(std::move(file));
  return model;
}

}  // namespace edgewright
