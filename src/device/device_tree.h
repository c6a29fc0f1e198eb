#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace edgewright {

// A flattened device tree, checked as a whole when it is read.
class DeviceTree {
 public:
  using Node = int;  // an offset into the tree

  // kBadInput when the bytes are no well-formed tree.
  static Result<DeviceTree> parse(std::string bytes, const std::string& file);

  Node root() const { return 0; }
  std::vector<Node> children(Node node) const;
  std::optional<Node> child(Node node, std::string_view name) const;
  // The first node of that name anywhere.
  std::optional<Node> find(std::string_view name) const;
  std::optional<Node> by_phandle(uint32_t phandle) const;
  std::string_view name(Node node) const;
  std::string path(Node node) const;

  bool has(Node node, const char* property) const;
  // The property's 32-bit cells; empty when it is missing.
  std::vector<uint32_t> cells(Node node, const char* property) const;
  std::optional<uint32_t> cell(Node node, const char* property) const;
  // Its first text.
  std::string text(Node node, const char* property) const;
  std::vector<std::string> texts(Node node, const char* property) const;
  // Whether its status leaves it in use.
  bool enabled(Node node) const;

 private:
  std::string bytes_;
  std::unordered_map<uint32_t, Node> by_phandle_;
};

}  // namespace edgewright
