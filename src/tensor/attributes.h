#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// An attribute kind that only passes through (sparse tensors, type protos): the serialised ONNX
// message and its AttributeProto type number.
struct OpaqueAttribute {
  int kind = 0;
  std::vector<std::string> messages;
  bool operator==(const OpaqueAttribute&) const = default;
};

using AttributeValue =
    std::variant<int64_t, float, std::string, Tensor, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, std::vector<Tensor>, OpaqueAttribute>;

// The attributes of a node other than its subgraphs, sorted by name.
class Attributes {
 public:
  using Entry = std::pair<std::string, AttributeValue>;

  const AttributeValue* find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  void set(std::string name, AttributeValue value);
  void erase(std::string_view name);

  // The attribute, or the default when it is absent or of another kind.
  int64_t get_int(std::string_view name, int64_t otherwise) const;
  float get_float(std::string_view name, float otherwise) const;
  std::string get_string(std::string_view name, std::string_view otherwise) const;
  std::vector<int64_t> get_ints(std::string_view name, std::vector<int64_t> otherwise = {}) const;
  std::vector<float> get_floats(std::string_view name, std::vector<float> otherwise = {}) const;
  std::vector<std::string> get_strings(std::string_view name) const;
  // Null when absent.
  const Tensor* get_tensor(std::string_view name) const;

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

// Same names and values; tensors compare by content.
bool equal(const Attributes& a, const Attributes& b);

}  // namespace edgewright
