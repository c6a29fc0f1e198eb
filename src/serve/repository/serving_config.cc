#include "serve/repository/serving_config.h"

#include <algorithm>
#include <utility>

#include "serve/repository/text_format.h"

namespace edgewright {
namespace {

constexpr std::string_view kBackends[] = {
    "", "onnxruntime", "onnxruntime_onnx", "edgewright", "openvino",
};

constexpr std::pair<std::string_view, DType> kDataTypes[] = {
    {"TYPE_BOOL", DType::kBool},     {"TYPE_UINT8", DType::kUint8},
    {"TYPE_UINT16", DType::kUint16}, {"TYPE_UINT32", DType::kUint32},
    {"TYPE_UINT64", DType::kUint64}, {"TYPE_INT8", DType::kInt8},
    {"TYPE_INT16", DType::kInt16},   {"TYPE_INT32", DType::kInt32},
    {"TYPE_INT64", DType::kInt64},   {"TYPE_FP16", DType::kFloat16},
    {"TYPE_FP32", DType::kFloat32},  {"TYPE_FP64", DType::kFloat64},
    {"TYPE_STRING", DType::kString}, {"TYPE_BF16", DType::kBfloat16},
};

Error unsupported_field(const TextField& field, std::string_view why) {
  return unsupported("line {}: '{}' {}", field.line, field.name, why);
}

Result<const TextMessage*> inner(const TextField& field) {
  if (!field.is_message) {
    return bad_input("line {}: '{}' is no message; expected {} {{ ... }}", field.line, field.name,
                     field.name);
  }
  return &field.message[0];
}

Result<int64_t> integer_between(const TextField& field, int64_t low, int64_t high) {
  EDGEWRIGHT_ASSIGN(const int64_t value, integer_value(field));
  if (value >= low && value <= high) return value;
  return bad_input("line {}: '{}' is {}, expected {} to {}", field.line, field.name, value, low,
                   high);
}

Status read_name(const TextField& field, ServingConfig& config) {
  config.name = field.value;
  return {};
}

Status read_backend(const TextField& field, ServingConfig& config) {
  if (std::ranges::find(kBackends, field.value) == std::end(kBackends)) {
    return unsupported_field(
        field, fmt::format("is '{}'; ONNX models, plans and language models are served, as "
                           "'onnxruntime' or 'edgewright'",
                           field.value));
  }
  config.backend = field.value;
  return {};
}

Status read_max_batch_size(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(config.max_batch_size, integer_between(field, 0, 1 << 20));
  return {};
}

Status read_port(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(const TextMessage* message, inner(field));
  ServingConfig::Port port;
  for (const TextField& item : message->fields) {
    if (item.name == "name") port.name = item.value;
    if (item.name == "data_type") {
      const auto* known =
          std::ranges::find(kDataTypes, item.value, &std::pair<std::string_view, DType>::first);
      if (known == std::end(kDataTypes)) {
        return bad_input("line {}: unknown data_type '{}'", item.line, item.value);
      }
      port.dtype = known->second;
    }
    if (item.name == "dims") {
      EDGEWRIGHT_ASSIGN(const int64_t size, integer_between(item, -1, INT64_MAX));
      port.dims.push_back(size);
    }
    if (item.name == "reshape" || item.name == "is_shape_tensor" ||
        item.name == "allow_ragged_batch") {
      return unsupported_field(item, "is not supported; give the model the shapes that it has");
    }
  }
  if (port.name.empty()) return bad_input("line {}: '{}' has no name", field.line, field.name);
  (field.name == "input" ? config.inputs : config.outputs).push_back(std::move(port));
  return {};
}

Status read_queue_policy(const TextMessage& message, ServingConfig& config) {
  for (const TextField& item : message.fields) {
    if (item.name == "max_queue_size") {
      EDGEWRIGHT_ASSIGN(const int64_t size, integer_between(item, 0, 1 << 20));
      if (size > 0) config.batching.max_queue = static_cast<size_t>(size);
    } else if (item.name == "default_timeout_microseconds") {
      EDGEWRIGHT_ASSIGN(config.default_timeout_us, integer_between(item, 0, int64_t{1} << 40));
    } else if (item.name == "allow_timeout_override") {
      config.timeout_override = item.value == "true";
    } else if (item.name == "timeout_action" && item.value != "REJECT") {
      return unsupported_field(item, "is not supported; requests past their deadline are rejected");
    }
  }
  return {};
}

Status read_dynamic_batching(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(const TextMessage* message, inner(field));
  config.dynamic_batching = true;
  for (const TextField& item : message->fields) {
    if (item.name == "preferred_batch_size") {
      EDGEWRIGHT_ASSIGN(const int64_t size, integer_between(item, 1, 1 << 20));
      config.batching.preferred_rows.push_back(size);
    } else if (item.name == "max_queue_delay_microseconds") {
      EDGEWRIGHT_ASSIGN(config.batching.max_delay_us, integer_between(item, 0, 60'000'000));
    } else if (item.name == "default_queue_policy") {
      EDGEWRIGHT_ASSIGN(const TextMessage* policy, inner(item));
      EDGEWRIGHT_TRY(read_queue_policy(*policy, config));
    } else if (item.name != "preserve_ordering") {  // it always is
      return unsupported_field(item, "is not supported; requests run in order of arrival");
    }
  }
  return {};
}

Status read_instances(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(const TextMessage* message, inner(field));
  for (const TextField& item : message->fields) {
    if (item.name == "count") {
      EDGEWRIGHT_ASSIGN(const int64_t count, integer_between(item, 1, 1024));
      config.instances = static_cast<int>(count);
    } else if (item.name == "gpus" || (item.name == "kind" && item.value == "KIND_GPU")) {
      return unsupported_field(item, "asks for a GPU; models run on the CPU (KIND_CPU)");
    }
  }
  return {};
}

Status read_version_policy(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(const TextMessage* message, inner(field));
  for (const TextField& item : message->fields) {
    EDGEWRIGHT_ASSIGN(const TextMessage* choice, inner(item));
    if (item.name == "all") {
      config.versions.latest = 0;
    } else if (item.name == "latest") {
      if (const TextField* count = choice->find("num_versions")) {
        EDGEWRIGHT_ASSIGN(config.versions.latest, integer_between(*count, 1, 1 << 20));
      }
    } else if (item.name == "specific") {
      for (const TextField& version : choice->fields) {
        EDGEWRIGHT_ASSIGN(const int64_t number, integer_between(version, 1, INT64_MAX));
        config.versions.specific.push_back(number);
      }
    } else {
      return bad_input("line {}: unknown version policy '{}'", item.line, item.name);
    }
  }
  return {};
}

Status read_file_name(const TextField& field, ServingConfig& config) {
  if (field.value.find('/') != std::string::npos || field.value.starts_with('.')) {
    return bad_input("line {}: '{}' is '{}', expected a plain file name", field.line, field.name,
                     field.value);
  }
  config.file_name = field.value;
  return {};
}

Status read_parameter(const TextField& field, ServingConfig& config) {
  EDGEWRIGHT_ASSIGN(const TextMessage* message, inner(field));
  const TextField* key = message->find("key");
  const TextField* value = message->find("value");
  if (key == nullptr || value == nullptr || !value->is_message) {
    return bad_input("line {}: expected parameters {{ key: ... value {{ string_value: ... }} }}",
                     field.line);
  }
  const TextField* text = value->message[0].find("string_value");
  config.parameters[key->value] = text == nullptr ? "" : text->value;
  return {};
}

Status refuse(const TextField& field, ServingConfig& /*config*/) {
  return unsupported_field(field, "is not supported; remove it");
}

Status ignore(const TextField& field, ServingConfig& config) {
  config.warnings.push_back(
      fmt::format("config.pbtxt line {}: '{}' has no effect here", field.line, field.name));
  return {};
}

constexpr std::pair<std::string_view, Status (*)(const TextField&, ServingConfig&)> kFields[] = {
    {"name", read_name},
    {"platform", read_backend},
    {"backend", read_backend},
    {"max_batch_size", read_max_batch_size},
    {"input", read_port},
    {"output", read_port},
    {"dynamic_batching", read_dynamic_batching},
    {"instance_group", read_instances},
    {"version_policy", read_version_policy},
    {"default_model_filename", read_file_name},
    {"parameters", read_parameter},
    {"optimization", ignore},
    {"model_warmup", ignore},
    {"metric_tags", ignore},
    {"model_metrics", ignore},
    {"response_cache", ignore},
    {"model_transaction_policy", ignore},
    {"runtime", ignore},
    {"cc_model_filenames", ignore},
    {"sequence_batching", refuse},
    {"ensemble_scheduling", refuse},
    {"batch_input", refuse},
    {"batch_output", refuse},
    {"model_operations", refuse},
    {"model_repository_agents", refuse},
};

Status check_port(const ServingConfig& config, const ServingConfig::Port& stated,
                  const std::vector<ServedPort>& ports) {
  const auto found = std::ranges::find(ports, stated.name, &ServedPort::name);
  if (found == ports.end()) {
    return bad_input("config.pbtxt names '{}', which the model has not", stated.name);
  }
  if (stated.dtype != DType::kUndefined && stated.dtype != found->dtype) {
    return bad_input("config.pbtxt says {} of '{}', the model {}", dtype_name(stated.dtype),
                     stated.name, dtype_name(found->dtype));
  }
  std::vector<int64_t> dims = stated.dims;
  if (config.max_batch_size > 0) dims.insert(dims.begin(), -1);
  bool fits = found->any_rank || dims.size() == found->shape.size();
  for (size_t axis = 0; fits && !found->any_rank && axis < dims.size(); ++axis) {
    fits = dims[axis] < 0 || found->shape[axis] < 0 || dims[axis] == found->shape[axis];
  }
  if (fits) return {};
  return bad_input("config.pbtxt says shape [{}] of '{}'{}, the model [{}]",
                   fmt::join(stated.dims, ","), stated.name,
                   config.max_batch_size > 0 ? " behind the batch" : "",
                   fmt::join(found->shape, ","));
}

}  // namespace

Result<ServingConfig> read_serving_config(std::string_view text) {
  ServingConfig config;
  EDGEWRIGHT_ASSIGN(const TextMessage message, parse_text_format(text));
  for (const TextField& field : message.fields) {
    const auto* row = std::ranges::find(kFields, std::string_view(field.name),
                                        [](const auto& known) { return known.first; });
    if (row == std::end(kFields)) {
      return bad_input("line {}: unknown field '{}'", field.line, field.name);
    }
    EDGEWRIGHT_TRY(row->second(field, config));
  }
  if (config.dynamic_batching) {
    if (config.max_batch_size == 0) {
      return bad_input("dynamic_batching needs max_batch_size above 0");
    }
    config.batching.max_rows = config.max_batch_size;
    for (const int64_t size : config.batching.preferred_rows) {
      if (size > config.max_batch_size) {
        return bad_input("preferred_batch_size {} is above max_batch_size {}", size,
                         config.max_batch_size);
      }
    }
  }
  return config;
}

Status check_ports(const ServingConfig& config, const std::vector<ServedPort>& inputs,
                   const std::vector<ServedPort>& outputs) {
  for (const auto& stated : config.inputs) EDGEWRIGHT_TRY(check_port(config, stated, inputs));
  for (const auto& stated : config.outputs) EDGEWRIGHT_TRY(check_port(config, stated, outputs));
  if (config.max_batch_size == 0) return {};
  for (const auto* ports : {&inputs, &outputs}) {
    for (const ServedPort& port : *ports) {
      if (port.any_rank || (!port.shape.empty() && port.shape[0] < 0)) continue;
      return bad_input(
          "max_batch_size is {}, but the first dimension of '{}' is fixed; convert the model with "
          "an open one, or set max_batch_size to 0",
          config.max_batch_size, port.name);
    }
  }
  return {};
}

}  // namespace edgewright
