// edgewright::QuantizedAttention: softmax(scale * Q K^T) V for every head, with Q, K, V and the
// softmax rounded to bytes, so that both products are integer. A head at a time: everything between
// its input and its output stays in cache.
//
// Sums of Q K^T are taken over (q - q_zero) k' with k' = k moved into the range of int8. What the
// move adds is the same for all keys of a query, which the softmax does not see. Sums of the second
// product are corrected by the sum of the weights of a row.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/integer/attention_bytes.h"
#include "kernels/integer/integer_tile.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/requantise.h"

namespace edgewright {
namespace {

constexpr int64_t kChunk = static_cast<int64_t>(kIntegerChunk);

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }
bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

// How one tensor on the way is rounded.
struct Rounding {
  float scale = 1;
  int32_t zero = 0;
  DType dtype = DType::kUint8;

  ByteRounding to_bytes(uint8_t flip) const {
    return {scale, static_cast<float>(zero), dtype, flip};
  }
  // Bytes as the unsigned or the signed side of a product has them, and the zero point there.
  uint8_t unsigned_flip() const { return dtype == DType::kInt8 ? 0x80 : 0; }
  int32_t unsigned_zero() const { return dtype == DType::kInt8 ? zero + 128 : zero; }
  uint8_t signed_flip() const { return dtype == DType::kInt8 ? 0 : 0x80; }
  int32_t signed_zero() const { return dtype == DType::kInt8 ? zero : zero - 128; }
};

Result<Rounding> read_rounding(const Attributes& attributes, const std::string& name) {
  Rounding r;
  r.scale = attributes.get_float(name + "_scale", 0);
  r.zero = static_cast<int32_t>(attributes.get_int(name + "_zero", 0));
  r.dtype =
      static_cast<DType>(attributes.get_int(name + "_type", static_cast<int64_t>(DType::kUint8)));
  if (!(r.scale > 0) || !std::isfinite(r.scale) || !is_byte(r.dtype)) {
    return unsupported("quantised attention: {} has scale {}", name, r.scale);
  }
  return r;
}

struct QuantizedAttentionShape {
  int64_t batch = 0, rows = 0, heads = 1, size = 0;
  float scale = 1;
  Rounding q, k, v, weights, y;

  int64_t key_panels() const { return divide_up(rows, 16); }
  int64_t size_panels() const { return divide_up(size, 16); }
  int64_t size_chunks() const { return divide_up(size, kChunk); }
  int64_t key_chunks() const { return divide_up(rows, kChunk); }
};

Result<QuantizedAttentionShape> parse(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1 || !is_plain(request) ||
      request.inputs[0].dtype != DType::kFloat32 || request.inputs[0].dims.size() != 3) {
    return unsupported("quantised attention: not one packed float tensor");
  }
  QuantizedAttentionShape s;
  const Attributes& attributes = *request.attributes;
  const Dims& x = request.inputs[0].dims;
  s.heads = attributes.get_int("num_heads", 1);
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(x));
  constexpr int64_t kMostRows = 4096;  // scores of a head are held as a whole
  if (s.heads < 1 || count == 0 || x[2] % (3 * s.heads) != 0 || x[1] > kMostRows) {
    return unsupported("quantised attention: {} does not fit {} heads", dims_text(x), s.heads);
  }
  s.batch = x[0];
  s.rows = x[1];
  s.size = x[2] / (3 * s.heads);
  s.scale = attributes.get_float("scale", 1.0f);
  EDGEWRIGHT_ASSIGN(s.q, read_rounding(attributes, "q"));
  EDGEWRIGHT_ASSIGN(s.k, read_rounding(attributes, "k"));
  EDGEWRIGHT_ASSIGN(s.v, read_rounding(attributes, "v"));
  EDGEWRIGHT_ASSIGN(s.weights, read_rounding(attributes, "weights"));
  EDGEWRIGHT_ASSIGN(s.y, read_rounding(attributes, "y"));
  if (request.outputs[0].dtype != s.y.dtype ||
      request.outputs[0].dims != Dims{x[0], x[1], x[2] / 3} || s.size > 1024) {
    return unsupported("quantised attention: another output");
  }
  return s;
}

// The working memory of one head, in bytes from its start.
struct HeadMemory {
  int64_t queries, keys, values, weights, scores, columns, sums, end;

  explicit HeadMemory(const QuantizedAttentionShape& s) {
    const int64_t rows = round_up(s.rows, static_cast<int64_t>(kMaxIntegerRows));
    const auto chunk_bytes = static_cast<int64_t>(kIntegerChunkBytes);
    queries = 0;  // then keys and values before they are packed
    keys = queries + rows * s.size_chunks() * kChunk;
    values = keys + s.key_panels() * s.size_chunks() * chunk_bytes;
    weights = values + s.size_panels() * s.key_chunks() * chunk_bytes;
    scores = weights + rows * s.key_chunks() * kChunk;
    columns = scores + rows * s.key_panels() * 64;
    sums = columns + 2 * std::max(s.key_panels(), s.size_panels()) * 64;
    end = sums + round_up(2 * rows * 4, 64);
  }
};

class QuantizedAttention : public PreparedKernel {
 public:
  QuantizedAttention(const QuantizedAttentionShape& shape, const IntegerCore& core, int threads)
      : s_(shape), core_(core), memory_(shape), threads_(std::max(threads, 1)) {}

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * static_cast<size_t>(memory_.end);
  }

  void run(const KernelIo& io) const override {
    io.pool->parallel_for(static_cast<size_t>(s_.batch * s_.heads), [&](size_t task, int worker) {
      if (core_.begin != nullptr) core_.begin();
      const auto i = static_cast<int64_t>(task);
      Head head{static_cast<std::byte*>(io.scratch) + worker * memory_.end, memory_};
      const int64_t width = s_.heads * s_.size;
      const int64_t image = i / s_.heads, column = i % s_.heads * s_.size;
      const float* const x =
          static_cast<const float*>(io.inputs[0]) + image * s_.rows * 3 * width + column;
      // Rows of keys and values pass through where the queries, and then the weights, will be.
      read_keys(head, x + width);
      read_values(head, x + 2 * width);
      round_rows(x, x_row(), static_cast<size_t>(s_.rows), static_cast<size_t>(s_.size),
                 s_.q.to_bytes(s_.q.unsigned_flip()), head.queries(), query_step());
      score(head);
      weigh(head, static_cast<uint8_t*>(io.outputs[0]) + image * s_.rows * width + column);
      if (core_.end != nullptr) core_.end();
    });
  }

 private:
  struct Head {
    std::byte* base;
    const HeadMemory& at;
    uint8_t* queries() const { return reinterpret_cast<uint8_t*>(base + at.queries); }
    int8_t* keys() const { return reinterpret_cast<int8_t*>(base + at.keys); }
    int8_t* values() const { return reinterpret_cast<int8_t*>(base + at.values); }
    uint8_t* weights() const { return reinterpret_cast<uint8_t*>(base + at.weights); }
    float* scores() const { return reinterpret_cast<float*>(base + at.scores); }
    float* columns() const { return reinterpret_cast<float*>(base + at.columns); }
    int32_t* sums() const { return reinterpret_cast<int32_t*>(base + at.sums); }
  };

  int64_t x_row() const { return 3 * s_.heads * s_.size; }
  int64_t query_step() const { return s_.size_chunks() * kChunk; }
  int64_t padded_rows() const { return round_up(s_.rows, static_cast<int64_t>(kMaxIntegerRows)); }

  // Keys are the columns of the first product.
  void read_keys(const Head& head, const float* x) const {
    const auto rows = static_cast<size_t>(s_.rows), size = static_cast<size_t>(s_.size);
    round_rows(x, x_row(), rows, size, s_.k.to_bytes(s_.k.signed_flip()), head.queries(),
               query_step());
    pack_byte_columns(head.queries(), query_step(), rows, size, head.keys(), head.sums());
    const int64_t columns = s_.key_panels() * 16;
    float* const scale = head.columns();
    const auto factor = static_cast<float>(static_cast<double>(s_.q.scale) * s_.k.scale * s_.scale);
    std::fill(scale, scale + columns, factor);
    for (int64_t key = 0; key < s_.rows; ++key) {
      scale[columns + key] = -static_cast<float>(s_.q.unsigned_zero() * head.sums()[key]) * factor;
    }
  }

  // Keys are the depth of the second product.
  void read_values(const Head& head, const float* x) const {
    const auto rows = static_cast<size_t>(s_.rows), size = static_cast<size_t>(s_.size);
    round_rows(x, x_row(), rows, size, s_.v.to_bytes(s_.v.signed_flip()), head.queries(),
               query_step());
    pack_byte_depth(head.queries(), query_step(), rows, size, head.values());
  }

  // Rows of one of the products, tile by tile; finish(sums, step, row, rows, column, columns).
  template <class F>
  void multiply(const uint8_t* a, const int8_t* w, int64_t depth, int64_t columns, F finish) const {
    static constexpr ptrdiff_t kNoOffset = 0;
    alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanels * 16];
    const int64_t chunks = divide_up(depth, kChunk);
    IntegerProduct product;
    product.offsets = &kNoOffset;
    product.a_step = chunks * kChunk;
    product.k = static_cast<size_t>(depth);
    product.w_block = product.w_panel = chunks * static_cast<int64_t>(kIntegerChunkBytes);
    const auto panels = static_cast<size_t>(divide_up(columns, 16));
    for (size_t panel = 0; panel < panels;) {
      const size_t wide = std::min(core_.max_panels, panels - panel);
      const size_t most = core_.max_rows[wide];
      product.w = w + static_cast<ptrdiff_t>(panel) * product.w_panel;
      for (size_t row = 0; row < static_cast<size_t>(s_.rows); row += most) {
        const size_t tall = std::min(most, static_cast<size_t>(s_.rows) - row);
        product.a = a + static_cast<ptrdiff_t>(row) * product.a_step;
        core_.run(product, tall, wide, sums, static_cast<ptrdiff_t>(wide * 16));
        const size_t valid = std::min(wide * 16, static_cast<size_t>(columns) - panel * 16);
        finish(sums, static_cast<ptrdiff_t>(wide * 16), row, tall, panel * 16, valid);
      }
      panel += wide;
    }
  }

  // Where rows of the result begin, `width` elements apart.
  int32_t* places(const Head& head, int64_t width) const {
    int32_t* const made = head.sums() + padded_rows();
    for (int64_t row = 0; row < s_.rows; ++row) made[row] = static_cast<int32_t>(row * width);
    return made;
  }

  // Scores, their softmax and its bytes.
  void score(const Head& head) const {
    const int64_t width = s_.key_panels() * 16;
    const int32_t* const rows_at = places(head, width);
    Finish finish;
    finish.scale = head.columns();
    finish.bias = head.columns() + width;
    finish.low = -INFINITY;
    finish.high = INFINITY;
    finish.out = head.scores();
    multiply(head.queries(), head.keys(), s_.size, s_.rows,
             [&](const int32_t* sums, ptrdiff_t step, size_t row, size_t rows, size_t column,
                 size_t columns) {
               finish_sums(finish, sums, step, rows_at + row, rows, column, columns);
             });
    const auto count = static_cast<size_t>(s_.rows);
    softmax_to_bytes(head.scores(), width, count, count,
                     s_.weights.to_bytes(s_.weights.unsigned_flip()), head.weights(),
                     s_.key_chunks() * kChunk, head.sums());
  }

  // The second product: sum of (w - w_zero) (v - v_zero) over the keys, where v_zero is of v' and
  // both zero points leave one term per row or column.
  void weigh(const Head& head, uint8_t* y) const {
    const int32_t v_zero = s_.v.signed_zero(), w_zero = s_.weights.unsigned_zero();
    const int32_t* const rows_at = places(head, s_.heads * s_.size);
    int32_t* const row_sums = head.sums();
    for (int64_t row = 0; row < s_.rows; ++row) {
      row_sums[row] = v_zero * (row_sums[row] - static_cast<int32_t>(s_.rows) * w_zero);
    }
    Finish finish = weighing(head, w_zero);
    finish.out = y;
    multiply(
        head.weights(), head.values(), s_.rows, s_.size,
        [&](int32_t* sums, ptrdiff_t step, size_t row, size_t rows, size_t column, size_t columns) {
          if (v_zero != 0) subtract_from_rows(sums, step, rows, columns, row_sums + row);
          finish_sums(finish, sums, step, rows_at + row, rows, column, columns);
        });
  }

  // Factors per column; the bias takes off w_zero times the sum of a column of v'.
  Finish weighing(const Head& head, int32_t w_zero) const {
    const int64_t columns = s_.size_panels() * 16;
    float* const scale = head.columns();
    float* const bias = scale + columns;
    const auto factor =
        static_cast<float>(static_cast<double>(s_.weights.scale) * s_.v.scale / s_.y.scale);
    std::fill(scale, scale + columns, factor);
    std::fill(bias, bias + columns, static_cast<float>(s_.y.zero));
    const int64_t panel_bytes = s_.key_chunks() * static_cast<int64_t>(kIntegerChunkBytes);
    for (int64_t c = 0; w_zero != 0 && c < s_.size; ++c) {
      const int8_t* const from = head.values() + c / 16 * panel_bytes + c % 16 * 4;
      int32_t sum = 0;
      for (int64_t key = 0; key < s_.rows; ++key) sum += from[key / 4 * 64 + key % 4];
      bias[c] -= static_cast<float>(w_zero * sum) * factor;
    }
    Finish finish;
    finish.scale = scale;
    finish.bias = bias;
    finish.out_type = s_.y.dtype;
    finish.low = s_.y.dtype == DType::kInt8 ? -128.0f : 0.0f;
    finish.high = s_.y.dtype == DType::kInt8 ? 127.0f : 255.0f;
    return finish;
  }

  QuantizedAttentionShape s_;
  const IntegerCore& core_;
  HeadMemory memory_;
  int threads_;
};

bool supports_vector(const KernelRequest& request) { return parse(request).ok(); }
bool supports_amx(const KernelRequest& request) {
  return amx_integer_core() != nullptr && supports_vector(request);
}

template <bool kAmx>
Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const QuantizedAttentionShape s, parse(request));
  const IntegerCore* core = kAmx ? amx_integer_core() : &vector_integer_core();
  if (core == nullptr) return unsupported("this CPU has no AMX");
  return Created(std::make_unique<QuantizedAttention>(s, *core, request.threads));
}

}  // namespace

ImplementationFunctions quantized_attention_amx() { return {supports_amx, nullptr, create<true>}; }
ImplementationFunctions quantized_attention_vector() {
  return {supports_vector, nullptr, create<false>};
}

}  // namespace edgewright
