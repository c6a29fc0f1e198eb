#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright_operator.h"
#include "tensor/attributes.h"

namespace edgewright {

// What is known of an input or output of a custom operator; dims of -1 where unknown.
struct CustomPort {
  DType dtype = DType::kUndefined;  // kUndefined: omitted
  bool has_rank = false;
  Dims dims;
  const void* data = nullptr;
};

// The most inputs, and outputs, of a custom operator.
inline constexpr size_t kMaxCustomPorts = 32;

EdgewrightTensor to_c(const CustomPort& port);
std::vector<EdgewrightTensor> to_c(std::span<const CustomPort> ports);

// An operator that a shared library brought. Found by domain and name from then on, by type
// inference and by kernels alike; libraries stay loaded until the process ends.
class CustomOperator {
 public:
  explicit CustomOperator(const EdgewrightOperator& table);

  std::string_view domain() const { return table_->domain; }
  std::string_view name() const { return table_->name; }
  uint32_t version() const { return table_->version; }
  // "custom_<domain>_<name>": the name of its implementation in plans.
  const std::string& implementation_name() const { return implementation_name_; }
  bool has_state() const { return table_->state_bytes != nullptr; }
  // Whether there is a kernel for a first input of this type.
  bool runs(std::span<const CustomPort> inputs) const;

  // Types of the outputs. kBadInput with the library's words when it refuses the inputs.
  Result<std::vector<CustomPort>> infer(const Attributes& attributes,
                                        std::span<const CustomPort> inputs,
                                        size_t output_count) const;
  // The state as a uint8 tensor; an empty handle when the operator has none.
  Result<Tensor> make_state(const Attributes& attributes, std::span<const CustomPort> inputs) const;
  // Runs the kernel; runs(inputs) holds, outputs have memory. Allocates nothing.
  void run(const Attributes& attributes, std::span<const EdgewrightTensor> inputs,
           std::span<EdgewrightTensor> outputs, std::span<const std::byte> state) const;

 private:
  const EdgewrightOperator* table_;
  std::string implementation_name_;
};

// Loads a shared library and adds its operators. kBadInput when it is none, speaks another version
// of the interface, or brings an operator that is there already.
Status load_custom_operators(const std::string& path);
// Null when no library brought it.
const CustomOperator* find_custom_operator(std::string_view domain, std::string_view op);
const std::deque<CustomOperator>& custom_operators();

}  // namespace edgewright
