#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

// Weight matrices of language models, repacked so that a matrix-vector product reads them as one
// stream. A packed matrix is one flat run of bytes that holds no pointers: it may be written to a
// file and mapped from it. The bytes are little-endian and the same for every CPU.
namespace edgewright::language {

// Values of a packed matrix. The affine ones are scale * q + minimum, the others scale * q.
enum class WeightType : uint8_t {
  kF32 = 0,
  kF16 = 1,
  kBf16 = 2,
  kQ8 = 3,      // int8, an fp16 scale per 32; of GGUF Q8_0 and Q5_0
  kQ4 = 4,      // -8..7, an fp16 scale per 32; of GGUF Q4_0
  kQ4G128 = 5,  // -8..7, an fp32 scale per 128
  kQ4Min = 6,   // 0..15, fp16 scale and minimum per 32; of GGUF Q4_1
  kQ8Min = 7,   // 0..255, fp16 scale and minimum per 32; of GGUF Q5_1
  kQ4K = 8,     // 0..15, 6-bit scale and minimum per 32, fp16 factors of both per 256; of GGUF Q4_K
  kQ5K = 9,     // the same with 0..31; of GGUF Q5_K
  kQ6K = 10,    // -32..31, int8 scale per 16, fp16 factor per 256; of GGUF Q6_K
  kQ6 = 11,     // -32..31, an fp16 scale per 32
};
inline constexpr int kWeightTypeCount = 12;
const char* weight_type_name(WeightType type);

// Rows that lie interleaved: row r and the 15 after it, from each multiple of 16, are one block.
// Rows are filled up to whole blocks with zeros.
inline constexpr size_t kBlockRows = 16;

// Rows are outputs, columns inputs. 64-byte alignment of `data` is quicker, none is needed.
struct PackedMatrix {
  WeightType type = WeightType::kF32;
  size_t rows = 0;
  size_t columns = 0;
  const std::byte* data = nullptr;
};

size_t block_bytes(WeightType type, size_t columns);  // 16 rows
size_t packed_bytes(WeightType type, size_t rows, size_t columns);

// Row-major matrices that can be packed. The GGUF types are sequences of its blocks (sources of
// their layouts: the GGUF specification and ggml's quantisation structures); kInt8G32, kInt4G32 and
// kInt4G128 are integers that somebody else has rounded, one a byte, beside their scales.
enum class SourceType : uint8_t {
  kF32,
  kF16,
  kBf16,
  kQ8_0,  // NOLINT(readability-identifier-naming): the names of the format
  kQ4_0,  // NOLINT(readability-identifier-naming)
  kQ4_1,  // NOLINT(readability-identifier-naming)
  kQ5_0,  // NOLINT(readability-identifier-naming)
  kQ5_1,  // NOLINT(readability-identifier-naming)
  kQ4_K,  // NOLINT(readability-identifier-naming)
  kQ5_K,  // NOLINT(readability-identifier-naming)
  kQ6_K,  // NOLINT(readability-identifier-naming)
  kInt8G32,
  kInt4G32,
  kInt4G128,
};
inline constexpr int kSourceTypeCount = 14;

struct SourceMatrix {
  SourceType type = SourceType::kF32;
  size_t rows = 0;
  size_t columns = 0;
  const void* data = nullptr;  // need not be aligned
  const float* scales =
      nullptr;  // kInt*: [rows][columns / group], rounded to fp16 for groups of 32
};
// Columns of one block of a source; `columns` has to be a multiple of it.
size_t source_block_columns(SourceType type);
size_t source_bytes(SourceType type, size_t rows, size_t columns);
// The packed type that holds a source without loss.
WeightType exact_weight_type(SourceType type);

// Where the rows of a source come to lie among those of the packed matrix.
enum class Placement : uint8_t {
  kStacked,  // row r at first_row + r
  kGate,     // blocks of gate rows (even blocks) and up rows (odd ones) take turns, so that the
  kUp,       // product of both can be fused; first_row is 0 and the matrix has gated_rows() rows
};
// Rows of a packed matrix that holds two matrices of `rows` rows as gate and up.
size_t gated_rows(size_t rows);

// Packs the rows [source_begin, source_end) of a source into `out`, packed_bytes(type, rows,
// columns) bytes which start zeroed. Calls for distinct rows of distinct blocks may run at once.
// Possible are: any source to its exact type; any source to kF32, kF16, kBf16, kQ8, kQ4, kQ4G128,
// kQ6 by rounding to nearest, with the scale of each group of 4 and 6-bit values searched for the
// least squared error. Errors: kUnsupported for other pairs, kUsage where sizes do not fit.
struct PackRequest {
  SourceMatrix source;
  size_t source_begin = 0;
  size_t source_end = 0;
  WeightType type = WeightType::kF32;
  size_t rows = 0;  // of the packed matrix
  size_t first_row = 0;
  Placement placement = Placement::kStacked;
};
Result<void> pack_rows(const PackRequest& request, std::span<std::byte> out);

// The values of one row, `columns` of them, as kernels see them: embeddings are read so.
void unpack_row(const PackedMatrix& matrix, size_t row, float* out);
// The same of a source.
void read_source_row(const SourceMatrix& source, size_t row, float* out);

}  // namespace edgewright::language
