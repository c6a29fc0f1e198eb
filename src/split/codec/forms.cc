#include "split/codec/forms.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgewright {
namespace {

// Scales are 8 bytes a group; below this many elements they cost more than they gain.
constexpr size_t kFewestPerGroup = 32;

bool is_kept(const std::vector<bool>& kept, size_t i) { return kept.empty() || kept[i]; }

// value = low + step x level, levels 0 to `levels`.
struct Scale {
  float low = std::numeric_limits<float>::infinity(), step = 0;
};

std::vector<Scale> scales_of(std::span<const float> values, const std::vector<bool>& kept,
                             const ChannelGroups& groups, float levels) {
  std::vector<Scale> scales(groups.groups);
  std::vector<float> high(groups.groups, -std::numeric_limits<float>::infinity());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_kept(kept, i)) continue;
    const size_t group = groups.group(i);
    scales[group].low = std::min(scales[group].low, values[i]);
    high[group] = std::max(high[group], values[i]);
  }
  for (size_t group = 0; group < scales.size(); ++group) {
    if (high[group] < scales[group].low) scales[group].low = high[group] = 0;  // nothing is kept
    scales[group].step = (high[group] - scales[group].low) / levels;
  }
  return scales;
}

void write_levels(std::span<const float> values, const Dims& dims, const std::vector<bool>& kept,
                  int bits, ByteWriter& writer) {
  const ChannelGroups groups = channel_groups(dims);
  const auto levels = static_cast<float>((1 << bits) - 1);
  const auto scales = scales_of(values, kept, groups, levels);
  for (const Scale& scale : scales) {
    writer.put(scale.low);
    writer.put(scale.step);
  }
  int held = 0;
  uint8_t byte = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_kept(kept, i)) continue;
    const Scale& scale = scales[groups.group(i)];
    const float level =
        scale.step > 0 ? std::clamp(std::round((values[i] - scale.low) / scale.step), 0.0f, levels)
                       : 0.0f;
    byte = static_cast<uint8_t>(byte | static_cast<unsigned>(level) << held);
    held += bits;
    if (held < 8) continue;
    writer.put(byte);
    byte = 0;
    held = 0;
  }
  if (held > 0) writer.put(byte);
}

Status read_levels(ByteReader& reader, const Dims& dims, const std::vector<bool>& kept, int bits,
                   std::span<float> values) {
  const ChannelGroups groups = channel_groups(dims);
  std::vector<Scale> scales(groups.groups);
  for (Scale& scale : scales) {
    EDGEWRIGHT_ASSIGN(scale.low, reader.get<float>());
    EDGEWRIGHT_ASSIGN(scale.step, reader.get<float>());
    if (!std::isfinite(scale.low) || !std::isfinite(scale.step)) {
      return bad_input("an activation has a scale that is no finite number");
    }
  }
  const auto count =
      static_cast<size_t>(kept.empty() ? std::ssize(values) : std::ranges::count(kept, true));
  EDGEWRIGHT_ASSIGN(const auto bytes, reader.take((count * static_cast<size_t>(bits) + 7) / 8));
  size_t position = 0;
  const unsigned mask = (1U << bits) - 1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_kept(kept, i)) continue;
    const unsigned level = std::to_integer<unsigned>(bytes[position / 8]) >> (position % 8) & mask;
    position += static_cast<size_t>(bits);
    const Scale& scale = scales[groups.group(i)];
    values[i] = scale.low + scale.step * static_cast<float>(level);
  }
  return {};
}

}  // namespace

ChannelGroups channel_groups(const Dims& dims) {
  size_t elements = 1;
  for (const int64_t dim : dims) elements *= static_cast<size_t>(dim);
  if (dims.size() < 2 || elements == 0) return {};
  const size_t axis = dims.size() >= 4 ? 1 : dims.size() - 1;
  ChannelGroups groups{static_cast<size_t>(dims[axis]), 1};
  for (size_t i = axis + 1; i < dims.size(); ++i) groups.inner *= static_cast<size_t>(dims[i]);
  return elements / groups.groups < kFewestPerGroup ? ChannelGroups{} : groups;
}

Status write_form(ActivationForm form, std::span<const float> values, const Dims& dims,
                  const std::vector<bool>& kept, ByteWriter& writer) {
  if (form == ActivationForm::kInt8 || form == ActivationForm::kInt4) {
    write_levels(values, dims, kept, form == ActivationForm::kInt8 ? 8 : 4, writer);
    return {};
  }
  if (form == ActivationForm::kPca) return write_pca(values, dims, writer);
  // The largest finite half; what lies above it would become infinite.
  constexpr float kLargestHalf = 65504;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_kept(kept, i)) continue;
    if (form == ActivationForm::kFloat16) {
      writer.put(Half(std::clamp(values[i], -kLargestHalf, kLargestHalf)).bits);
    } else {
      writer.put(values[i]);
    }
  }
  return {};
}

Status read_form(ActivationForm form, ByteReader& reader, const Dims& dims,
                 const std::vector<bool>& kept, std::span<float> values) {
  if (form == ActivationForm::kInt8 || form == ActivationForm::kInt4) {
    return read_levels(reader, dims, kept, form == ActivationForm::kInt8 ? 8 : 4, values);
  }
  if (form == ActivationForm::kPca) return read_pca(reader, dims, values);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_kept(kept, i)) continue;
    if (form == ActivationForm::kFloat16) {
      EDGEWRIGHT_ASSIGN(const uint16_t bits, reader.get<uint16_t>());
      values[i] = Half::to_float(bits);
    } else {
      EDGEWRIGHT_ASSIGN(values[i], reader.get<float>());
    }
  }
  return {};
}

}  // namespace edgewright
