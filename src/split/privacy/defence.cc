#include "split/privacy/defence.h"

#include "split/codec/codec.h"

namespace edgewright {
namespace {

using Row = std::vector<float>;

double plain_bytes(const Row& row) { return 4 * static_cast<double>(row.size()); }

Row noisy(const DefenceTools& tools, Row row) {
  clip_norm(row, tools.clip);
  add_noise(row, tools.sigma);
  return row;
}

// Sealed bytes as numbers, so that a decoder can try to learn from them.
Row as_numbers(std::span<const std::byte> bytes, size_t count) {
  Row numbers(count, 0);
  for (size_t i = 0; i < count && i < bytes.size(); ++i) {
    numbers[i] = static_cast<float>(std::to_integer<int>(bytes[i])) / 128 - 1;
  }
  return numbers;
}

Result<Defended> nothing(const DefenceTools&, const Row& row) {
  return Defended{row, row, plain_bytes(row)};
}

Result<Defended> rounded(const DefenceTools&, const Row& row) {
  ActivationCodec codec;
  codec.form = ActivationForm::kInt8;
  ActivationEncoder encoder(codec);
  ActivationDecoder decoder;
  const Tensor tensor = Tensor::of<float>({static_cast<int64_t>(row.size())}, row);
  EDGEWRIGHT_ASSIGN(const auto bytes, encoder.encode(tensor));
  EDGEWRIGHT_ASSIGN(const Tensor decoded, decoder.decode(bytes));
  const auto values = decoded.elements<float>();
  const Row received(values.begin(), values.end());
  return Defended{received, received, static_cast<double>(bytes.size())};
}

Result<Defended> rotated(const DefenceTools& tools, const Row& row) {
  Row seen = row;
  tools.rotation.apply(seen);
  Row received = seen;
  tools.rotation.undo(received);
  return Defended{std::move(seen), std::move(received), plain_bytes(row)};
}

Result<Defended> projected(const DefenceTools& tools, const Row& row) {
  Row seen = tools.projection.apply(row);
  Row received = tools.projection.restore(seen);
  const double bytes = plain_bytes(seen);
  return Defended{std::move(seen), std::move(received), bytes};
}

Result<Defended> noised(const DefenceTools& tools, const Row& row) {
  const Row seen = noisy(tools, row);
  return Defended{seen, seen, plain_bytes(row)};
}

Result<Defended> sealed(const DefenceTools& tools, const Row& row) {
  const auto bytes = seal(std::as_bytes(std::span(row)), "activation", tools.key);
  return Defended{as_numbers(bytes, row.size()), row, static_cast<double>(bytes.size())};
}

// Noise first: whatever is done to what is private leaves it private.
Result<Defended> everything(const DefenceTools& tools, const Row& row) {
  const Row shrunk = tools.projection.apply(noisy(tools, row));
  const auto bytes = seal(std::as_bytes(std::span(shrunk)), "activation", tools.key);
  return Defended{as_numbers(bytes, shrunk.size()), tools.projection.restore(shrunk),
                  static_cast<double>(bytes.size())};
}

constexpr Defence kDefences[] = {
    {"none", Guarantee::kNone, false, nothing},
    {"int8", Guarantee::kNone, false, rounded},
    {"rotation", Guarantee::kObfuscation, false, rotated},
    {"projection", Guarantee::kObfuscation, false, projected},
    {"noise", Guarantee::kDifferential, false, noised},
    {"encryption", Guarantee::kSecrecy, true, sealed},
    {"projection+noise+encryption", Guarantee::kBoth, true, everything},
};

}  // namespace

std::span<const Defence> defences() { return kDefences; }

}  // namespace edgewright
