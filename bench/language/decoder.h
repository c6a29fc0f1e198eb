#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/language/attention.h"
#include "kernels/language/linear.h"

// A decoder of random weights that chains the kernels of src/kernels/language as an engine does.
namespace edgewright::language {

struct DecoderShape {
  std::string_view name;
  size_t hidden, layers, heads, cache_heads, head_size, feed_forward, vocabulary;
};
inline constexpr DecoderShape kDecoderShapes[] = {
    {"llama-1.1b", 2048, 22, 32, 4, 64, 5632, 32000},
    {"llama-1.1b-2-layers", 2048, 2, 32, 4, 64, 5632, 32000},
    {"novel-31m", 512, 10, 8, 2, 64, 1408, 6144},
    {"novel-7m", 256, 8, 4, 2, 64, 704, 6144},
    {"novel-1m-draft", 128, 2, 2, 1, 64, 352, 6144},
};

// Zeroed memory of its own, on huge pages where the system has them and `huge` asks for it.
class Pages {
 public:
  explicit Pages(size_t size_bytes, bool huge);
  ~Pages();
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&&) = delete;
  std::span<std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  std::byte* data_;
  size_t size_bytes_;
};

class Decoder {
 public:
  Decoder(const DecoderShape& shape, WeightType type, CacheType cache, size_t sequences,
          size_t context, int threads, bool huge_pages);

  // One step of each of `sequences` sequences, all at the place `position`.
  void decode(size_t sequences, size_t position, ThreadPool& pool);
  // `tokens` tokens of the first sequence from `position` on; logits of the last.
  void prefill(size_t tokens, size_t position, ThreadPool& pool);
  size_t weight_bytes() const { return weight_bytes_; }
  const float* logits() const { return logits_.data(); }

 private:
  struct Layer {
    PackedMatrix qkv, out, gate_up, down;
  };
  PackedMatrix random_matrix(size_t rows, size_t columns, bool huge);
  LinearCall call(const PackedMatrix& weights, const float* input, size_t input_step, float* output,
                  size_t output_step, size_t rows, Phase phase) const;
  void layer(const Layer& layer, size_t index, size_t rows, Phase phase,
             std::span<const AttentionQueries> queries, ThreadPool& pool);
  void turn(size_t rows, size_t position, size_t position_step);

  DecoderShape shape_;
  WeightType type_;
  AttentionShape attention_;
  size_t weight_bytes_ = 0;
  std::vector<Pages> memory_;
  std::vector<Layer> layers_;
  PackedMatrix head_;
  std::vector<std::vector<std::byte*>> pages_;  // of each sequence
  std::vector<float> norm_, hidden_, qkv_, mixed_, gated_, logits_, cosines_, sines_;
  std::vector<std::byte> workspace_storage_;
  std::span<std::byte> workspace_;
};

}  // namespace edgewright::language
