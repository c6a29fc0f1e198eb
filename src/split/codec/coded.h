#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "split/codec/codec.h"
#include "split/codec/wire.h"
#include "split/privacy/seal.h"

namespace edgewright {

// How activations travel: in a form that every server reads, or (kCoded) as bytes of
// docs/formats/activation.md, for servers that decode them before the model (docs/decisions/0084).
struct SentForm {
  WireForm form = WireForm::kPlain;
  ActivationCodec codec;  // of kCoded

  bool is_coded() const { return form == WireForm::kCoded; }
};
// "fp16", "int8" and "int4" are forms; whatever else parse_codec() knows is coded.
Result<SentForm> parse_sent_form(std::string_view text);
// "none" for the plain form.
std::string sent_form_name(const SentForm& form);

// Which activations are sealed on top of whatever protects the connection.
struct SealedTensors {
  SealKey key{};
  std::vector<std::string> names;  // empty: all

  bool has(const std::string& name) const;
};
// A key as 64 hexadecimal digits. kBadInput for anything else.
Result<SealKey> parse_seal_key(std::string_view text);

// The inputs of a half that takes coded activations, beside one of bytes for each float32 value.
inline constexpr const char* kStreamInput = "activation.stream";        // uint64 [1], drawn
inline constexpr const char* kFrameInput = "activation.frame";          // int64 [1]
inline constexpr const char* kReferenceInput = "activation.reference";  // int64 [1]; -1: none

// What a frame says of itself.
struct CodedFrame {
  uint64_t stream = 0;  // 0: nothing is kept of it
  int64_t number = 0;
  int64_t reference = -1;  // the frame of the stream that the values are the difference to
};

// The sender of one stream. With "delta" a frame is the difference to the last one that the
// receiver has acknowledged, so that frames may be lost, repeated, or come in any order.
// Thread-safe.
class CodedSender {
 public:
  CodedSender(const ActivationCodec& codec, std::optional<SealedTensors> seal);

  // `values`: float32, by name. `frame`: its number, for acknowledged(); absent: it depends on no
  // other frame and none will depend on it. kUnsupported as ActivationEncoder.
  Result<WireTensors> encode(const std::map<std::string, Tensor>& values,
                             std::optional<uint64_t> frame);
  void acknowledged(uint64_t frame);
  // The receiver may have lost what it had: the next frame depends on nothing.
  void forget();

 private:
  using Values = std::map<std::string, std::vector<float>>;
  Result<std::vector<std::byte>> encode_one(const std::string& name, const Tensor& tensor,
                                            const CodedFrame& frame, Values& received) const;

  ActivationCodec codec_;  // without "delta"
  bool is_delta_;
  std::optional<SealedTensors> seal_;
  uint64_t stream_;
  std::mutex mutex_;
  std::map<uint64_t, Values> sent_;  // as the receiver has them; not acknowledged yet
  std::optional<uint64_t> reference_;
  Values reference_values_;
};

// The values of these names as they travel: what is coded by `sender` (null for other forms) as the
// frame of this number. Values of other types than float32 travel as they are.
Result<WireTensors> to_wire(const SentForm& form, const std::vector<std::string>& names,
                            const std::map<std::string, Tensor>& values, CodedSender* sender,
                            std::optional<uint64_t> frame);
double bytes_of(const WireTensors& wire);

// What receivers of all streams keep of them: the latest frames, within a bound of memory.
// Thread-safe.
class CodedStreams {
 public:
  using Values = std::vector<float>;
  // Null when it is not (or no longer) there.
  std::shared_ptr<const Values> find(uint64_t stream, int64_t frame, const std::string& name);
  void keep(uint64_t stream, int64_t frame, const std::string& name, Values values);

 private:
  struct Kept {
    uint64_t stream;
    int64_t frame;
    std::string name;
    std::shared_ptr<const Values> values;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  // the newest first
  size_t bytes_ = 0;
};

// One activation of a frame, from its bytes. `key`: null where nothing can be opened. kBadInput
// when the bytes are malformed, sealed with another key or for another place, or the difference to
// a frame that is not there.
Result<Tensor> decode_coded(std::span<const std::byte> bytes, const std::string& name,
                            const CodedFrame& frame, const SealKey* key, CodedStreams& streams);

}  // namespace edgewright
