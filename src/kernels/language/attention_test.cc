#include "kernels/language/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/each_target.h"
#include "kernels/tolerance.h"

namespace edgewright::language {
namespace {

std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

struct alignas(64) Line {
  std::byte bytes[64];
};

// Sequences with random keys and values. Unused bytes of pages are not-a-number: nobody may read
// them into a result.
struct Sequence {
  std::vector<std::vector<Line>> storage;
  std::vector<std::byte*> pages;
  std::vector<float> queries, output;

  Sequence(const AttentionShape& shape, size_t tokens, size_t rows, unsigned seed) {
    const size_t width = shape.cache.heads * shape.cache.head_size;
    for (size_t page = 0; page * shape.cache.page_tokens < tokens; ++page) {
      storage.emplace_back(cache_page_bytes(shape.cache) / 64);
      std::memset(static_cast<void*>(storage.back().data()), 0xff, cache_page_bytes(shape.cache));
      pages.push_back(storage.back().data()->bytes);
    }
    const auto keys = random_floats(tokens * width, seed);
    const auto values = random_floats(tokens * width, seed + 1);
    cache_append(shape.cache, view(), 0, tokens / 3, keys.data(), values.data(), width);
    cache_append(shape.cache, view(), tokens / 3, tokens - tokens / 3,
                 keys.data() + tokens / 3 * width, values.data() + tokens / 3 * width, width);
    queries = random_floats(rows * shape.query_heads * shape.cache.head_size, seed + 2);
    output.assign(queries.size(), 0);
  }
  CacheView view() { return {pages.data(), 0}; }
  AttentionQueries call(const AttentionShape& shape, size_t tokens, size_t rows) {
    const size_t step = shape.query_heads * shape.cache.head_size;
    return {view(), queries.data(), step, output.data(), step, rows, tokens - rows, 0};
  }
  Tensor result() const {
    return Tensor::of<float>({static_cast<int64_t>(output.size())}, std::span<const float>(output));
  }
};

constexpr AttentionShape kShapes[] = {
    {{CacheType::kF16, 2, 64, 64}, 8, 0.125f},
    {{CacheType::kInt8, 2, 64, 64}, 4, 0.125f, 0, 50},
    {{CacheType::kF16, 1, 48, 16}, 20, 0.2f, 30.0f},
    {{CacheType::kInt8, 3, 32, 48}, 3, 0.3f},
    {{CacheType::kF16, 4, 128, 128}, 4, 0.09f, 0, 70},
    {{CacheType::kF32, 2, 64, 64}, 6, 0.125f, 0, 90},
};

void run(const AttentionShape& shape, std::span<const AttentionQueries> calls, int threads) {
  ThreadPool pool(threads);
  std::vector<Line> workspace(attention_workspace_bytes(shape, threads) / 64 + 1);
  attention(shape, calls, {workspace.data()->bytes, workspace.size() * 64}, pool);
}

TEST(LanguageAttention, AgreesWithTheReferenceOnEveryTarget) {
  for_each_target([](const char* name) {
    for (const AttentionShape& shape : kShapes) {
      for (const auto& [tokens, rows] :
           {std::pair<size_t, size_t>{1, 1}, {77, 1}, {200, 1}, {33, 33}, {150, 21}}) {
        Sequence sequence(shape, tokens, rows, 4);
        const auto call = sequence.call(shape, tokens, rows);
        attention_reference(shape, {&call, 1});
        const Tensor expected = sequence.result();
        std::ranges::fill(sequence.output, 0.0f);
        run(shape, {&call, 1}, 2);
        EXPECT_EQ(difference(sequence.result(), expected, kAttentionTolerance), "")
            << name << ", " << tokens << " tokens, " << rows << " rows, heads of "
            << shape.cache.head_size;
      }
    }
  });
}

TEST(LanguageAttention, RowsAndSequencesDoNotDependOnEachOther) {
  for (const AttentionShape& shape : kShapes) {
    Sequence a(shape, 150, 40, 4), b(shape, 90, 3, 9);
    const AttentionQueries both[] = {a.call(shape, 150, 40), b.call(shape, 90, 3)};
    run(shape, both, 2);
    const auto together = a.output;
    auto one = both[0];
    const size_t row = 17, step = one.query_step;
    one.queries += row * step;
    one.output += row * step;
    one.first += row;
    one.rows = 1;
    run(shape, {&one, 1}, 1);
    for (size_t i = 0; i < step; ++i) EXPECT_EQ(a.output[row * step + i], together[row * step + i]);
  }
}

TEST(LanguageAttention, PagesBeforeTheWindowMayBeMissing) {
  const AttentionShape& shape = kShapes[4];
  Sequence sequence(shape, 400, 2, 4);
  auto call = sequence.call(shape, 400, 2);
  run(shape, {&call, 1}, 1);
  const auto expected = sequence.output;
  sequence.pages[0] = sequence.pages[1] = nullptr;
  run(shape, {&call, 1}, 1);
  EXPECT_EQ(sequence.output, expected);
}

TEST(LanguageAttention, CachesRoundAsTheirTypesDo) {
  for (const AttentionShape& shape : kShapes) {
    const size_t width = shape.cache.heads * shape.cache.head_size;
    Sequence sequence(shape, 40, 1, 4);
    const auto keys = random_floats(40 * width, 4), values = random_floats(40 * width, 5);
    std::vector<float> key(shape.cache.head_size), value(shape.cache.head_size);
    const CacheType type = shape.cache.type;
    const float step = type == CacheType::kF32   ? 0
                       : type == CacheType::kF16 ? 4.5f * 0x1p-11f
                                                 : 4.5f / 127 * 0.51f;
    for (size_t token = 0; token < 40; ++token) {
      for (size_t head = 0; head < shape.cache.heads; ++head) {
        cache_read(shape.cache, sequence.view(), token, head, key.data(), value.data());
        for (size_t i = 0; i < key.size(); ++i) {
          EXPECT_NEAR(key[i], keys[token * width + head * key.size() + i], step);
          EXPECT_NEAR(value[i], values[token * width + head * key.size() + i], step);
        }
      }
    }
  }
}

}  // namespace
}  // namespace edgewright::language
