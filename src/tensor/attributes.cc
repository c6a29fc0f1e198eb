#include "tensor/attributes.h"

#include <algorithm>

namespace edgewright {
namespace {

template <class Entries>
auto position(Entries& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const auto& entry, std::string_view key) { return entry.first < key; });
}

template <class T>
T value_or(const AttributeValue* value, T otherwise) {
  const T* held = value == nullptr ? nullptr : std::get_if<T>(value);
  return held == nullptr ? std::move(otherwise) : *held;
}

bool equal_values(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        const T& y = std::get<T>(b);
        if constexpr (std::is_same_v<T, Tensor>) {
          return identical(x, y);
        } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
          return std::equal(x.begin(), x.end(), y.begin(), y.end(), identical);
        } else {
          return x == y;
        }
      },
      a);
}

}  // namespace

const AttributeValue* Attributes::find(std::string_view name) const {
  const auto it = position(entries_, name);
  return it != entries_.end() && it->first == name ? &it->second : nullptr;
}

void Attributes::set(std::string name, AttributeValue value) {
  const auto it = position(entries_, name);
  if (it != entries_.end() && it->first == name) {
    it->second = std::move(value);
  } else {
    entries_.emplace(it, std::move(name), std::move(value));
  }
}

void Attributes::erase(std::string_view name) {
  const auto it = position(entries_, name);
  if (it != entries_.end() && it->first == name) entries_.erase(it);
}

int64_t Attributes::get_int(std::string_view name, int64_t otherwise) const {
  return value_or<int64_t>(find(name), otherwise);
}
float Attributes::get_float(std::string_view name, float otherwise) const {
  return value_or<float>(find(name), otherwise);
}
std::string Attributes::get_string(std::string_view name, std::string_view otherwise) const {
  return value_or<std::string>(find(name), std::string(otherwise));
}
std::vector<int64_t> Attributes::get_ints(std::string_view name,
                                          std::vector<int64_t> otherwise) const {
  return value_or<std::vector<int64_t>>(find(name), std::move(otherwise));
}
std::vector<float> Attributes::get_floats(std::string_view name,
                                          std::vector<float> otherwise) const {
  return value_or<std::vector<float>>(find(name), std::move(otherwise));
}
std::vector<std::string> Attributes::get_strings(std::string_view name) const {
  return value_or<std::vector<std::string>>(find(name), {});
}
const Tensor* Attributes::get_tensor(std::string_view name) const {
  const auto* value = find(name);
  return value == nullptr ? nullptr : std::get_if<Tensor>(value);
}

bool equal(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && equal_values(x.second, y.second);
  });
}

}  // namespace edgewright
