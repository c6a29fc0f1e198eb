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

#include "kernels/elementwise/chunk.h"
#include "kernels/integer/integer_tile.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/requantise.h"
#include "kernels/softmax/softmax_rows.h"

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

  ElementOp op() const {
    return dtype == DType::kInt8 ? ElementOp::kQuantizeInt8 : ElementOp::kQuantizeUint8;
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
  int64_t queries, keys, values, weights, scores, key_bias, value_scale, places, end;

  explicit HeadMemory(const QuantizedAttentionShape& s) {
    const int64_t rows = round_up(s.rows, static_cast<int64_t>(kMaxIntegerRows));
    const int64_t chunk_bytes = static_cast<int64_t>(kIntegerChunkBytes);
    queries = 0;
    keys = queries + rows * s.size_chunks() * kChunk;
    values = keys + s.key_panels() * s.size_chunks() * chunk_bytes;
    weights = values + s.size_panels() * s.key_chunks() * chunk_bytes;
    scores = weights + rows * s.key_chunks() * kChunk;
    key_bias = scores + rows * s.key_panels() * 64;
    value_scale = key_bias + 2 * s.key_panels() * 64;
    places = value_scale + 2 * s.size_panels() * 64;
    end = places + round_up(2 * rows * 4 + s.size * 4 + s.size + rows * 4, 64);
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
      read_queries(head, x);
      read_keys(head, x + width);
      read_values(head, x + 2 * width);
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
    float* key_scale() const { return reinterpret_cast<float*>(base + at.key_bias); }
    float* value_scale() const { return reinterpret_cast<float*>(base + at.value_scale); }
    int32_t* places() const { return reinterpret_cast<int32_t*>(base + at.places); }
  };

  // One row of one part as bytes; `reals` is room for as many floats.
  void round_row(const float* x, const Rounding& r, float* reals, uint8_t* bytes) const {
    const auto count = static_cast<size_t>(s_.size);
    compute_chunk(r.op(), x, nullptr, r.scale, static_cast<float>(r.zero), reals, count);
    store_bytes(r.dtype, reals, bytes, count);
  }
  float* row_reals(const Head& head) const {
    return reinterpret_cast<float*>(head.places() +
                                    3 * round_up(s_.rows, static_cast<int64_t>(kMaxIntegerRows)));
  }
  uint8_t* row_bytes(const Head& head) const {
    return reinterpret_cast<uint8_t*>(row_reals(head) + s_.size);
  }
  int64_t x_row() const { return 3 * s_.heads * s_.size; }

  void read_queries(const Head& head, const float* x) const {
    const int64_t step = s_.size_chunks() * kChunk;
    const uint8_t flip = s_.q.unsigned_flip();
    for (int64_t row = 0; row < s_.rows; ++row) {
      uint8_t* const to = head.queries() + row * step;
      round_row(x + row * x_row(), s_.q, row_reals(head), to);
      for (int64_t i = 0; i < s_.size; ++i) to[i] ^= flip;
    }
  }

  // Keys are the columns of the first product.
  void read_keys(const Head& head, const float* x) const {
    const int64_t panel_bytes = s_.size_chunks() * static_cast<int64_t>(kIntegerChunkBytes);
    std::memset(head.keys(), 0, static_cast<size_t>(s_.key_panels() * panel_bytes));
    const int64_t columns = s_.key_panels() * 16;
    float* const scale = head.key_scale();
    float* const bias = scale + columns;
    const auto factor = static_cast<float>(static_cast<double>(s_.q.scale) * s_.k.scale * s_.scale);
    std::fill(scale, scale + columns, factor);
    uint8_t* const bytes = row_bytes(head);
    const uint8_t flip = s_.k.signed_flip();
    for (int64_t key = 0; key < s_.rows; ++key) {
      round_row(x + key * x_row(), s_.k, row_reals(head), bytes);
      int8_t* const to = head.keys() + key / 16 * panel_bytes + key % 16 * 4;
      int32_t sum = 0;
      for (int64_t i = 0; i < s_.size; ++i) {
        const auto value = static_cast<int8_t>(bytes[i] ^ flip);
        to[i / 4 * 64 + i % 4] = value;
        sum += value;
      }
      bias[key] = -static_cast<float>(s_.q.unsigned_zero() * sum) * factor;
    }
  }

  // Keys are the depth of the second product.
  void read_values(const Head& head, const float* x) const {
    const int64_t panel_bytes = s_.key_chunks() * static_cast<int64_t>(kIntegerChunkBytes);
    std::memset(head.values(), 0, static_cast<size_t>(s_.size_panels() * panel_bytes));
    uint8_t* const bytes = row_bytes(head);
    const uint8_t flip = s_.v.signed_flip();
    for (int64_t key = 0; key < s_.rows; ++key) {
      round_row(x + key * x_row(), s_.v, row_reals(head), bytes);
      int8_t* const to = head.values() + key / 4 * 64 + key % 4;
      for (int64_t i = 0; i < s_.size; ++i) {
        to[i / 16 * panel_bytes + i % 16 * 4] = static_cast<int8_t>(bytes[i] ^ flip);
      }
    }
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

  // Scores, their softmax and its bytes.
  void score(const Head& head) const {
    const int64_t width = s_.key_panels() * 16;
    int32_t* const places = head.places();
    for (int64_t row = 0; row < s_.rows; ++row) places[row] = static_cast<int32_t>(row * width);
    Finish finish;
    finish.scale = head.key_scale();
    finish.bias = head.key_scale() + width;
    finish.low = -INFINITY;
    finish.high = INFINITY;
    finish.out = head.scores();
    multiply(head.queries(), head.keys(), s_.size, s_.rows,
             [&](const int32_t* sums, ptrdiff_t step, size_t row, size_t rows, size_t column,
                 size_t columns) {
               finish_sums(finish, sums, step, places + row, rows, column, columns);
             });
    const int64_t step = s_.key_chunks() * kChunk;
    const auto count = static_cast<size_t>(s_.rows);
    const Rounding& r = s_.weights;
    for (int64_t row = 0; row < s_.rows; ++row) {
      float* const scores = head.scores() + row * width;
      softmax_row(scores, scores, count, false);
      compute_chunk(r.op(), scores, nullptr, r.scale, static_cast<float>(r.zero), scores, count);
      uint8_t* const to = head.weights() + row * step;
      store_bytes(r.dtype, scores, to, count);
      for (int64_t i = 0; i < s_.rows; ++i) to[i] ^= r.unsigned_flip();
    }
  }

  // The second product: sum of (w - w_zero) (v - v_zero) over the keys, where v_zero is of v' and
  // both zero points leave one term per row or column.
  void weigh(const Head& head, uint8_t* y) const {
    const int64_t width = s_.heads * s_.size;
    const int64_t step = s_.key_chunks() * kChunk;
    const int32_t v_zero = s_.v.signed_zero(), w_zero = s_.weights.unsigned_zero();
    int32_t* const places = head.places();
    int32_t* const row_sums = places + round_up(s_.rows, static_cast<int64_t>(kMaxIntegerRows));
    for (int64_t row = 0; row < s_.rows; ++row) {
      places[row] = static_cast<int32_t>(row * width);
      const uint8_t* const weights = head.weights() + row * step;
      int32_t sum = 0;
      for (int64_t i = 0; i < s_.rows; ++i) sum += weights[i];
      row_sums[row] = v_zero * (sum - static_cast<int32_t>(s_.rows) * w_zero);
    }
    const Finish finish = weighing(head, w_zero);
    Finish target = finish;
    target.out = y;
    multiply(head.weights(), head.values(), s_.rows, s_.size,
             [&](int32_t* sums, ptrdiff_t sums_step, size_t row, size_t rows, size_t column,
                 size_t columns) {
               for (size_t i = 0; v_zero != 0 && i < rows; ++i) {
                 int32_t* const of_row = sums + static_cast<ptrdiff_t>(i) * sums_step;
                 for (ptrdiff_t c = 0; c < sums_step; ++c) of_row[c] -= row_sums[row + i];
               }
               finish_sums(target, sums, sums_step, places + row, rows, column, columns);
             });
  }

  // Factors per column; the bias takes off w_zero times the sum of a column of v'.
  Finish weighing(const Head& head, int32_t w_zero) const {
    const int64_t columns = s_.size_panels() * 16;
    float* const scale = head.value_scale();
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
