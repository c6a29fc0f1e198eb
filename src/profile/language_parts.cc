#include "profile/language_parts.h"

#include <algorithm>

namespace edgewright {
namespace {

// Operations per value: of RMS norm a square, a sum, two products; of SiLU times up an exponential,
// a sum, a quotient, a product; of softmax a comparison, a difference, an exponential, a sum, a
// product; of turning half a head's pair four products and two sums.
constexpr int64_t kNormFlops = 4, kActivationFlops = 4, kSoftmaxFlops = 5, kRopeFlops = 3;
constexpr int64_t kFloatBytes = 4;

DType compute_type(language::WeightType type, const LanguageCall& call) {
  using enum language::WeightType;
  if (type == kF32) return DType::kFloat32;
  // Many rows are multiplied in bf16; few in int8 where weights are quantised, else in fp32.
  if (call.is_prefill) return DType::kBfloat16;
  return type == kF16 || type == kBf16 ? DType::kFloat32 : DType::kInt8;
}

// A product with a stack of matrices.
PartWork product(const PackedStack& stack, int64_t rows, const LanguageCall& call) {
  PartWork part;
  Work& work = part.work;
  work.kind = rows >= kFewRows ? WorkKind::kMatrix : WorkKind::kVector;
  for (const language::PackedMatrix& matrix : stack) {
    const auto outputs = static_cast<int64_t>(matrix.rows);
    work.multiply_adds += rows * outputs * static_cast<int64_t>(matrix.columns);
    work.weight_count += outputs * static_cast<int64_t>(matrix.columns);
    work.weight_bytes +=
        static_cast<int64_t>(language::packed_bytes(matrix.type, matrix.rows, matrix.columns));
    work.bytes_written += rows * outputs * kFloatBytes;
    work.compute_dtype = compute_type(matrix.type, call);
  }
  work.bytes_read = work.weight_bytes + rows * static_cast<int64_t>(stack[0].columns) * kFloatBytes;
  work.flops = 2 * work.multiply_adds;
  return part;
}

void fuse(PartWork& part, std::string_view name, int64_t flops) {
  part.fused.push_back({name, flops});
  part.work.flops += flops;
}

PartWork with_own(PartWork part, std::string_view name) {
  part.fused.insert(part.fused.begin(), {name, 2 * part.work.multiply_adds});
  return part;
}

PartWork attention(const ModelConfig& c, const language::CacheShape& cache, int layer,
                   const LanguageCall& call) {
  const bool windowed = c.window > 0 && layer >= 0 && c.windowed[static_cast<size_t>(layer)];
  int64_t looked_at = 0;
  for (int row = 0; row < call.rows; ++row) {
    const int64_t seen = call.context + row + 1;
    looked_at += windowed ? std::min<int64_t>(seen, c.window) : seen;
  }
  const int64_t queries = int64_t{c.heads} * c.head_dim;
  const int64_t keys = call.context + call.rows;
  PartWork part;
  Work& work = part.work;
  work.kind = WorkKind::kAttention;
  work.multiply_adds = 2 * queries * looked_at;
  fuse(part, "qk", queries * looked_at * 2);
  fuse(part, "softmax", int64_t{c.heads} * looked_at * kSoftmaxFlops);
  fuse(part, "av", queries * looked_at * 2);
  const auto page = static_cast<int64_t>(language::cache_page_bytes(cache));
  work.bytes_read =
      page * keys / static_cast<int64_t>(cache.page_tokens) + call.rows * queries * kFloatBytes;
  work.bytes_written = call.rows * queries * kFloatBytes;
  return part;
}

PartWork rope(const ModelConfig& c, const language::CacheShape& cache, const LanguageCall& call) {
  const int64_t heads = int64_t{c.heads} + c.kv_heads;
  PartWork part;
  part.work.kind = WorkKind::kElementwise;
  part.work.flops = call.rows * heads * c.head_dim * kRopeFlops;
  part.work.bytes_read = call.rows * (heads + c.kv_heads) * c.head_dim * kFloatBytes;
  const auto page = static_cast<int64_t>(language::cache_page_bytes(cache));
  part.work.bytes_written = call.rows * heads * c.head_dim * kFloatBytes +
                            page * call.rows / static_cast<int64_t>(cache.page_tokens);
  return part;
}

PartWork embedding(const PackedModel& model, const LanguageCall& call) {
  const language::PackedMatrix& matrix = model.matrices.at("embedding")[0];
  const auto row_bytes = static_cast<int64_t>(language::block_bytes(matrix.type, matrix.columns) /
                                              language::kBlockRows);
  PartWork part;
  part.work.kind = WorkKind::kMove;
  part.work.bytes_read = part.work.weight_bytes = call.rows * row_bytes;
  part.work.bytes_written = call.rows * int64_t{model.config.hidden} * kFloatBytes;
  return part;
}

PartWork sampling(const ModelConfig& c) {
  PartWork part;
  part.work.kind = WorkKind::kReduce;
  part.work.flops = c.vocabulary;
  part.work.bytes_read = int64_t{c.vocabulary} * kFloatBytes;
  return part;
}

}  // namespace

PartWork part_work(const PackedModel& model, const language::CacheShape& cache,
                   std::string_view part, int layer, const LanguageCall& call) {
  const ModelConfig& c = model.config;
  const int64_t rows = call.rows, hidden = c.hidden;
  const std::string place = fmt::format("layers.{}.", layer);
  const auto matrix = [&](const char* name) -> const PackedStack& {
    return model.matrices.at(place + name);
  };
  if (part == "embedding") return embedding(model, call);
  if (part == "rope") return rope(c, cache, call);
  if (part == "attention") return attention(c, cache, layer, call);
  if (part == "sampling") return sampling(c);
  if (part == "qkv") {
    PartWork work = with_own(product(matrix("qkv"), rows, call), "qkv");
    fuse(work, "norm", rows * hidden * kNormFlops);
    return work;
  }
  if (part == "output-projection") {
    PartWork work = with_own(product(matrix("output"), rows, call), "output-projection");
    fuse(work, "residual", rows * hidden);
    return work;
  }
  if (part == "ffn-up") {
    PartWork work = with_own(product(matrix("gate_up"), rows, call), "ffn-up");
    fuse(work, "norm", rows * hidden * kNormFlops);
    fuse(work, "ffn-activation", rows * c.ffn * kActivationFlops);
    return work;
  }
  if (part == "ffn-down") {
    PartWork work = with_own(product(matrix("down"), rows, call), "ffn-down");
    fuse(work, "residual", rows * hidden);
    return work;
  }
  EDGEWRIGHT_CHECK(part == "head");
  PartWork work =
      with_own(product(model.matrices.at(c.tied ? "embedding" : "head"), 1, call), "head");
  fuse(work, "norm", hidden * kNormFlops);
  return work;
}

std::vector<LevelTraffic> part_traffic(const Roofs& roofs, const Work& work, int64_t model_bytes) {
  const int64_t others = work.bytes_read - work.weight_bytes + work.bytes_written;
  bool weights = true, rest = true;
  std::vector<LevelTraffic> traffic;
  for (const MemoryRoof& level : roofs.memory) {
    traffic.push_back({level.name, (weights ? work.weight_bytes : 0) + (rest ? others : 0)});
    const bool limited = level.size_bytes > 0;
    if (limited && model_bytes <= level.size_bytes) weights = false;
    if (limited && others <= level.size_bytes) rest = false;
  }
  return traffic;
}

}  // namespace edgewright
