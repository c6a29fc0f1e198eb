#include "api/serve/relay_file.h"

#include "base/file.h"
#include "base/json.h"
#include "graph/text.h"
#include "serve/protocol/datatype.h"

namespace edgewright {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr size_t kMostPorts = 1024;

Json json_of(const std::vector<ServedPort>& ports) {
  Json list = Json::array();
  for (const ServedPort& port : ports) {
    list.push_back(
        {{"name", port.name}, {"datatype", oip::datatype_name(port.dtype)}, {"shape", port.shape}});
  }
  return list;
}

bool read_text(const Json& json, const char* key, std::string& text) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_string()) return false;
  text = it->get<std::string>();
  return true;
}

bool read_port(const Json& json, ServedPort& port) {
  std::string datatype;
  if (!json.is_object() || !read_text(json, "name", port.name) ||
      !read_text(json, "datatype", datatype)) {
    return false;
  }
  const auto dtype = oip::datatype_from_name(datatype);
  const auto shape = json.find("shape");
  if (!dtype || shape == json.end() || !shape->is_array() || shape->size() > 16) return false;
  port.dtype = *dtype;
  for (const Json& dim : *shape) {
    if (!dim.is_number_integer()) return false;
    port.shape.push_back(dim.get<int64_t>());
  }
  return true;
}

bool read_ports(const Json& json, const char* key, std::vector<ServedPort>& ports) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_array() || it->size() > kMostPorts) return false;
  for (const Json& row : *it) {
    if (!read_port(row, ports.emplace_back())) return false;
  }
  return true;
}

bool read_names(const Json& json, const char* key, std::vector<std::string>& names) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_array() || it->size() > kMostPorts) return false;
  for (const Json& name : *it) {
    if (!name.is_string()) return false;
    names.push_back(name.get<std::string>());
  }
  return true;
}

}  // namespace

Result<RelayFile> read_relay_file(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  const Json json = Json::parse(text, nullptr, false);
  RelayFile relay;
  const bool is_whole = json.is_object() && read_text(json, "server", relay.server) &&
                        read_text(json, "model", relay.plan.next_model) &&
                        read_names(json, "sends", relay.plan.sends) &&
                        read_ports(json, "passed", relay.plan.passed) &&
                        read_ports(json, "outputs", relay.plan.outputs);
  if (is_whole) {
    read_text(json, "token_file", relay.token_file);
    return relay;
  }
  return bad_input(
      "{}: found no relay, expected server, model, sends, passed and outputs as in "
      "docs/formats/relay.md; split plan --tier -o writes it",
      path);
}

std::string relay_text(const RelayFile& relay) {
  Json json;
  json["server"] = relay.server;
  if (!relay.token_file.empty()) json["token_file"] = relay.token_file;
  json["model"] = relay.plan.next_model;
  json["sends"] = relay.plan.sends;
  json["passed"] = json_of(relay.plan.passed);
  json["outputs"] = json_of(relay.plan.outputs);
  return json.dump(2) + "\n";
}

Result<ServedPort> served_port_of(const Value& value) {
  const bool is_tensor = value.type.is_tensor() && value.type.shape;
  if (!is_tensor || oip::datatype_name(value.type.dtype).empty()) {
    return unsupported("value '{}' has type {}, which does not travel between servers", value.name,
                       type_text(value.type));
  }
  ServedPort port{value.name, value.type.dtype, false, {}};
  for (const Dim& dim : *value.type.shape) port.shape.push_back(dim.is_known() ? dim.value : -1);
  return port;
}

}  // namespace edgewright
