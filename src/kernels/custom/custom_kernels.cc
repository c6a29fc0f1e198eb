#include "kernels/custom/custom_kernels.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>

#include "tensor/custom_operator.h"

namespace edgewright {
namespace {

CustomPort port_of(const TensorSpec& spec) {
  const void* data = spec.constant == nullptr ? nullptr : spec.constant->bytes();
  return {spec.dtype, true, spec.dims, data};
}

std::vector<CustomPort> ports_of(const std::vector<TensorSpec>& specs) {
  std::vector<CustomPort> ports;
  for (const TensorSpec& spec : specs) ports.push_back(port_of(spec));
  return ports;
}

// The kernel of a node at fixed shapes.
class CustomKernel : public PreparedKernel {
 public:
  CustomKernel(const CustomOperator& custom, const KernelRequest& request,
               std::span<const std::byte> state)
      : custom_(custom),
        attributes_(*request.attributes),
        inputs_(to_c(ports_of(request.inputs))),
        outputs_(to_c(ports_of(request.outputs))),
        state_(state) {}

  // The tables are filled on the stack: a kernel is shared by sessions and never changed.
  void run(const KernelIo& io) const override {
    std::array<EdgewrightTensor, kMaxCustomPorts> inputs, outputs;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      inputs[i] = inputs_[i];
      inputs[i].data = const_cast<void*>(io.inputs[i]);
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      outputs[i] = outputs_[i];
      outputs[i].data = io.outputs[i];
    }
    custom_.run(attributes_, std::span(inputs).first(inputs_.size()),
                std::span(outputs).first(outputs_.size()), state_);
  }

 private:
  const CustomOperator& custom_;
  Attributes attributes_;
  std::vector<EdgewrightTensor> inputs_, outputs_;
  std::span<const std::byte> state_;
};

const CustomOperator& custom_of(const KernelRequest& request) {
  const CustomOperator* custom = find_custom_operator(request.domain, request.op);
  EDGEWRIGHT_CHECK(custom != nullptr);
  return *custom;
}

bool is_plain(const TensorSpec& spec) { return spec.layout == Layout::kPlain; }

bool supports(const KernelRequest& request) {
  const CustomOperator& custom = custom_of(request);
  if (!std::ranges::all_of(request.inputs, is_plain) ||
      !std::ranges::all_of(request.outputs, is_plain)) {
    return false;
  }
  const std::vector<CustomPort> inputs = ports_of(request.inputs);
  if (!custom.runs(inputs)) return false;
  const auto outputs = custom.infer(*request.attributes, inputs, request.outputs.size());
  if (!outputs.ok()) return false;
  for (size_t i = 0; i < outputs->size(); ++i) {
    const TensorSpec& wanted = request.outputs[i];
    if ((*outputs)[i].dtype != wanted.dtype || (*outputs)[i].dims != wanted.dims) return false;
  }
  return true;
}

Result<Tensor> pack(const KernelRequest& request) {
  return custom_of(request).make_state(*request.attributes, ports_of(request.inputs));
}

Result<std::unique_ptr<PreparedKernel>> create(const KernelRequest& request,
                                               std::span<const std::byte> packed) {
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<CustomKernel>(custom_of(request), request, packed));
}

CustomPort port_of(const Datum& datum) {
  if (!datum.is_tensor()) return {};
  const Tensor& tensor = datum.tensor();
  return {tensor.dtype(), true, tensor.dims(), tensor.bytes()};
}

Status run_reference(OpCall& call) {
  const CustomOperator* custom = find_custom_operator(call.domain, call.op);
  if (custom == nullptr) return unsupported("no library brought {}::{}", call.domain, call.op);
  std::vector<CustomPort> inputs;
  for (const Datum& datum : call.inputs) inputs.push_back(port_of(datum));
  if (!custom->runs(inputs)) {
    return unsupported("{}::{} has no kernel for {}", call.domain, call.op,
                       inputs.empty() ? "no input" : dtype_name(inputs[0].dtype));
  }
  EDGEWRIGHT_ASSIGN(std::vector<CustomPort> outputs,
                    custom->infer(*call.attributes, inputs, call.output_count));
  for (size_t i = 0; i < outputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_output(i, outputs[i].dtype, outputs[i].dims));
    outputs[i].data = made->bytes();
  }
  std::vector<CustomPort> types = inputs;
  for (CustomPort& port : types) port.data = nullptr;
  EDGEWRIGHT_ASSIGN(const Tensor state, custom->make_state(*call.attributes, types));
  std::span<const std::byte> bytes;
  if (!state.empty_handle()) bytes = state.byte_span();
  std::vector<EdgewrightTensor> made = to_c(outputs);
  custom->run(*call.attributes, to_c(inputs), made, bytes);
  return {};
}

// Both kinds of kernel of one custom operator.
struct Entry {
  ReferenceKernel reference;
  KernelImplementation implementation;
};

const Entry& entry_of(const CustomOperator& custom) {
  static std::mutex mutex;
  static auto* entries = new std::deque<Entry>;
  const std::lock_guard lock(mutex);
  for (const Entry& entry : *entries) {
    if (entry.implementation.name == custom.implementation_name()) return entry;
  }
  KernelImplementation implementation{
      custom.implementation_name(),        custom.domain(), custom.name(), supports,
      custom.has_state() ? pack : nullptr, create};
  implementation.version = custom.version();
  entries->push_back({{custom.domain(), custom.name(), run_reference}, implementation});
  return entries->back();
}

}  // namespace

const ReferenceKernel* find_custom_reference(std::string_view domain, std::string_view op) {
  const CustomOperator* custom = find_custom_operator(domain, op);
  return custom == nullptr ? nullptr : &entry_of(*custom).reference;
}

const KernelImplementation* find_custom_implementation(std::string_view domain,
                                                       std::string_view op) {
  const CustomOperator* custom = find_custom_operator(domain, op);
  return custom == nullptr ? nullptr : &entry_of(*custom).implementation;
}

const KernelImplementation* find_custom_implementation(std::string_view name) {
  for (const CustomOperator& custom : custom_operators()) {
    if (custom.implementation_name() == name) return &entry_of(custom).implementation;
  }
  return nullptr;
}

}  // namespace edgewright
