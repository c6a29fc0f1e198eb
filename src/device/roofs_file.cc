#include "device/roofs_file.h"

#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::string_view kSchema = "edgewright.roofs/1";

Json to_json(const Measured& figure) {
  return {{"value", figure.value}, {"spread", figure.spread}};
}

struct MemoryField {
  const char* key;
  Measured MemoryRoof::* figure;
};
constexpr MemoryField kMemoryFields[] = {
    {"read_gb_s", &MemoryRoof::read_gb_s},
    {"read_streams_gb_s", &MemoryRoof::read_streams_gb_s},
    {"write_gb_s", &MemoryRoof::write_gb_s},
    {"write_around_gb_s", &MemoryRoof::write_around_gb_s},
    {"copy_gb_s", &MemoryRoof::copy_gb_s},
    {"read_all_gb_s", &MemoryRoof::read_all_gb_s},
    {"write_all_gb_s", &MemoryRoof::write_all_gb_s},
    {"copy_all_gb_s", &MemoryRoof::copy_all_gb_s},
};

Measured measured(const Json& json, const char* key) {
  const Json& figure = json.at(key);
  return {figure.at("value").get<double>(), figure.at("spread").get<double>()};
}

Roofs read_roofs(const Json& json) {
  Roofs roofs;
  roofs.device = json.at("device").get<std::string>();
  roofs.source = json.at("source").get<std::string>();
  roofs.cores = json.at("cores").get<int>();
  roofs.is_measured = json.at("is_measured").get<bool>();
  roofs.clock_us = measured(json, "clock_us");
  roofs.step_us = measured(json, "step_us");
  for (const Json& level : json.at("memory")) {
    MemoryRoof roof;
    roof.name = level.at("name").get<std::string>();
    roof.size_bytes = level.at("size_bytes").get<int64_t>();
    roof.is_shared = level.at("is_shared").get<bool>();
    for (const MemoryField& field : kMemoryFields) roof.*field.figure = measured(level, field.key);
    roofs.memory.push_back(std::move(roof));
  }
  for (const Json& one : json.at("compute")) {
    roofs.compute.push_back({one.at("type").get<std::string>(), one.at("unit").get<std::string>(),
                             measured(one, "core_gop_s"), measured(one, "all_gop_s")});
  }
  for (const Json& one : json.at("dispatch")) {
    roofs.dispatch.push_back({one.at("threads").get<int>(), measured(one, "dispatch_us")});
  }
  return roofs;
}

}  // namespace

std::string roofs_to_json(const Roofs& roofs) {
  Json json = {{"schema", kSchema},
               {"device", roofs.device},
               {"source", roofs.source},
               {"cores", roofs.cores},
               {"is_measured", roofs.is_measured},
               {"clock_us", to_json(roofs.clock_us)},
               {"step_us", to_json(roofs.step_us)},
               {"memory", Json::array()},
               {"compute", Json::array()},
               {"dispatch", Json::array()}};
  for (const MemoryRoof& level : roofs.memory) {
    Json one = {
        {"name", level.name}, {"size_bytes", level.size_bytes}, {"is_shared", level.is_shared}};
    for (const MemoryField& field : kMemoryFields) one[field.key] = to_json(level.*field.figure);
    json["memory"].push_back(std::move(one));
  }
  for (const ComputeRoof& roof : roofs.compute) {
    json["compute"].push_back({{"type", roof.type},
                               {"unit", roof.unit},
                               {"core_gop_s", to_json(roof.core_gop_s)},
                               {"all_gop_s", to_json(roof.all_gop_s)}});
  }
  for (const DispatchCost& cost : roofs.dispatch) {
    json["dispatch"].push_back(
        {{"threads", cost.threads}, {"dispatch_us", to_json(cost.dispatch_us)}});
  }
  return json.dump(2) + "\n";
}

Result<Roofs> parse_roofs_json(std::string_view text, std::string_view file) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() || json.value("schema", "") != kSchema) {
    return bad_input("{}: expected a JSON document of schema {}; make it with device probe", file,
                     kSchema);
  }
  try {
    return read_roofs(json);
  } catch (const Json::exception& error) {
    return bad_input("{}: {}; make it anew with device probe", file, error.what());
  }
}

}  // namespace edgewright
