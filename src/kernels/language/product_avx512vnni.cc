#include "kernels/language/product.h"

namespace edgewright::language {

ProductRow product_avx512vnni() {
  return {"linear_avx512vnni",
          {"avx512vnni"},
          nullptr,
          [](WeightType, Phase) { return false; },
          [](size_t) { return size_t{0}; },
          nullptr};
}
ProductRow product_amx() {
  return {"linear_amx",
          {"amx-int8"},
          nullptr,
          [](WeightType, Phase) { return false; },
          [](size_t) { return size_t{0}; },
          nullptr};
}
void encode_tile_row(const float*, size_t, uint16_t*) {}

}  // namespace edgewright::language
