#include <blosc.h>

#include "split/codec/forms.h"

namespace edgewright {
namespace {

const char* compressor(ActivationPacker packer) {
  return packer == ActivationPacker::kLz4 ? BLOSC_LZ4_COMPNAME : BLOSC_ZSTD_COMPNAME;
}
// Zstd's higher levels take longer than they save on a link of any speed.
int level(ActivationPacker packer) { return packer == ActivationPacker::kLz4 ? 5 : 3; }

}  // namespace

std::vector<std::byte> pack(ActivationPacker packer, std::span<const std::byte> bytes,
                            size_t item_bytes) {
  std::vector<std::byte> packed(bytes.size() + BLOSC_MAX_OVERHEAD);
  const int size =
      blosc_compress_ctx(level(packer), BLOSC_BITSHUFFLE, item_bytes, bytes.size(), bytes.data(),
                         packed.data(), packed.size(), compressor(packer), 0, 1);
  // The room is enough for anything, so that this fails only for sizes which are checked before.
  EDGEWRIGHT_CHECK(size > 0);
  packed.resize(static_cast<size_t>(size));
  return packed;
}

Result<std::vector<std::byte>> unpack(std::span<const std::byte> bytes, size_t size_bytes) {
  size_t stated_bytes = 0;
  if (bytes.size() < BLOSC_MIN_HEADER_LENGTH ||
      blosc_cbuffer_validate(bytes.data(), bytes.size(), &stated_bytes) < 0 ||
      stated_bytes != size_bytes) {
    return bad_input(
        "a packed activation is malformed: found {} bytes that say they are {}, "
        "expected {}",
        bytes.size(), stated_bytes, size_bytes);
  }
  std::vector<std::byte> unpacked(size_bytes);
  const int size = blosc_decompress_ctx(bytes.data(), unpacked.data(), unpacked.size(), 1);
  if (size < 0 || static_cast<size_t>(size) != size_bytes) {
    return bad_input("a packed activation does not unpack");
  }
  return unpacked;
}

}  // namespace edgewright
