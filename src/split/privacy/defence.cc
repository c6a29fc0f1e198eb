#include "split/privacy/defence.h"

#include <cstring>

#include "split/codec/codec.h"

namespace edgewright {
namespace {

using Row = std::vector<float>;
constexpr std::string_view kContext = "activation";

Protected as_numbers(Row row) {
  const double bytes = 4 * static_cast<double>(row.size());
  return {std::move(row), {}, bytes};
}

Protected as_sealed(const DefenceTools& tools, const Row& row) {
  Protected sent;
  sent.sealed = seal(std::as_bytes(std::span(row)), kContext, tools.key);
  sent.bytes = static_cast<double>(sent.sealed.size());
  return sent;
}

Result<Row> opened(const DefenceTools& tools, const Protected& sent) {
  EDGEWRIGHT_ASSIGN(const auto bytes, open_seal(sent.sealed, kContext, tools.key));
  Row row(bytes.size() / sizeof(float));
  std::memcpy(row.data(), bytes.data(), row.size() * sizeof(float));
  return row;
}

Row noisy(const DefenceTools& tools, Row row) {
  clip_norm(row, tools.clip);
  add_noise(row, tools.sigma);
  return row;
}

Result<Protected> send_plain(const DefenceTools&, const Row& row) { return as_numbers(row); }
Result<Row> take_plain(const DefenceTools&, const Protected& sent) { return sent.numbers; }

Result<Protected> send_rounded(const DefenceTools&, const Row& row) {
  ActivationCodec codec;
  codec.form = ActivationForm::kInt8;
  ActivationEncoder encoder(codec);
  ActivationDecoder decoder;
  const Tensor tensor = Tensor::of<float>({static_cast<int64_t>(row.size())}, row);
  EDGEWRIGHT_ASSIGN(const auto bytes, encoder.encode(tensor));
  EDGEWRIGHT_ASSIGN(const Tensor decoded, decoder.decode(bytes));
  const auto values = decoded.elements<float>();
  return Protected{Row(values.begin(), values.end()), {}, static_cast<double>(bytes.size())};
}

Result<Protected> send_rotated(const DefenceTools& tools, const Row& row) {
  Row rotated = row;
  tools.rotation.apply(rotated);
  return as_numbers(std::move(rotated));
}
Result<Row> take_rotated(const DefenceTools& tools, const Protected& sent) {
  Row row = sent.numbers;
  tools.rotation.undo(row);
  return row;
}

Result<Protected> send_projected(const DefenceTools& tools, const Row& row) {
  return as_numbers(tools.projection.apply(row));
}
Result<Row> take_projected(const DefenceTools& tools, const Protected& sent) {
  return tools.projection.restore(sent.numbers);
}

// Which components there are the server knows, so that it can go on; whoever has pairs learns them.
Result<Protected> send_components(const DefenceTools& tools, const Row& row) {
  Row weights;
  for (const Row& component : tools.basis.components) {
    double weight = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      weight += static_cast<double>(component[i]) *
                (static_cast<double>(row[i]) - static_cast<double>(tools.basis.mean[i]));
    }
    weights.push_back(static_cast<float>(weight));
  }
  return as_numbers(std::move(weights));
}
Result<Row> take_components(const DefenceTools& tools, const Protected& sent) {
  Row row = tools.basis.mean;
  for (size_t k = 0; k < sent.numbers.size(); ++k) {
    const Row& component = tools.basis.components[k];
    for (size_t i = 0; i < row.size(); ++i) row[i] += sent.numbers[k] * component[i];
  }
  return row;
}

Result<Protected> send_noisy(const DefenceTools& tools, const Row& row) {
  return as_numbers(noisy(tools, row));
}

Result<Protected> send_sealed(const DefenceTools& tools, const Row& row) {
  return as_sealed(tools, row);
}

// The projection first, so that the rest has little to do. What is projected is clipped and made
// noisy itself: the guarantee does not rest on the projection, which is no secret from the server.
Result<Protected> send_everything(const DefenceTools& tools, const Row& row) {
  Row sums = tools.sketch.apply(row);
  clip_norm(sums, tools.clip * tools.sketch_share);
  add_noise(sums, tools.sigma * tools.sketch_share);
  return as_sealed(tools, sums);
}
Result<Row> take_everything(const DefenceTools& tools, const Protected& sent) {
  EDGEWRIGHT_ASSIGN(const Row sums, opened(tools, sent));
  return tools.sketch.restore(sums);
}

constexpr Defence kDefences[] = {
    {"none", Guarantee::kNone, false, send_plain, take_plain},
    {"int8", Guarantee::kNone, false, send_rounded, take_plain},
    {"rotation", Guarantee::kObfuscation, false, send_rotated, take_rotated},
    {"projection", Guarantee::kObfuscation, false, send_projected, take_projected},
    {"pca", Guarantee::kObfuscation, false, send_components, take_components},
    {"noise", Guarantee::kDifferential, false, send_noisy, take_plain},
    {"encryption", Guarantee::kSecrecy, true, send_sealed, opened},
    {"projection+noise+encryption", Guarantee::kBoth, true, send_everything, take_everything},
};

}  // namespace

std::vector<float> Protected::seen() const {
  if (sealed.empty()) return numbers;
  // As many as the sealed numbers are, so that a decoder can try to learn from them.
  std::vector<float> values(sealed.size() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::to_integer<int>(sealed[i])) / 128 - 1;
  }
  return values;
}

std::span<const Defence> defences() { return kDefences; }

}  // namespace edgewright
