#include "kernels/language/attention.h"

#include <algorithm>
#include <limits>

#include "base/result.h"
#include "kernels/language/attention_block.h"

namespace edgewright::language {
namespace {

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

size_t thread_floats(const AttentionShape& shape) {
  return kAttentionLines * (2 * shape.cache.head_size + kKeyBlock + 2);
}

// Rows whose lines of one key-value head are worked on together.
size_t rows_together(const AttentionShape& shape) {
  return std::max<size_t>(1, kAttentionLines / (shape.query_heads / shape.cache.heads));
}

// Lines of one key-value head, at most kAttentionLines.
struct Lines {
  size_t first_row;
  size_t rows;
  size_t first_head;  // query head
  size_t heads;
};

void attend_lines(const AttentionShape& shape, const AttentionQueries& sequence, const Lines& lines,
                  float* scratch) {
  const size_t size = shape.cache.head_size;
  AttentionBlock block;
  block.lines = lines.rows * lines.heads;
  block.head_size = size;
  block.soft_cap = shape.soft_cap;
  float* queries = scratch;
  block.queries = queries;
  block.sums = queries + kAttentionLines * size;
  block.scores = block.sums + kAttentionLines * size;
  block.maxima = block.scores + kAttentionLines * kKeyBlock;
  block.totals = block.maxima + kAttentionLines;
  std::fill_n(block.sums, block.lines * size, 0.0f);
  std::fill_n(block.totals, block.lines, 0.0f);
  std::fill_n(block.maxima, block.lines, -std::numeric_limits<float>::infinity());
  size_t begin = std::numeric_limits<size_t>::max();
  for (size_t line = 0; line < block.lines; ++line) {
    const size_t row = lines.first_row + line / lines.heads;
    const size_t head = lines.first_head + line % lines.heads;
    const float* query = sequence.queries + row * sequence.query_step + head * size;
    for (size_t i = 0; i < size; ++i) queries[line * size + i] = query[i] * shape.scale;
    const size_t end = sequence.first + row + 1;
    block.ends[line] = end;
    block.begins[line] = sequence.begin;
    if (shape.window != 0 && end > shape.window) {
      block.begins[line] = std::max(sequence.begin, end - shape.window);
    }
    begin = std::min(begin, block.begins[line]);
  }
  const size_t end = sequence.first + lines.first_row + lines.rows;
  const size_t head = lines.first_head / (shape.query_heads / shape.cache.heads);
  const size_t page_tokens = shape.cache.page_tokens;
  // A block lies in one page, and a page may be missing from the first that is looked at on.
  const size_t step = page_tokens % kKeyBlock == 0 ? kKeyBlock : kKeyTile;
  for (size_t token = begin / step * step; token < end; token += step) {
    attend_to_block(shape.cache.type, block,
                    head_page(shape.cache, sequence.cache, token / page_tokens, head), token,
                    token % page_tokens, std::min(step, end - token));
  }
  for (size_t line = 0; line < block.lines; ++line) {
    const size_t row = lines.first_row + line / lines.heads;
    float* output = sequence.output + row * sequence.output_step +
                    (lines.first_head + line % lines.heads) * size;
    const float inverse = 1 / block.totals[line];
    for (size_t i = 0; i < size; ++i) output[i] = block.sums[line * size + i] * inverse;
  }
}

}  // namespace

size_t attention_workspace_bytes(const AttentionShape& shape, int threads) {
  return thread_floats(shape) * sizeof(float) * static_cast<size_t>(threads);
}

void attention(const AttentionShape& shape, std::span<const AttentionQueries> sequences,
               std::span<std::byte> workspace, ThreadPool& pool) {
  EDGEWRIGHT_CHECK(workspace.size() >= attention_workspace_bytes(shape, pool.threads()));
  const size_t group = shape.query_heads / shape.cache.heads;
  const size_t head_runs = divide_up(group, kAttentionLines);
  const size_t together = rows_together(shape);
  size_t most_rows = 0;
  for (const AttentionQueries& sequence : sequences) most_rows = std::max(most_rows, sequence.rows);
  // Tasks of sequences with fewer rows than the longest find nothing to do.
  const size_t row_runs = divide_up(most_rows, together);
  const size_t per_sequence = row_runs * shape.cache.heads * head_runs;
  pool.parallel_for(per_sequence * sequences.size(), [&](size_t task, int worker) {
    const AttentionQueries& sequence = sequences[task / per_sequence];
    const size_t in_sequence = task % per_sequence;
    const size_t run = in_sequence / row_runs;
    // The last rows see the most keys, so they come first.
    const size_t row = (row_runs - 1 - in_sequence % row_runs) * together;
    if (row >= sequence.rows) return;
    const size_t head = run / head_runs * group + run % head_runs * kAttentionLines;
    const size_t heads = std::min(kAttentionLines, group - run % head_runs * kAttentionLines);
    float* scratch = reinterpret_cast<float*>(workspace.data()) +
                     static_cast<size_t>(worker) * thread_floats(shape);
    attend_lines(shape, sequence, {row, std::min(together, sequence.rows - row), head, heads},
                 scratch);
  });
}

}  // namespace edgewright::language
