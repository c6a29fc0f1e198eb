#include "serve/service/model_json.h"

#include "base/json.h"
#include "serve/protocol/datatype.h"

namespace edgewright {
namespace {

Json time_json(const CountedTime& time) { return {{"count", time.count}, {"ns", time.total_ns}}; }

Json ports_json(const ServingConfig& config, const std::vector<ServedPort>& ports) {
  Json list = Json::array();
  for (const ServedPort& port : ports) {
    list.push_back({{"name", port.name},
                    {"data_type", config_type_name(port.dtype)},
                    {"dims", config_dims(config, port)}});
  }
  return list;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string config_type_name(DType dtype) {
  if (dtype == DType::kString) return "TYPE_STRING";
  return fmt::format("TYPE_{}", oip::datatype_name(dtype));
}

std::vector<int64_t> config_dims(const ServingConfig& config, const ServedPort& port) {
  if (port.any_rank) return {-1};
  std::vector<int64_t> dims = port.shape;
  if (config.max_batch_size > 0 && !dims.empty()) dims.erase(dims.begin());
  return dims;
}

oip::ServerMetadata server_metadata() {
  return {"edgewright",
          std::string(version()),
          {"binary_tensor_data", "classification", "model_configuration", "model_repository",
           "parameters", "schedule_policy", "statistics"}};
}

std::string encode_statistics(const std::vector<std::shared_ptr<ModelVersion>>& versions) {
  Json list = Json::array();
  for (const auto& version : versions) {
    const ModelCounts counts = version->statistics().counts();
    Json batches = Json::array();
    for (const auto& [rows, times] : counts.batches) {
      batches.push_back({{"batch_size", rows},
                         {"compute_input", time_json(times[0])},
                         {"compute_infer", time_json(times[1])},
                         {"compute_output", time_json(times[2])}});
    }
    list.push_back({{"name", version->name()},
                    {"version", std::to_string(version->number())},
                    {"last_inference", counts.last_inference_ms},
                    {"inference_count", counts.inferences},
                    {"execution_count", counts.executions},
                    {"inference_stats",
                     {{"success", time_json(counts.success)},
                      {"fail", time_json(counts.failure)},
                      {"queue", time_json(counts.queue)},
                      {"compute_input", time_json(counts.input)},
                      {"compute_infer", time_json(counts.run)},
                      {"compute_output", time_json(counts.output)}}},
                    {"batch_stats", std::move(batches)}});
  }
  return dump({{"model_stats", std::move(list)}});
}

std::string encode_config(const ModelVersion& version) {
  const ServingConfig& config = version.config();
  Json json = {
      {"name", config.name},
      {"platform", version.metadata().platform},
      {"backend", "edgewright"},
      {"max_batch_size", config.max_batch_size},
      {"input", ports_json(config, version.inputs())},
      {"output", ports_json(config, version.outputs())},
      {"instance_group",
       Json::array({{{"name", config.name}, {"kind", "KIND_CPU"}, {"count", config.instances}}})}};
  if (config.dynamic_batching) {
    json["dynamic_batching"] = {{"preferred_batch_size", config.batching.preferred_rows},
                                {"max_queue_delay_microseconds", config.batching.max_delay_us},
                                {"preserve_ordering", true},
                                {"default_queue_policy",
                                 {{"timeout_action", "REJECT"},
                                  {"default_timeout_microseconds", config.default_timeout_us},
                                  {"allow_timeout_override", config.timeout_override},
                                  {"max_queue_size", config.batching.max_queue}}}};
  }
  Json& parameters = json["parameters"] = Json::object();
  for (const auto& [key, value] : config.parameters) parameters[key] = {{"string_value", value}};
  json["model_transaction_policy"] = {{"decoupled", version.text() != nullptr}};
  return dump(json);
}

std::string encode_index(const std::vector<IndexRow>& rows) {
  Json list = Json::array();
  for (const IndexRow& row : rows) {
    Json item = {{"name", row.name}, {"version", row.version}, {"state", row.state}};
    if (!row.reason.empty()) item["reason"] = row.reason;
    list.push_back(std::move(item));
  }
  return dump(list);
}

}  // namespace edgewright
