#include "kernels/reference/elements.h"

#include <cstring>

#include "kernels/reference/walk.h"
#include "tensor/element.h"

namespace edgewright::reference {
namespace {

template <class T>
void copy_typed(std::byte* to, const std::byte* from, int64_t count, int64_t step) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * int64_t{sizeof(T)}, from + i * step * int64_t{sizeof(T)}, sizeof(T));
  }
}

struct Sixteen {
  uint64_t parts[2];
};

}  // namespace

ElementCopier::ElementCopier(const Tensor& from, Tensor& to)
    : from_(from), to_(to), bits_(dtype_bits(from.dtype())) {
  EDGEWRIGHT_CHECK(from.dtype() == to.dtype());
}

void ElementCopier::copy_one(int64_t to, int64_t from) const {
  if (bits_ == 0) {
    to_.mutable_string_elements()[static_cast<size_t>(to)] =
        from_.string_elements()[static_cast<size_t>(from)];
  } else {
    packed_set(to_.mutable_bytes(), to, bits_, packed_get(from_.bytes(), from, bits_));
  }
}

void ElementCopier::copy(int64_t to, int64_t from, int64_t count) const {
  if (count <= 0) return;
  if (bits_ >= 8) {
    const int64_t size = bits_ / 8;
    std::memcpy(to_.mutable_bytes() + to * size, from_.bytes() + from * size,
                static_cast<size_t>(count * size));
    return;
  }
  for (int64_t i = 0; i < count; ++i) copy_one(to + i, from + i);
}

void ElementCopier::copy_strided(int64_t to, int64_t from, int64_t count, int64_t from_step) const {
  if (from_step == 1) return copy(to, from, count);
  if (bits_ < 8) {
    for (int64_t i = 0; i < count; ++i) copy_one(to + i, from + i * from_step);
    return;
  }
  const int64_t size = bits_ / 8;
  std::byte* target = to_.mutable_bytes() + to * size;
  const std::byte* source = from_.bytes() + from * size;
  switch (size) {
    case 1: return copy_typed<uint8_t>(target, source, count, from_step);
    case 2: return copy_typed<uint16_t>(target, source, count, from_step);
    case 4: return copy_typed<uint32_t>(target, source, count, from_step);
    case 8: return copy_typed<uint64_t>(target, source, count, from_step);
    default: return copy_typed<Sixteen>(target, source, count, from_step);
  }
}

void copy_view(const Tensor& from, int64_t start, const Dims& dims, const Dims& strides,
               Tensor& to) {
  const ElementCopier copier(from, to);
  const StridedWalk walk(dims, {strides});
  int64_t at = 0;
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    copier.copy_strided(at, start + offsets[0], count, walk.inner_stride(0));
    at += count;
  });
}

void fill(Tensor& to, const Tensor& value) {
  ElementCopier(value, to).copy_strided(0, 0, to.element_count(), 0);
}

}  // namespace edgewright::reference
