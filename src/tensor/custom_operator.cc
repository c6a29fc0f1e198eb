#include "tensor/custom_operator.h"

#include <dlfcn.h>

#include <algorithm>

namespace edgewright {
namespace {

const Attributes& attributes_of(const void* pointer) {
  return *static_cast<const Attributes*>(pointer);
}

template <class T>
const T* attribute(const void* attributes, const char* name) {
  const AttributeValue* value = attributes_of(attributes).find(name);
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

int64_t get_int(const void* attributes, const char* name, int64_t otherwise) {
  return attributes_of(attributes).get_int(name, otherwise);
}

float get_float(const void* attributes, const char* name, float otherwise) {
  return attributes_of(attributes).get_float(name, otherwise);
}

const char* get_string(const void* attributes, const char* name, const char* otherwise) {
  const auto* text = attribute<std::string>(attributes, name);
  return text == nullptr ? otherwise : text->c_str();
}

template <class T>
const T* get_list(const void* attributes, const char* name, size_t* count) {
  const auto* list = attribute<std::vector<T>>(attributes, name);
  *count = list == nullptr ? 0 : list->size();
  return list == nullptr ? nullptr : list->data();
}

bool fits(std::span<const CustomPort> ports) {
  return ports.size() <= kMaxCustomPorts && std::ranges::all_of(ports, [](const CustomPort& port) {
           return port.dims.size() <= EDGEWRIGHT_MAX_RANK;
         });
}

EdgewrightCall make_call(const Attributes& attributes, std::span<const EdgewrightTensor> inputs,
                         std::span<EdgewrightTensor> outputs) {
  EdgewrightCall call{};
  call.attributes = &attributes;
  call.get_int = get_int;
  call.get_float = get_float;
  call.get_string = get_string;
  call.get_ints = get_list<int64_t>;
  call.get_floats = get_list<float>;
  call.input_count = static_cast<int32_t>(inputs.size());
  call.output_count = static_cast<int32_t>(outputs.size());
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  return call;
}

Result<CustomPort> from_c(const EdgewrightTensor& tensor) {
  CustomPort port;
  if (tensor.dtype <= 0 || tensor.dtype >= kDTypeCount || tensor.rank > EDGEWRIGHT_MAX_RANK) {
    return bad_input("its library gives an output of type {} and rank {}", tensor.dtype,
                     tensor.rank);
  }
  port.dtype = static_cast<DType>(tensor.dtype);
  port.has_rank = tensor.rank >= 0;
  if (port.has_rank) port.dims.assign(tensor.dims, tensor.dims + tensor.rank);
  return port;
}

std::deque<CustomOperator>& loaded() {
  static auto* operators = new std::deque<CustomOperator>;
  return *operators;
}

bool is_whole(const EdgewrightOperator& table) {
  return table.domain != nullptr && table.name != nullptr && table.infer != nullptr &&
         table.kernels != nullptr && table.kernel_count > 0 &&
         (table.state_bytes == nullptr) == (table.make_state == nullptr);
}

Result<const EdgewrightOperators*> open_library(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return bad_input("cannot load operators: {}", ::dlerror());
  auto* function =
      reinterpret_cast<EdgewrightOperatorsFunction>(::dlsym(library, EDGEWRIGHT_OPERATORS_SYMBOL));
  if (function == nullptr) {
    return bad_input("{} exports no {}; it is no library of operators", path,
                     EDGEWRIGHT_OPERATORS_SYMBOL);
  }
  const EdgewrightOperators* operators = function();
  if (operators == nullptr || operators->interface != EDGEWRIGHT_OPERATOR_INTERFACE) {
    return bad_input("{} has version {} of the operator interface, expected {}; build it again",
                     path, operators == nullptr ? 0 : operators->interface,
                     EDGEWRIGHT_OPERATOR_INTERFACE);
  }
  return operators;
}

}  // namespace

EdgewrightTensor to_c(const CustomPort& port) {
  EdgewrightTensor tensor{};
  tensor.dtype = static_cast<int32_t>(port.dtype);
  tensor.rank = port.has_rank ? static_cast<int32_t>(port.dims.size()) : -1;
  std::copy(port.dims.begin(), port.dims.end(), tensor.dims);
  tensor.data = const_cast<void*>(port.data);
  return tensor;
}

std::vector<EdgewrightTensor> to_c(std::span<const CustomPort> ports) {
  std::vector<EdgewrightTensor> tensors;
  for (const CustomPort& port : ports) tensors.push_back(to_c(port));
  return tensors;
}

CustomOperator::CustomOperator(const EdgewrightOperator& table)
    : table_(&table), implementation_name_(fmt::format("custom_{}_{}", table.domain, table.name)) {}

bool CustomOperator::runs(std::span<const CustomPort> inputs) const {
  if (inputs.empty() || !fits(inputs)) return false;
  const std::span kernels(table_->kernels, static_cast<size_t>(table_->kernel_count));
  return std::ranges::any_of(kernels, [&](const EdgewrightKernel& kernel) {
    return kernel.dtype == static_cast<int32_t>(inputs[0].dtype);
  });
}

Result<std::vector<CustomPort>> CustomOperator::infer(const Attributes& attributes,
                                                      std::span<const CustomPort> inputs,
                                                      size_t output_count) const {
  if (!fits(inputs) || output_count > kMaxCustomPorts) {
    return unsupported("custom operators take at most {} tensors of rank {}", kMaxCustomPorts,
                       EDGEWRIGHT_MAX_RANK);
  }
  const std::vector<EdgewrightTensor> given = to_c(inputs);
  std::vector<EdgewrightTensor> found(output_count);
  EdgewrightCall call = make_call(attributes, given, found);
  if (const char* problem = table_->infer(&call); problem != nullptr) {
    return bad_input("{}", problem);
  }
  std::vector<CustomPort> outputs;
  for (const EdgewrightTensor& tensor : found) {
    EDGEWRIGHT_ASSIGN(CustomPort port, from_c(tensor));
    outputs.push_back(std::move(port));
  }
  return outputs;
}

Result<Tensor> CustomOperator::make_state(const Attributes& attributes,
                                          std::span<const CustomPort> inputs) const {
  if (!has_state()) return Tensor();
  const std::vector<EdgewrightTensor> given = to_c(inputs);
  const EdgewrightCall call = make_call(attributes, given, {});
  const size_t size_bytes = table_->state_bytes(&call);
  if (size_bytes > static_cast<size_t>(kMaxTensorBytes)) {
    return bad_input("its library wants a state of {} bytes", size_bytes);
  }
  EDGEWRIGHT_ASSIGN(Tensor state,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(size_bytes)}));
  table_->make_state(&call, state.mutable_bytes());
  return state;
}

void CustomOperator::run(const Attributes& attributes, std::span<const EdgewrightTensor> inputs,
                         std::span<EdgewrightTensor> outputs,
                         std::span<const std::byte> state) const {
  EdgewrightCall call = make_call(attributes, inputs, outputs);
  if (!state.empty()) call.state = state.data();
  call.state_bytes = state.size();
  for (int32_t i = 0; i < table_->kernel_count; ++i) {
    if (table_->kernels[i].dtype != inputs[0].dtype) continue;
    table_->kernels[i].run(&call);
    return;
  }
}

Status load_custom_operators(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const EdgewrightOperators* operators, open_library(path));
  for (int32_t i = 0; i < operators->count; ++i) {
    const EdgewrightOperator& table = operators->operators[i];
    if (!is_whole(table)) return bad_input("{}: operator {} lacks a function or kernels", path, i);
    if (find_custom_operator(table.domain, table.name) != nullptr) {
      return bad_input("{} brings {}::{}, which is there already", path, table.domain, table.name);
    }
    loaded().emplace_back(table);
  }
  return {};
}

const CustomOperator* find_custom_operator(std::string_view domain, std::string_view op) {
  for (const CustomOperator& custom : loaded()) {
    if (custom.domain() == domain && custom.name() == op) return &custom;
  }
  return nullptr;
}

const std::deque<CustomOperator>& custom_operators() { return loaded(); }

}  // namespace edgewright
