#include "runtime/layout_copy.h"

#include <cstring>

namespace edgewright {
namespace {

// Where element (n, c, s) of N x C x spatial lies, in elements.
size_t position(const TensorSpec& spec, size_t n, size_t c, size_t s, size_t channels,
                size_t spatial) {
  const auto blocked = [&](size_t width) {
    const size_t blocks = (channels + width - 1) / width;
    return ((n * blocks + c / width) * spatial + s) * width + c % width;
  };
  switch (spec.layout) {
    case Layout::kNhwc: return (n * spatial + s) * channels + c;
    case Layout::kNchw16c: return blocked(16);
    case Layout::kNchw8c: return blocked(8);
    case Layout::kPlain: break;
  }
  return (n * channels + c) * spatial + s;
}

}  // namespace

Result<Tensor> plain_copy(const TensorSpec& spec, const void* data) {
  EDGEWRIGHT_ASSIGN(Tensor copy, Tensor::allocate_uninitialised(spec.dtype, spec.dims));
  const size_t size = static_cast<size_t>(dtype_bits(spec.dtype)) / 8;
  if (spec.dims.size() < 2 || size == 0) {
    return unsupported("a {} tensor of rank {} has no layout but the plain one",
                       dtype_name(spec.dtype), spec.dims.size());
  }
  const auto batch = static_cast<size_t>(spec.dims[0]);
  const auto channels = static_cast<size_t>(spec.dims[1]);
  size_t spatial = 1;
  for (size_t i = 2; i < spec.dims.size(); ++i) spatial *= static_cast<size_t>(spec.dims[i]);
  const auto* from = static_cast<const std::byte*>(data);
  std::byte* to = copy.mutable_bytes();
  for (size_t n = 0; n < batch; ++n) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t s = 0; s < spatial; ++s, to += size) {
        std::memcpy(to, from + position(spec, n, c, s, channels, spatial) * size, size);
      }
    }
  }
  return copy;
}

}  // namespace edgewright
