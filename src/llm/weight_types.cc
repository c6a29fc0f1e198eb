#include "llm/weight_types.h"

#include "base/result.h"

namespace edgewright {
namespace {

using language::WeightType;

constexpr Precision kPrecisions[] = {
    {"stored", std::nullopt, std::nullopt},
    {"fp32", WeightType::kF32, WeightType::kF32},
    {"fp16", WeightType::kF16, WeightType::kF16},
    {"bf16", WeightType::kBf16, WeightType::kBf16},
    {"int8", WeightType::kQ8, WeightType::kQ8},
    {"int4", WeightType::kQ4, WeightType::kQ6, true},
    {"int4-g128", WeightType::kQ4G128, WeightType::kQ6},
};

struct Extent {
  int64_t rows, columns;
};

int64_t packed_bits(WeightType type, const Extent& extent) {
  return 8 * static_cast<int64_t>(language::packed_bytes(type, static_cast<size_t>(extent.rows),
                                                         static_cast<size_t>(extent.columns)));
}

// The matrices of a model by their sizes; those of a layer are the same in all of them.
struct Extents {
  Extent embedding, query_key, value, output, gate_up, down;

  explicit Extents(const ModelConfig& c)
      : embedding{c.vocabulary, c.hidden},
        query_key{int64_t{c.heads + c.kv_heads} * c.head_dim, c.hidden},
        value{int64_t{c.kv_heads} * c.head_dim, c.hidden},
        output{c.hidden, int64_t{c.heads} * c.head_dim},
        gate_up{int64_t{2} * c.ffn, c.hidden},
        down{c.hidden, c.ffn} {}
  int64_t of_layer() const {
    int64_t count = 0;
    for (const Extent& e : {query_key, value, output, gate_up, down}) count += e.rows * e.columns;
    return count;
  }
};

}  // namespace

std::span<const Precision> precision_table() { return kPrecisions; }

Result<Precision> precision_of(std::string_view name) {
  std::string names;
  for (const Precision& row : kPrecisions) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return usage_error("found precision '{}', expected one of {}", name, names);
}

int64_t q4_0_bits(const ModelConfig& config) {
  const Extents extents(config);
  const int64_t head = extents.embedding.rows * extents.embedding.columns;
  const int64_t others = config.layers * extents.of_layer() + (config.tied ? 0 : head);
  return others * 9 / 2 + (config.hidden % 256 == 0 ? head * 105 / 16 : head * 17 / 2);
}

WeightTypes::WeightTypes(const ModelConfig& config, const Precision& precision)
    : precision_(precision), tied_(config.tied) {
  if (!precision.fills) return;
  const WeightType narrow = *precision.type, wide = *precision.head;
  const Extents extents(config);
  int64_t bits = packed_bits(wide, extents.embedding);
  if (!tied_) bits += packed_bits(narrow, extents.embedding);
  for (const Extent& e :
       {extents.query_key, extents.value, extents.output, extents.gate_up, extents.down}) {
    bits += config.layers * packed_bits(narrow, e);
  }
  // By the share of the rounding error's effect per bit, as measured in decision 13.
  const struct {
    Kind kind;
    Extent extent;
    int64_t count;
  } order[] = {{kEmbedding, extents.embedding, tied_ ? 0 : 1},
               {kValue, extents.value, config.layers},
               {kOutput, extents.output, config.layers},
               {kDown, extents.down, config.layers}};
  const int64_t most = q4_0_bits(config);
  for (const auto& row : order) {
    const int64_t more =
        row.count * (packed_bits(wide, row.extent) - packed_bits(narrow, row.extent));
    if (bits + more > most) return;
    bits += more;
    wide_[row.kind] = true;
  }
}

std::optional<WeightType> WeightTypes::of(std::string_view name, size_t part, size_t parts) const {
  if (name == "head" || (name == "embedding" && tied_)) return precision_.head;
  const bool wide = (name == "embedding" && (!precision_.fills || wide_[kEmbedding])) ||
                    (name.ends_with(".qkv") && parts == 3 && part == 2 && wide_[kValue]) ||
                    (name.ends_with(".output") && wide_[kOutput]) ||
                    (name.ends_with(".down") && wide_[kDown]);
  return wide ? precision_.head : precision_.type;
}

}  // namespace edgewright
