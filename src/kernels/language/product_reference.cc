// The specification of products with packed weights: plain loops.
#include <algorithm>

#include "kernels/language/product.h"

namespace edgewright::language {
namespace {

InputForm form(WeightType type) {
  return layout_of(type).group == 0 ? InputForm::kFloats : InputForm::kInt8;
}

double float_product(const ProductArgs& args, const std::byte* block, size_t r, const float* x) {
  double sum = 0;
  float values[kPieceColumns];
  // unpack_row() of a matrix of one block, a piece of its columns at a time.
  for (size_t first = 0; first < args.columns; first += 32) {
    const size_t bytes =
        first * kBlockRows * static_cast<size_t>(layout_of(args.type).value_bits) / 8;
    unpack_row({args.type, kBlockRows, 32, block + bytes}, r, values);
    for (size_t i = 0; i < 32; ++i) {
      sum += static_cast<double>(values[i]) * static_cast<double>(x[first + i]);
    }
  }
  return sum;
}

// Per group of 32 inputs: their scale * (the weights' scale * sum of integer products + minimum *
// sum of the input integers).
double int8_product(const ProductArgs& args, const std::byte* block, size_t r, size_t m) {
  const WeightLayout& layout = layout_of(args.type);
  const Inputs& inputs = args.inputs;
  // Bundles of one row: rows lie one after the other.
  const int8_t* values = inputs.values + m * inputs.columns;
  const float* scales = inputs.scales + m * inputs.columns / 32;
  const size_t step = std::min<size_t>(layout.group, 32);
  double sum = 0;
  for (size_t first = 0; first < args.columns; first += kPieceColumns) {
    const size_t count = std::min(kPieceColumns, args.columns - first);
    QuantPiece piece;
    load_piece(args.type, block, r, first, count, piece);
    for (size_t c = 0; c < count; c += step) {
      int32_t product = 0, total = 0;
      for (size_t k = c; k < c + step; ++k) {
        product += (piece.value[k] - layout.value_offset) * values[first + k];
        total += values[first + k];
      }
      const GroupScale group = group_scale(args.type, piece, c);
      sum +=
          static_cast<double>(scales[(first + c) / 32]) *
          (static_cast<double>(group.scale) * product + static_cast<double>(group.minimum) * total);
    }
  }
  return sum;
}

void multiply(const ProductArgs& args) {
  for (size_t m = 0; m < args.inputs.rows; ++m) {
    for (size_t row = 0; row < args.block_count * kBlockRows; ++row) {
      const std::byte* block = args.blocks + row / kBlockRows * args.block_bytes;
      const size_t r = row % kBlockRows;
      const double product =
          form(args.type) == InputForm::kFloats
              ? float_product(args, block, r, args.inputs.floats + m * args.inputs.columns)
              : int8_product(args, block, r, m);
      args.out[m * args.out_step + row] = static_cast<float>(product);
    }
  }
}

}  // namespace

ProductRow unavailable_product(std::string_view name) {
  return {name,
          {},
          form,
          1,
          [](WeightType, Phase) { return false; },
          [](size_t) { return size_t{0}; },
          multiply};
}

ProductRow product_reference() {
  return {"linear_reference",
          {},
          form,
          1,
          [](WeightType, Phase) { return true; },
          [](size_t) { return size_t{0}; },
          multiply};
}

}  // namespace edgewright::language
