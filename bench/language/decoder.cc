#include "decoder.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/language/rows.h"

namespace edgewright::language {
namespace {

constexpr size_t kPageTokens = 64;
constexpr size_t kHugePage = size_t{2} << 20;

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

size_t qkv_rows(const DecoderShape& s) { return (s.heads + 2 * s.cache_heads) * s.head_size; }

}  // namespace

Pages::Pages(size_t size_bytes, bool huge)
    : size_bytes_((size_bytes + kHugePage - 1) / kHugePage * kHugePage) {
  void* data = mmap(nullptr, size_bytes_ + kHugePage, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EDGEWRIGHT_CHECK(data != MAP_FAILED);
  data_ = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(data) + kHugePage - 1) /
                                       kHugePage * kHugePage);
  madvise(data_, size_bytes_, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}
Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, size_bytes_);
}
Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(other.size_bytes_) {}

Decoder::Decoder(const DecoderShape& shape, WeightType type, CacheType cache, size_t sequences,
                 size_t context, int threads, bool huge_pages)
    : shape_(shape), type_(type) {
  attention_.cache = {cache, shape.cache_heads, shape.head_size, kPageTokens};
  attention_.query_heads = shape.heads;
  attention_.scale = 1 / std::sqrt(static_cast<float>(shape.head_size));
  for (size_t i = 0; i < shape.layers; ++i) {
    const size_t width = shape.heads * shape.head_size;
    layers_.push_back({random_matrix(qkv_rows(shape), shape.hidden, huge_pages),
                       random_matrix(shape.hidden, width, huge_pages),
                       random_matrix(gated_rows(shape.feed_forward), shape.hidden, huge_pages),
                       random_matrix(shape.hidden, shape.feed_forward, huge_pages)});
  }
  head_ = random_matrix(shape.vocabulary, shape.hidden, huge_pages);

  const size_t page_bytes = cache_page_bytes(attention_.cache) * shape.layers;
  const size_t page_count = (context + kPageTokens - 1) / kPageTokens;
  memory_.emplace_back(page_bytes * page_count * sequences, huge_pages);
  std::byte* next = memory_.back().bytes().data();
  pages_.resize(sequences);
  for (auto& pages : pages_) {
    for (size_t i = 0; i < page_count; ++i, next += page_bytes) pages.push_back(next);
  }
  const size_t rows = std::max(context, sequences);
  norm_.assign(shape.hidden, 1.0f);
  hidden_.assign(rows * shape.hidden, 0.5f);
  qkv_.resize(rows * qkv_rows(shape));
  mixed_.resize(rows * shape.heads * shape.head_size);
  gated_.resize(rows * shape.feed_forward);
  logits_.resize(sequences * shape.vocabulary);
  for (size_t p = 0; p < context; ++p) {
    for (size_t i = 0; i < shape.head_size / 2; ++i) {
      const double power = 2.0 * static_cast<double>(i) / static_cast<double>(shape.head_size);
      const double angle = static_cast<double>(p) * std::pow(10000.0, -power);
      cosines_.push_back(static_cast<float>(std::cos(angle)));
      sines_.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  const size_t widest = std::max({shape.hidden, shape.feed_forward, shape.heads * shape.head_size});
  const size_t bytes = std::max(linear_workspace_bytes(rows, widest, threads),
                                attention_workspace_bytes(attention_, threads));
  memory_.emplace_back(bytes, huge_pages);
  workspace_ = memory_.back().bytes();
}

// From Q8_0 blocks of random bytes, so that no time goes into rounding.
PackedMatrix Decoder::random_matrix(size_t rows, size_t columns, bool huge) {
  static uint64_t state = 88172645463325252ull;
  const size_t bytes = packed_bytes(type_, rows, columns);
  memory_.emplace_back(bytes, huge);
  const auto out = memory_.back().bytes().first(bytes);
  const bool four_bits = type_ == WeightType::kQ4;
  const SourceType source_type = four_bits ? SourceType::kQ4_0 : SourceType::kQ8_0;
  std::vector<uint8_t> block_rows(source_bytes(source_type, kBlockRows, columns) + 8);
  const size_t block = source_bytes(source_type, 1, 32);
  for (size_t first = 0; first < rows; first += kBlockRows) {
    for (size_t i = 0; i + 8 <= block_rows.size(); i += 8) {
      const uint64_t value = next_random(state);
      std::memcpy(&block_rows[i], &value, 8);
    }
    for (size_t i = 0; i + block <= block_rows.size(); i += block) {
      block_rows[i + 1] = four_bits ? 0x1c : 0x0c;  // a scale of about 2^-8 or 2^-12
    }
    const SourceMatrix source{source_type, kBlockRows, columns, block_rows.data()};
    const size_t end = std::min(kBlockRows, rows - first);
    const auto packed = pack_rows({source, 0, end, type_, rows, first}, out);
    EDGEWRIGHT_CHECK(packed.ok());
  }
  weight_bytes_ += bytes;
  return {type_, rows, columns, out.data()};
}

LinearCall Decoder::call(const PackedMatrix& weights, const float* input, size_t input_step,
                         float* output, size_t output_step, size_t rows, Phase phase) const {
  LinearCall made;
  made.weights = weights;
  made.input = input;
  made.input_step = input_step;
  made.output = output;
  made.output_step = output_step;
  made.rows = rows;
  made.phase = phase;
  made.norm_epsilon = 1e-5f;
  return made;
}

void Decoder::turn(size_t rows, size_t position, size_t position_step) {
  const size_t pairs = shape_.head_size / 2;
  for (size_t m = 0; m < rows; ++m) {
    const size_t at = (position + m * position_step) * pairs;
    rope(&qkv_[m * qkv_rows(shape_)], shape_.heads + shape_.cache_heads, shape_.head_size,
         &cosines_[at], &sines_[at], pairs, RopeStyle::kHalves);
  }
}

void Decoder::layer(const Layer& layer, size_t index, size_t rows, Phase phase,
                    std::span<const AttentionQueries> queries, ThreadPool& pool) {
  const size_t width = shape_.heads * shape_.head_size, step = qkv_rows(shape_);
  auto qkv = call(layer.qkv, hidden_.data(), shape_.hidden, qkv_.data(), step, rows, phase);
  qkv.norm_weight = norm_.data();
  linear(qkv, workspace_, pool);
  turn(rows, queries[0].first, queries.size() == 1 ? 1 : 0);
  for (AttentionQueries sequence : queries) {
    sequence.cache.layer_offset = index * cache_page_bytes(attention_.cache);
    const float* keys = sequence.queries + width;
    cache_append(attention_.cache, sequence.cache, sequence.first, sequence.rows, keys,
                 keys + shape_.cache_heads * shape_.head_size, step);
  }
  std::vector<AttentionQueries> placed(queries.begin(), queries.end());
  for (auto& sequence : placed) {
    sequence.cache.layer_offset = index * cache_page_bytes(attention_.cache);
  }
  attention(attention_, placed, workspace_, pool);
  auto out = call(layer.out, mixed_.data(), width, hidden_.data(), shape_.hidden, rows, phase);
  out.residual = hidden_.data();
  linear(out, workspace_, pool);
  auto gate_up = call(layer.gate_up, hidden_.data(), shape_.hidden, gated_.data(),
                      shape_.feed_forward, rows, phase);
  gate_up.norm_weight = norm_.data();
  gate_up.gate = Gate::kSilu;
  gate_up.gated_rows = shape_.feed_forward;
  linear(gate_up, workspace_, pool);
  auto down = call(layer.down, gated_.data(), shape_.feed_forward, hidden_.data(), shape_.hidden,
                   rows, phase);
  down.residual = hidden_.data();
  linear(down, workspace_, pool);
}

void Decoder::decode(size_t sequences, size_t position, ThreadPool& pool) {
  const size_t width = shape_.heads * shape_.head_size;
  std::vector<AttentionQueries> queries;
  for (size_t s = 0; s < sequences; ++s) {
    queries.push_back({{pages_[s].data(), 0},
                       &qkv_[s * qkv_rows(shape_)],
                       qkv_rows(shape_),
                       &mixed_[s * width],
                       width,
                       1,
                       position,
                       0});
  }
  std::fill_n(hidden_.begin(), sequences * shape_.hidden, 0.5f);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layer(layers_[i], i, sequences, Phase::kDecode, queries, pool);
  }
  auto head = call(head_, hidden_.data(), shape_.hidden, logits_.data(), shape_.vocabulary,
                   sequences, Phase::kDecode);
  head.norm_weight = norm_.data();
  linear(head, workspace_, pool);
}

void Decoder::prefill(size_t tokens, size_t position, ThreadPool& pool) {
  const size_t width = shape_.heads * shape_.head_size;
  const AttentionQueries queries{{pages_[0].data(), 0},
                                 qkv_.data(),
                                 qkv_rows(shape_),
                                 mixed_.data(),
                                 width,
                                 tokens,
                                 position,
                                 0};
  std::ranges::fill(hidden_, 0.5f);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layer(layers_[i], i, tokens, Phase::kPrefill, {&queries, 1}, pool);
  }
  auto head = call(head_, &hidden_[(tokens - 1) * shape_.hidden], shape_.hidden, logits_.data(),
                   shape_.vocabulary, 1, Phase::kDecode);
  head.norm_weight = norm_.data();
  linear(head, workspace_, pool);
}

}  // namespace edgewright::language
