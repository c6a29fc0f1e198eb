#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "split/codec/codec.h"

namespace edgewright {

// How the elements of a tensor are grouped for scales: element i belongs to group
// (i / inner) % groups.
struct ChannelGroups {
  size_t groups = 1, inner = 1;
  size_t group(size_t element) const { return element / inner % groups; }
};
// Axis 1 of images (rank 4 and more), the last axis otherwise; all elements together where a
// channel would have too few to pay for its scale.
ChannelGroups channel_groups(const Dims& dims);

// Appends plain little-endian values, and reads them back within bounds.
class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    put_bytes({reinterpret_cast<const std::byte*>(&value), sizeof(T)});
  }
  void put_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <class T>
  Result<T> get() {
    EDGEWRIGHT_ASSIGN(const auto bytes, take(sizeof(T)));
    T value;
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&value));
    return value;
  }
  Result<std::span<const std::byte>> take(size_t count) {
    if (count > rest_.size()) {
      return bad_input("an activation ends early: found {} bytes, expected {} more", rest_.size(),
                       count);
    }
    const auto bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return bytes;
  }
  size_t left() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
};

// Numbers to bytes and back. `kept` says which elements are written (empty: all).
Status write_form(ActivationForm form, std::span<const float> values, const Dims& dims,
                  const std::vector<bool>& kept, ByteWriter& writer);
// Fills the kept elements of `values`; the others stay as they are.
Status read_form(ActivationForm form, ByteReader& reader, const Dims& dims,
                 const std::vector<bool>& kept, std::span<float> values);

// Principal components of the channels, found in the tensor itself: as many as hold 99.9 % of the
// energy; basis in half precision, coefficients as int8.
Status write_pca(std::span<const float> values, const Dims& dims, ByteWriter& writer);
Status read_pca(ByteReader& reader, const Dims& dims, std::span<float> values);

std::vector<std::byte> pack(ActivationPacker packer, std::span<const std::byte> bytes,
                            size_t item_bytes);
Result<std::vector<std::byte>> unpack(std::span<const std::byte> bytes, size_t size_bytes);

}  // namespace edgewright
