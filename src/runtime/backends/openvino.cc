#include "runtime/backends/openvino.h"

#include <chrono>
#include <cstring>

#include "base/clock.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// One tensor of a request: the library's handle and where its numbers lie.
struct Slot {
  void* handle = nullptr;
  void* data = nullptr;
  size_t size_bytes = 0;
};

class OpenvinoSession : public BackendSession {
 public:
  OpenvinoSession(std::shared_ptr<const OpenvinoLibrary> library, OpenvinoModel model)
      : library_(std::move(library)), model_(std::move(model)) {}

  ~OpenvinoSession() override {
    const OpenvinoFunctions& call = library_->call();
    for (auto* slots : {&inputs_, &outputs_}) {
      for (const Slot& slot : *slots) call.tensor_free(slot.handle);
    }
    if (request_ != nullptr) call.infer_request_free(request_);
    if (compiled_ != nullptr) call.compiled_model_free(compiled_);
  }

  Status open(int threads) {
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(compile(threads));
    const OpenvinoFunctions& call = library_->call();
    EDGEWRIGHT_TRY(library_->check(call.compiled_model_create_infer_request(compiled_, &request_),
                                   "make a request"));
    EDGEWRIGHT_TRY(find_slots(model_.inputs, inputs_));
    EDGEWRIGHT_TRY(find_slots(model_.outputs, outputs_));
    figures_.load_us = microseconds_since(start);
    return {};
  }

  const std::vector<Session::Port>& inputs() const override { return model_.inputs; }
  const std::vector<Session::Port>& outputs() const override { return model_.outputs; }
  const SessionFigures& figures() const override { return figures_; }

  Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                 const ValueObserver& observer) override {
    if (inputs.size() != inputs_.size()) {
      return bad_input("the model takes {} inputs, {} were given", inputs_.size(), inputs.size());
    }
    const auto start = Clock::now();
    for (size_t i = 0; i < inputs.size(); ++i) EDGEWRIGHT_TRY(take_input(i, inputs[i]));
    EDGEWRIGHT_TRY(library_->check(library_->call().infer_request_infer(request_), "run"));
    std::vector<Datum> results;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const ValueType& type = model_.outputs[i].type;
      EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(type.dtype, *known_dims(*type.shape)));
      std::memcpy(tensor.mutable_bytes(), outputs_[i].data, outputs_[i].size_bytes);
      results.emplace_back(std::move(tensor));
      if (observer) observer(model_.outputs[i].name, results.back());
    }
    if (figures_.first_inference_us == 0) figures_.first_inference_us = microseconds_since(start);
    return results;
  }

 private:
  Status compile(int threads) {
    const OpenvinoFunctions& call = library_->call();
    void* read = nullptr;
    EDGEWRIGHT_TRY(library_->check(call.core_read_model(library_->core(), model_.path.c_str(),
                                                        model_.weights_path.c_str(), &read),
                                   "read the model"));
    const std::string count = std::to_string(threads);
    // Six words: three properties. Without the first, processors with bfloat16 would round to it.
    const int status = call.core_compile_model(
        library_->core(), read, "CPU", 6, &compiled_, "INFERENCE_PRECISION_HINT", "f32",
        "INFERENCE_NUM_THREADS", count.c_str(), "NUM_STREAMS", "1");
    call.model_free(read);
    return library_->check(status, "compile the model");
  }

  Status find_slots(const std::vector<Session::Port>& ports, std::vector<Slot>& slots) {
    const OpenvinoFunctions& call = library_->call();
    for (const Session::Port& port : ports) {
      Slot& slot = slots.emplace_back();
      EDGEWRIGHT_TRY(
          library_->check(call.infer_request_get_tensor(request_, port.name.c_str(), &slot.handle),
                          "find a tensor by name"));
      EDGEWRIGHT_TRY(library_->check(call.tensor_data(slot.handle, &slot.data), "give a tensor"));
      EDGEWRIGHT_TRY(library_->check(call.tensor_get_byte_size(slot.handle, &slot.size_bytes),
                                     "tell a tensor's size"));
      const auto dims = port.type.shape ? known_dims(*port.type.shape) : std::nullopt;
      EDGEWRIGHT_ASSIGN(const Tensor like,
                        Tensor::allocate(port.type.dtype, dims.value_or(Dims{})));
      if (!dims || like.size_bytes() != slot.size_bytes) {
        return unsupported("OpenVINO makes '{}' of {} bytes, expected {}", port.name,
                           slot.size_bytes, type_text(port.type));
      }
    }
    return {};
  }

  Status take_input(size_t i, const Datum& given) {
    const Session::Port& port = model_.inputs[i];
    if (!given.is_tensor() || given.tensor().dtype() != port.type.dtype ||
        given.tensor().size_bytes() != inputs_[i].size_bytes) {
      return bad_input("input '{}' is not {}", port.name, type_text(port.type));
    }
    std::memcpy(inputs_[i].data, given.tensor().bytes(), inputs_[i].size_bytes);
    return {};
  }

  std::shared_ptr<const OpenvinoLibrary> library_;
  OpenvinoModel model_;
  void* compiled_ = nullptr;
  void* request_ = nullptr;
  std::vector<Slot> inputs_, outputs_;
  SessionFigures figures_;
};

}  // namespace

Result<std::unique_ptr<BackendSession>> open_openvino(
    std::shared_ptr<const OpenvinoLibrary> library, OpenvinoModel model, int threads) {
  auto session = std::make_unique<OpenvinoSession>(std::move(library), std::move(model));
  EDGEWRIGHT_TRY(session->open(threads));
  return std::unique_ptr<BackendSession>(std::move(session));
}

}  // namespace edgewright
