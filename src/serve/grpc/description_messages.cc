#include "serve/grpc/description_messages.h"

#include "serve/service/model_json.h"

namespace edgewright {
namespace {

template <class List>
void write_tensors(const std::vector<oip::TensorMetadata>& tensors, List& list) {
  for (const oip::TensorMetadata& tensor : tensors) {
    auto* item = list.Add();
    item->set_name(tensor.name);
    item->set_datatype(tensor.datatype);
    for (const int64_t size : tensor.shape) item->add_shape(size);
  }
}

template <class List>
void write_ports(const ServingConfig& config, const std::vector<ServedPort>& ports, List& list) {
  for (const ServedPort& port : ports) {
    auto* item = list.Add();
    item->set_name(port.name);
    inference::DataType type = inference::TYPE_INVALID;
    inference::DataType_Parse(config_type_name(port.dtype), &type);
    item->set_data_type(type);
    for (const int64_t size : config_dims(config, port)) item->add_dims(size);
  }
}

void write_time(const CountedTime& time, inference::StatisticDuration& message) {
  message.set_count(time.count);
  message.set_ns(time.total_ns);
}

}  // namespace

void to_message(const oip::ServerMetadata& metadata, inference::ServerMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_version(metadata.version);
  for (const std::string& extension : metadata.extensions) message.add_extensions(extension);
}

void to_message(const oip::ModelMetadata& metadata, inference::ModelMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_platform(metadata.platform);
  for (const std::string& version : metadata.versions) message.add_versions(version);
  write_tensors(metadata.inputs, *message.mutable_inputs());
  write_tensors(metadata.outputs, *message.mutable_outputs());
}

void to_message(const ModelVersion& version, inference::ModelConfig& message) {
  const ServingConfig& config = version.config();
  message.set_name(config.name);
  message.set_platform(version.metadata().platform);
  message.set_backend("edgewright");
  message.set_max_batch_size(static_cast<int32_t>(config.max_batch_size));
  write_ports(config, version.inputs(), *message.mutable_input());
  write_ports(config, version.outputs(), *message.mutable_output());
  auto* group = message.add_instance_group();
  group->set_name(config.name);
  group->set_count(config.instances);
  group->set_kind(inference::ModelInstanceGroup::KIND_CPU);
  if (config.dynamic_batching) {
    auto* batching = message.mutable_dynamic_batching();
    for (const int64_t rows : config.batching.preferred_rows) {
      batching->add_preferred_batch_size(static_cast<int32_t>(rows));
    }
    batching->set_max_queue_delay_microseconds(static_cast<uint64_t>(config.batching.max_delay_us));
    batching->set_preserve_ordering(true);
  }
  for (const auto& [key, value] : config.parameters) {
    (*message.mutable_parameters())[key].set_string_value(value);
  }
  message.mutable_model_transaction_policy()->set_decoupled(version.text() != nullptr);
}

void to_message(ModelVersion& version, inference::ModelStatistics& message) {
  const ModelCounts counts = version.statistics().counts();
  message.set_name(version.name());
  message.set_version(std::to_string(version.number()));
  message.set_last_inference(counts.last_inference_ms);
  message.set_inference_count(counts.inferences);
  message.set_execution_count(counts.executions);
  inference::InferStatistics& times = *message.mutable_inference_stats();
  write_time(counts.success, *times.mutable_success());
  write_time(counts.failure, *times.mutable_fail());
  write_time(counts.queue, *times.mutable_queue());
  write_time(counts.input, *times.mutable_compute_input());
  write_time(counts.run, *times.mutable_compute_infer());
  write_time(counts.output, *times.mutable_compute_output());
  for (const auto& [rows, parts] : counts.batches) {
    auto* batch = message.add_batch_stats();
    batch->set_batch_size(static_cast<uint64_t>(rows));
    write_time(parts[0], *batch->mutable_compute_input());
    write_time(parts[1], *batch->mutable_compute_infer());
    write_time(parts[2], *batch->mutable_compute_output());
  }
}

void to_message(const IndexRow& row, inference::RepositoryIndexResponse::ModelIndex& message) {
  message.set_name(row.name);
  message.set_version(row.version);
  message.set_state(row.state);
  message.set_reason(row.reason);
}

}  // namespace edgewright
