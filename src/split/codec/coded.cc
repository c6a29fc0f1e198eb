#include "split/codec/coded.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "split/privacy/random.h"

namespace edgewright {
namespace {

constexpr std::array<std::byte, 4> kSealed = {std::byte{'E'}, std::byte{'W'}, std::byte{'S'},
                                              std::byte{'L'}};
// Frames that are on their way at a time are far fewer.
constexpr size_t kMostSent = 64;
constexpr size_t kMostKept = 4096, kMostKeptBytes = size_t{256} << 20;

// Where the bytes belong: opened anywhere else they are refused.
std::string seal_context(const std::string& name, const CodedFrame& frame) {
  return fmt::format("{}/{}/{}/{}", frame.stream, frame.number, frame.reference, name);
}

bool is_sealed(std::span<const std::byte> bytes) {
  return bytes.size() >= kSealed.size() && std::ranges::equal(bytes.first(kSealed.size()), kSealed);
}

Result<Tensor> decode_alone(std::span<const std::byte> bytes) {
  ActivationDecoder decoder;
  return decoder.decode(bytes);
}

Tensor number(int64_t value) { return Tensor::of<int64_t>({1}, std::vector<int64_t>{value}); }

}  // namespace

Result<SentForm> parse_sent_form(std::string_view text) {
  const auto form = parse_wire_form(text);
  if (form.ok()) return SentForm{*form, {}};
  EDGEWRIGHT_ASSIGN(const ActivationCodec codec, parse_codec(text));
  return SentForm{WireForm::kCoded, codec};
}

std::string sent_form_name(const SentForm& form) {
  if (form.form == WireForm::kPlain) return "none";
  return form.is_coded() ? codec_name(form.codec) : std::string(wire_form_name(form.form));
}

bool SealedTensors::has(const std::string& name) const {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

Result<SealKey> parse_seal_key(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  SealKey key{};
  bool is_key = text.size() == 2 * key.size();
  for (size_t i = 0; is_key && i < key.size(); ++i) {
    uint8_t value = 0;
    const char* const begin = text.data() + 2 * i;
    const auto [end, code] = std::from_chars(begin, begin + 2, value, 16);
    is_key = code == std::errc() && end == begin + 2;
    key[i] = std::byte{value};
  }
  if (is_key) return key;
  return bad_input(
      "found {} characters that are no key, expected {} hexadecimal digits; make one with "
      "openssl rand -hex {}",
      text.size(), 2 * key.size(), key.size());
}

CodedSender::CodedSender(const ActivationCodec& codec, std::optional<SealedTensors> seal)
    : codec_(codec), is_delta_(codec.delta), seal_(std::move(seal)), stream_(secure_word() | 1) {
  codec_.delta = false;
}

Result<std::vector<std::byte>> CodedSender::encode_one(const std::string& name,
                                                       const Tensor& tensor,
                                                       const CodedFrame& frame,
                                                       Values& received) const {
  ActivationEncoder encoder(codec_);
  const std::vector<float>* before = frame.reference >= 0 ? &reference_values_.at(name) : nullptr;
  Tensor sent = tensor;
  if (before != nullptr) {
    const auto values = tensor.elements<float>();
    std::vector<float> difference(values.begin(), values.end());
    for (size_t i = 0; i < difference.size(); ++i) difference[i] -= (*before)[i];
    sent = Tensor::of<float>(tensor.dims(), difference);
  }
  EDGEWRIGHT_ASSIGN(auto bytes, encoder.encode(sent));
  if (is_delta_ && frame.stream != 0) {
    // What the receiver will have: differences are to that, so that errors do not add up.
    EDGEWRIGHT_ASSIGN(const Tensor decoded, decode_alone(bytes));
    const auto values = decoded.elements<float>();
    std::vector<float>& kept = received[name];
    kept.assign(values.begin(), values.end());
    for (size_t i = 0; before != nullptr && i < kept.size(); ++i) kept[i] += (*before)[i];
  }
  if (!seal_ || !seal_->has(name)) return bytes;
  std::vector<std::byte> sealed(kSealed.begin(), kSealed.end());
  const auto body = seal(bytes, seal_context(name, frame), seal_->key);
  sealed.insert(sealed.end(), body.begin(), body.end());
  return sealed;
}

Result<WireTensors> CodedSender::encode(const std::map<std::string, Tensor>& values,
                                        std::optional<uint64_t> frame) {
  const std::lock_guard lock(mutex_);
  CodedFrame header;
  header.stream = is_delta_ && frame ? stream_ : 0;
  header.number = static_cast<int64_t>(frame.value_or(secure_word() >> 2));
  const bool fits = reference_ && std::ranges::all_of(values, [this](const auto& value) {
                      const auto it = reference_values_.find(value.first);
                      return it != reference_values_.end() &&
                             std::ssize(it->second) == value.second.element_count();
                    });
  if (header.stream != 0 && fits) header.reference = static_cast<int64_t>(*reference_);
  WireTensors sent;
  Values received;
  for (const auto& [name, tensor] : values) {
    EDGEWRIGHT_ASSIGN(const auto bytes, encode_one(name, tensor, header, received));
    const auto* const begin = reinterpret_cast<const uint8_t*>(bytes.data());
    sent.emplace_back(name, Tensor::of<uint8_t>({std::ssize(bytes)},
                                                std::span<const uint8_t>(begin, bytes.size())));
  }
  sent.emplace_back(kStreamInput, Tensor::of<uint64_t>({1}, std::vector<uint64_t>{header.stream}));
  sent.emplace_back(kFrameInput, number(header.number));
  sent.emplace_back(kReferenceInput, number(header.reference));
  if (header.stream != 0) {
    sent_[*frame] = std::move(received);
    if (sent_.size() > kMostSent) sent_.erase(sent_.begin());
  }
  return sent;
}

void CodedSender::acknowledged(uint64_t frame) {
  const std::lock_guard lock(mutex_);
  const auto it = sent_.find(frame);
  if (it == sent_.end()) return;
  reference_ = frame;
  reference_values_ = std::move(it->second);
  // Older ones would be a step back.
  sent_.erase(sent_.begin(), std::next(it));
}

void CodedSender::forget() {
  const std::lock_guard lock(mutex_);
  sent_.clear();
  reference_.reset();
  reference_values_.clear();
}

Result<WireTensors> to_wire(const SentForm& form, const std::vector<std::string>& names,
                            const std::map<std::string, Tensor>& values, CodedSender* sender,
                            std::optional<uint64_t> frame) {
  WireTensors wire;
  std::map<std::string, Tensor> coded;
  for (const std::string& name : names) {
    const Tensor& value = values.at(name);
    if (form.is_coded()) {
      if (value.dtype() == DType::kFloat32) {
        coded.emplace(name, value);
      } else {
        wire.emplace_back(name, value);
      }
      continue;
    }
    EDGEWRIGHT_ASSIGN(WireTensors sent, encode_wire(form.form, name, value));
    wire.insert(wire.end(), sent.begin(), sent.end());
  }
  if (!form.is_coded()) return wire;
  EDGEWRIGHT_CHECK(sender != nullptr);
  EDGEWRIGHT_ASSIGN(WireTensors sent, sender->encode(coded, frame));
  wire.insert(wire.end(), sent.begin(), sent.end());
  return wire;
}

double bytes_of(const WireTensors& wire) {
  double bytes = 0;
  for (const auto& [name, tensor] : wire) bytes += static_cast<double>(tensor.size_bytes());
  return bytes;
}

std::shared_ptr<const CodedStreams::Values> CodedStreams::find(uint64_t stream, int64_t frame,
                                                               const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto it = std::ranges::find_if(kept_, [&](const Kept& kept) {
    return kept.stream == stream && kept.frame == frame && kept.name == name;
  });
  return it == kept_.end() ? nullptr : it->values;
}

void CodedStreams::keep(uint64_t stream, int64_t frame, const std::string& name, Values values) {
  const std::lock_guard lock(mutex_);
  bytes_ += values.size() * sizeof(float);
  kept_.push_front({stream, frame, name, std::make_shared<const Values>(std::move(values))});
  while (kept_.size() > 1 && (kept_.size() > kMostKept || bytes_ > kMostKeptBytes)) {
    bytes_ -= kept_.back().values->size() * sizeof(float);
    kept_.pop_back();
  }
}

Result<Tensor> decode_coded(std::span<const std::byte> bytes, const std::string& name,
                            const CodedFrame& frame, const SealKey* key, CodedStreams& streams) {
  std::vector<std::byte> opened;
  if (is_sealed(bytes)) {
    if (key == nullptr) {
      return bad_input("'{}' is sealed and this server has no key; put it into seal.key", name);
    }
    EDGEWRIGHT_ASSIGN(opened,
                      open_seal(bytes.subspan(kSealed.size()), seal_context(name, frame), *key));
    bytes = opened;
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, decode_alone(bytes));
  if (frame.stream == 0) return tensor;
  const auto decoded = tensor.elements<float>();
  std::vector<float> values(decoded.begin(), decoded.end());
  if (frame.reference >= 0) {
    const auto before = streams.find(frame.stream, frame.reference, name);
    if (before == nullptr || before->size() != values.size()) {
      return bad_input("'{}' is the difference to frame {}, which is not here; send it whole", name,
                       frame.reference);
    }
    for (size_t i = 0; i < values.size(); ++i) values[i] += (*before)[i];
    tensor = Tensor::of<float>(tensor.dims(), values);
  }
  streams.keep(frame.stream, frame.number, name, std::move(values));
  return tensor;
}

}  // namespace edgewright
