// edgewright::Attention: softmax(scale * Q K^T + mask) V for every head, on the register tiles of
// gemm/tile.h. A block of query rows at a time: the scores of a block stay in cache and those of a
// long sequence never exist as a whole.
//
// Inputs Q [B, S, heads * d], K and V [B, T, kv_heads * d], and optionally a mask that is added to
// the scores, of shape [.., S, T] that broadcasts to [B, heads, S, T]. Output as Q. Attributes
// num_heads, kv_num_heads (num_heads where absent), packed_qkv (input 0 holds Q, K and V side by
// side, inputs 1 and 2 are omitted), scale (1 / sqrt(d) where absent or 0), unidirectional (query i
// sees keys up to i + T - S).
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/families.h"
#include "kernels/gemm/tile.h"
#include "kernels/implementation.h"
#include "kernels/softmax/softmax_rows.h"

namespace edgewright {
namespace {

struct AttentionShape {
  int64_t batch = 0, queries = 0, keys = 0;
  int64_t heads = 1, kv_heads = 1, size = 0;
  float scale = 1;
  bool causal = false;
  bool has_mask = false;
  bool packed = false;            // Q, K and V side by side in input 0
  int64_t q_row = 0, kv_row = 0;  // distances of rows
  // Distances of the mask from one image, head and query to the next; 0 where it broadcasts.
  int64_t mask_image = 0, mask_head = 0, mask_query = 0;

  int64_t key_panels() const { return (keys + 15) / 16; }
  int64_t size_panels() const { return (size + 15) / 16; }
};

Status parse_mask(const KernelRequest& request, AttentionShape& s) {
  s.has_mask = has_input(request, 3);
  if (!s.has_mask) return {};
  Dims dims = request.inputs[3].dims;
  if (dims.empty() || dims.size() > 4) return unsupported("attention: mask of another rank");
  dims.insert(dims.begin(), 4 - dims.size(), 1);
  const int64_t wanted[] = {s.batch, s.heads, s.queries};
  int64_t* const distances[] = {&s.mask_image, &s.mask_head, &s.mask_query};
  int64_t distance = dims[3];
  if (dims[3] != s.keys) return unsupported("attention: mask does not fit the keys");
  for (int axis = 2; axis >= 0; --axis) {
    if (dims[static_cast<size_t>(axis)] == wanted[axis]) {
      *distances[axis] = wanted[axis] == 1 ? 0 : distance;
    } else if (dims[static_cast<size_t>(axis)] != 1) {
      return unsupported("attention: mask does not broadcast");
    }
    distance *= dims[static_cast<size_t>(axis)];
  }
  return {};
}

// The shape that K and V have within a packed input for this output.
Dims packed_keys(const Dims& whole, const Dims& out) {
  if (whole.size() != 3 || out.size() != 3 || whole[2] <= out[2] || (whole[2] - out[2]) % 2 != 0) {
    return {};
  }
  return {whole[0], whole[1], (whole[2] - out[2]) / 2};
}

Result<AttentionShape> parse_attention(const KernelRequest& request) {
  AttentionShape s;
  s.packed = request.attributes->get_int("packed_qkv", 0) != 0;
  if (!is_float32(request) || !is_plain(request) || request.outputs.size() != 1 ||
      (!s.packed && request.inputs.size() < 3)) {
    return unsupported("attention: not plain float32");
  }
  if (s.packed && (has_input(request, 1) || has_input(request, 2))) {
    return unsupported("attention: packed, with inputs beside");
  }
  const Dims& y = request.outputs[0].dims;
  const Dims& whole = request.inputs[0].dims;
  const Dims k = s.packed ? packed_keys(whole, y) : request.inputs[1].dims;
  const Dims& q = s.packed ? y : whole;
  if (q.size() != 3 || k.size() != 3 || q != y || q[0] != k[0] || whole.size() != 3 ||
      (s.packed && (whole[0] != q[0] || whole[1] != q[1])) ||
      (!s.packed && request.inputs[2].dims != k)) {
    return unsupported("attention: shapes do not agree");
  }
  s.batch = q[0];
  s.queries = q[1];
  s.keys = k[1];
  s.heads = request.attributes->get_int("num_heads", 1);
  s.kv_heads = request.attributes->get_int("kv_num_heads", s.heads);
  EDGEWRIGHT_ASSIGN(const int64_t q_count, checked_element_count(q));
  EDGEWRIGHT_ASSIGN(const int64_t k_count, checked_element_count(k));
  if (q_count == 0 || k_count == 0 || s.heads <= 0 || s.kv_heads <= 0 ||
      s.heads % s.kv_heads != 0 || q[2] % s.heads != 0) {
    return unsupported("attention: heads do not fit");
  }
  s.size = q[2] / s.heads;
  if (s.size * s.kv_heads != k[2]) return unsupported("attention: heads do not fit");
  s.q_row = s.packed ? whole[2] : q[2];
  s.kv_row = s.packed ? whole[2] : k[2];
  s.scale = request.attributes->get_float("scale", 0);
  if (s.scale == 0) s.scale = 1.0f / std::sqrt(static_cast<float>(s.size));
  s.causal = request.attributes->get_int("unidirectional", 0) != 0;
  EDGEWRIGHT_TRY(parse_mask(request, s));
  return s;
}

class Attention : public PreparedKernel {
 public:
  Attention(const AttentionShape& shape, int threads) : s_(shape), threads_(std::max(threads, 1)) {
    // Scores of a block of queries: at most 128 KB, but enough rows for a register tile.
    const int64_t row = s_.key_panels() * 16;
    block_ = std::clamp<int64_t>((int64_t{128} << 10) / 4 / row, 16, 128);
    block_ = std::min(block_, s_.queries);
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_ * worker_floats()) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    const int64_t tasks = s_.batch * s_.heads;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t task, int worker) {
      const int64_t head = static_cast<int64_t>(task) % s_.heads;
      run_head(io, static_cast<float*>(io.scratch) + worker * worker_floats(),
               static_cast<int64_t>(task) / s_.heads, head);
    });
  }

 private:
  int64_t key_floats() const { return s_.key_panels() * s_.size * 16; }
  int64_t value_floats() const { return s_.size_panels() * s_.keys * 16; }
  int64_t worker_floats() const {
    return key_floats() + value_floats() + block_ * s_.key_panels() * 16;
  }

  void run_head(const KernelIo& io, float* scratch, int64_t image, int64_t head) const {
    float* const keys = scratch;
    float* const values = keys + key_floats();
    float* const scores = values + value_floats();
    const int64_t kv_start =
        image * s_.keys * s_.kv_row + head / (s_.heads / s_.kv_heads) * s_.size;
    const float* const q = static_cast<const float*>(io.inputs[0]);
    const float* k = static_cast<const float*>(io.inputs[1]);
    const float* v = static_cast<const float*>(io.inputs[2]);
    if (s_.packed) {
      k = q + s_.heads * s_.size;
      v = k + s_.kv_heads * s_.size;
    }
    pack_keys(k + kv_start, keys);
    pack_values(v + kv_start, values);
    for (int64_t first = 0; first < s_.queries; first += block_) {
      const int64_t rows = std::min(block_, s_.queries - first);
      const int64_t at = (image * s_.queries + first) * s_.heads * s_.size + head * s_.size;
      const int64_t q_at = (image * s_.queries + first) * s_.q_row + head * s_.size;
      score(q + q_at, keys, scores, rows);
      for (int64_t row = 0; row < rows; ++row) {
        finish_row(io, scores + row * s_.key_panels() * 16, image, head, first + row);
      }
      weigh(scores, values, static_cast<float*>(io.outputs[0]) + at, rows);
    }
  }

  // [panel of 16 keys][d][16]
  void pack_keys(const float* k, float* out) const {
    for (int64_t panel = 0; panel < s_.key_panels(); ++panel, out += s_.size * 16) {
      for (int64_t j = 0; j < 16; ++j) {
        const int64_t key = panel * 16 + j;
        const float* const from = k + key * s_.kv_row;
        for (int64_t i = 0; i < s_.size; ++i) out[i * 16 + j] = key < s_.keys ? from[i] : 0.0f;
      }
    }
  }

  // [panel of 16 of d][key][16]
  void pack_values(const float* v, float* out) const {
    for (int64_t panel = 0; panel < s_.size_panels(); ++panel) {
      const int64_t columns = std::min<int64_t>(16, s_.size - panel * 16);
      for (int64_t key = 0; key < s_.keys; ++key, out += 16) {
        const float* const from = v + key * s_.kv_row + panel * 16;
        std::copy(from, from + columns, out);
        std::fill(out + columns, out + 16, 0.0f);
      }
    }
  }

  void score(const float* q, const float* keys, float* scores, int64_t rows) const {
    constexpr ptrdiff_t kNoOffset = 0;
    TileArgs tile;
    tile.a = q;
    tile.a_step = s_.q_row;
    tile.offsets = &kNoOffset;
    tile.klen = static_cast<size_t>(s_.size);
    tile.w = keys;
    tile.w_panel = s_.size * 16;
    tile.c = scores;
    tile.c_step = s_.key_panels() * 16;
    tile.c_panel = 16;
    tile.scale = s_.scale;
    run_tiles(tile, Epilogue(), static_cast<size_t>(rows), static_cast<size_t>(s_.key_panels()));
  }

  // Mask and softmax of one query's scores.
  void finish_row(const KernelIo& io, float* scores, int64_t image, int64_t head,
                  int64_t query) const {
    if (s_.has_mask) {
      const float* const mask = static_cast<const float*>(io.inputs[3]) + image * s_.mask_image +
                                head * s_.mask_head + query * s_.mask_query;
      for (int64_t key = 0; key < s_.keys; ++key) scores[key] += mask[key];
    }
    if (s_.causal) {
      const int64_t seen = std::clamp<int64_t>(query + s_.keys - s_.queries + 1, 0, s_.keys);
      std::fill(scores + seen, scores + s_.keys, -std::numeric_limits<float>::infinity());
    }
    softmax_rows(scores, scores, 1, static_cast<size_t>(s_.keys), false);
  }

  void weigh(const float* scores, const float* values, float* out, int64_t rows) const {
    constexpr ptrdiff_t kNoOffset = 0;
    TileArgs tile;
    tile.a = scores;
    tile.a_step = s_.key_panels() * 16;
    tile.offsets = &kNoOffset;
    tile.klen = static_cast<size_t>(s_.keys);
    tile.w = values;
    tile.w_panel = s_.keys * 16;
    tile.c = out;
    tile.c_step = s_.heads * s_.size;
    tile.c_panel = 16;
    tile.columns = static_cast<int>(s_.size - (s_.size_panels() - 1) * 16);
    run_tiles(tile, Epilogue(), static_cast<size_t>(rows), static_cast<size_t>(s_.size_panels()));
  }

  AttentionShape s_;
  int threads_;
  int64_t block_ = 1;
};

bool supports(const KernelRequest& request) { return parse_attention(request).ok(); }

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const AttentionShape shape, parse_attention(request));
  return Created(std::make_unique<Attention>(shape, request.threads));
}

constexpr KernelImplementation kImplementations[] = {
    {"attention_f32_hwy", "edgewright", "Attention", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> attention_implementations() { return kImplementations; }

}  // namespace edgewright
