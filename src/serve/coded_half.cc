#include "serve/coded_half.h"

#include <utility>

namespace edgewright {
namespace {

bool fits(const ServedPort& port, const Tensor& tensor) {
  if (port.any_rank) return true;
  if (port.shape.size() != tensor.dims().size()) return false;
  for (size_t i = 0; i < port.shape.size(); ++i) {
    if (port.shape[i] >= 0 && port.shape[i] != tensor.dims()[i]) return false;
  }
  return true;
}

class CodedHalf : public ServedModel {
 public:
  CodedHalf(std::unique_ptr<ServedModel> half, std::shared_ptr<CodedStreams> streams,
            std::optional<SealKey> key)
      : half_(std::move(half)), streams_(std::move(streams)), key_(key) {
    for (const ServedPort& port : half_->inputs()) {
      inputs_.push_back(
          port.dtype == DType::kFloat32 ? ServedPort{port.name, DType::kUint8, false, {-1}} : port);
    }
    inputs_.push_back({kStreamInput, DType::kUint64, false, {1}});
    inputs_.push_back({kFrameInput, DType::kInt64, false, {1}});
    inputs_.push_back({kReferenceInput, DType::kInt64, false, {1}});
  }

  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return half_->outputs(); }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const auto& ports = half_->inputs();
    const auto last = inputs.subspan(ports.size());
    const CodedFrame frame{last[0].elements<uint64_t>()[0], last[1].elements<int64_t>()[0],
                           last[2].elements<int64_t>()[0]};
    std::vector<Tensor> decoded;
    for (size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].dtype != DType::kFloat32) {
        decoded.push_back(inputs[i]);
        continue;
      }
      EDGEWRIGHT_ASSIGN(Tensor tensor,
                        decode_coded(std::as_bytes(inputs[i].elements<uint8_t>()), ports[i].name,
                                     frame, key_ ? &*key_ : nullptr, *streams_));
      if (!fits(ports[i], tensor)) {
        return bad_input("'{}' decodes to shape [{}], which is none of the model's", ports[i].name,
                         fmt::join(tensor.dims(), ","));
      }
      decoded.push_back(std::move(tensor));
    }
    return half_->run(decoded);
  }

 private:
  std::unique_ptr<ServedModel> half_;
  std::shared_ptr<CodedStreams> streams_;
  std::optional<SealKey> key_;
  std::vector<ServedPort> inputs_;
};

}  // namespace

std::unique_ptr<ServedModel> coded_half(std::unique_ptr<ServedModel> half,
                                        std::shared_ptr<CodedStreams> streams,
                                        std::optional<SealKey> key) {
  return std::make_unique<CodedHalf>(std::move(half), std::move(streams), key);
}

}  // namespace edgewright
