#include "device/device_tree.h"

#include <libfdt.h>

namespace edgewright {
namespace {

std::string_view property_bytes(const std::string& tree, DeviceTree::Node node,
                                const char* property) {
  int length = 0;
  const void* value = fdt_getprop(tree.data(), node, property, &length);
  if (value == nullptr || length <= 0) return {};
  return {static_cast<const char*>(value), static_cast<size_t>(length)};
}

}  // namespace

Result<DeviceTree> DeviceTree::parse(std::string bytes, const std::string& file) {
  DeviceTree tree;
  tree.bytes_ = std::move(bytes);
  if (const int code = fdt_check_full(tree.bytes_.data(), tree.bytes_.size()); code != 0) {
    return bad_input("{}: {}; expected a flattened device tree (.dtb), as dtc writes it", file,
                     fdt_strerror(code));
  }
  for (Node node = 0; node >= 0; node = fdt_next_node(tree.bytes_.data(), node, nullptr)) {
    const uint32_t phandle = fdt_get_phandle(tree.bytes_.data(), node);
    if (phandle != 0) tree.by_phandle_.emplace(phandle, node);
  }
  return tree;
}

std::vector<DeviceTree::Node> DeviceTree::children(Node node) const {
  std::vector<Node> out;
  for (Node at = fdt_first_subnode(bytes_.data(), node); at >= 0;
       at = fdt_next_subnode(bytes_.data(), at)) {
    out.push_back(at);
  }
  return out;
}

std::optional<DeviceTree::Node> DeviceTree::child(Node node, std::string_view name) const {
  for (const Node at : children(node)) {
    if (this->name(at) == name) return at;
  }
  return std::nullopt;
}

std::optional<DeviceTree::Node> DeviceTree::find(std::string_view name) const {
  for (Node node = 0; node >= 0; node = fdt_next_node(bytes_.data(), node, nullptr)) {
    if (this->name(node) == name) return node;
  }
  return std::nullopt;
}

std::optional<DeviceTree::Node> DeviceTree::by_phandle(uint32_t phandle) const {
  const auto found = by_phandle_.find(phandle);
  return found == by_phandle_.end() ? std::nullopt : std::optional(found->second);
}

std::string_view DeviceTree::name(Node node) const {
  int length = 0;
  const char* text = fdt_get_name(bytes_.data(), node, &length);
  return text == nullptr ? std::string_view() : std::string_view(text, static_cast<size_t>(length));
}

std::string DeviceTree::path(Node node) const {
  char buffer[1024];
  if (fdt_get_path(bytes_.data(), node, buffer, sizeof buffer) != 0) {
    return std::string(name(node));
  }
  return buffer;
}

bool DeviceTree::has(Node node, const char* property) const {
  return fdt_getprop(bytes_.data(), node, property, nullptr) != nullptr;
}

std::vector<uint32_t> DeviceTree::cells(Node node, const char* property) const {
  const std::string_view bytes = property_bytes(bytes_, node, property);
  std::vector<uint32_t> out;
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    uint32_t cell = 0;  // big-endian
    for (size_t b = 0; b < 4; ++b) cell = cell << 8 | static_cast<unsigned char>(bytes[i + b]);
    out.push_back(cell);
  }
  return out;
}

std::optional<uint32_t> DeviceTree::cell(Node node, const char* property) const {
  const auto all = cells(node, property);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<std::string> DeviceTree::texts(Node node, const char* property) const {
  std::string_view bytes = property_bytes(bytes_, node, property);
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\0'), bytes.size());
    out.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return out;
}

std::string DeviceTree::text(Node node, const char* property) const {
  const auto all = texts(node, property);
  return all.empty() ? std::string() : all.front();
}

bool DeviceTree::enabled(Node node) const {
  const std::string status = text(node, "status");
  return status.empty() || status == "okay" || status == "ok";
}

}  // namespace edgewright
