#include "serve/service/model_version.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "serve/protocol/datatype.h"

namespace edgewright {
namespace {

template <class... Args>
Refusal malformed(fmt::format_string<Args...> format, Args&&... args) {
  return {RefusalKind::kMalformed, fmt::format(format, std::forward<Args>(args)...)};
}

int64_t since_ns(ServeClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(ServeClock::now() - start).count();
}

// Zeros of a port's shape; open dimensions become 1, a first one `rows`.
Result<Tensor> zeros(const ServedPort& port, int64_t rows) {
  Dims dims = port.shape;
  if (!dims.empty() && dims[0] < 0) dims[0] = rows;
  for (int64_t& size : dims) size = size < 0 ? 1 : size;
  if (port.dtype == DType::kString) {
    const auto count = static_cast<size_t>(
        std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()));
    return Tensor::strings(std::move(dims), std::vector<std::string>(count));
  }
  return Tensor::allocate(port.dtype, std::move(dims));
}

// The engine makes a plan for every size; made now, no request waits for one. A model that does not
// take zeros makes its plans later.
void make_plans(ServedModel& model, const BatchLimits& limits) {
  std::vector<int64_t> sizes = limits.preferred_rows;
  if (limits.max_rows == 0) sizes = {1};
  if (sizes.empty()) {
    for (int64_t size = 1; size <= limits.max_rows && sizes.size() < 6; size *= 2) {
      sizes.push_back(size);
    }
  }
  for (const int64_t rows : sizes) {
    std::vector<Tensor> inputs;
    for (const ServedPort& port : model.inputs()) {
      Result<Tensor> tensor = zeros(port, rows);
      if (!tensor.ok()) return;
      inputs.push_back(*std::move(tensor));
    }
    if (!model.run(inputs).ok()) return;
  }
}

// As many as the processor can run at once, while what they hold each stays small beside any
// memory.
int instances_of(const ServingConfig& config, const std::string& file, int most) {
  constexpr uintmax_t kManyUpToBytes = uintmax_t{256} << 20;
  if (config.instances > 0) return config.instances;
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  return !error && bytes <= kManyUpToBytes ? most : 1;
}

Status check_types(const std::vector<ServedPort>& ports) {
  for (const ServedPort& port : ports) {
    if (oip::datatype_name(port.dtype).empty()) {
      return unsupported("'{}' is of type {}, which the protocol has not", port.name,
                         dtype_name(port.dtype));
    }
  }
  return {};
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

std::vector<oip::TensorMetadata> tensor_metadata(const std::vector<ServedPort>& ports) {
  std::vector<oip::TensorMetadata> list;
  list.reserve(ports.size());
  for (const ServedPort& port : ports) {
    list.push_back({port.name, std::string(oip::datatype_name(port.dtype)),
                    port.any_rank ? std::vector<int64_t>{-1} : port.shape});
  }
  return list;
}

bool fits(const ServedPort& port, const Tensor& tensor) {
  if (port.any_rank) return true;
  if (port.shape.size() != tensor.rank()) return false;
  for (size_t axis = 0; axis < tensor.rank(); ++axis) {
    if (port.shape[axis] >= 0 && port.shape[axis] != tensor.dim(axis)) return false;
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<ModelVersion>> ModelVersion::open(const ModelFolder& folder,
                                                         const ModelFolder::Version& version,
                                                         const ModelOpener& opener,
                                                         const VersionOptions& options) {
  std::shared_ptr<ModelVersion> opened(new ModelVersion());
  opened->config_ = folder.config;
  opened->number_ = version.number;
  const Status done = version.is_language ? opened->open_language(version, opener, options)
                                          : opened->open_tensors(version, opener, options);
  if (!done.ok()) {
    // Readers of files name them already.
    const bool is_named = done.error().message.find(version.file) != std::string::npos;
    return is_named ? done.error() : Error(done.error()).at(version.file);
  }
  return opened;
}

Status ModelVersion::open_tensors(const ModelFolder::Version& version, const ModelOpener& opener,
                                  const VersionOptions& options) {
  platform_ = version.file.ends_with(".ewplan") ? "edgewright_plan" : "edgewright_onnx";
  std::vector<std::unique_ptr<ServedModel>> instances;
  config_.instances = instances_of(config_, version.file, options.instances);
  for (int i = 0; i < config_.instances; ++i) {
    EDGEWRIGHT_ASSIGN(std::unique_ptr<ServedModel> model,
                      opener.tensors(version.file, options.threads));
    if (i == 0) {
      inputs_ = model->inputs();
      outputs_ = model->outputs();
      EDGEWRIGHT_TRY(check_types(inputs_));
      EDGEWRIGHT_TRY(check_types(outputs_));
      EDGEWRIGHT_TRY(check_ports(config_, inputs_, outputs_));
    }
    make_plans(*model, config_.batching);
    instances.push_back(std::move(model));
  }
  BatchLimits limits = config_.batching;
  if (!config_.dynamic_batching) limits.max_queue = options.max_queue;
  lane_ = std::make_unique<Lane>(std::move(instances), std::move(limits), opener.ledger);
  return {};
}

Status ModelVersion::open_language(const ModelFolder::Version& version, const ModelOpener& opener,
                                   const VersionOptions& options) {
  if (config_.max_batch_size > 0) {
    return bad_input("max_batch_size is {}; texts are batched by the engine, set it to 0",
                     config_.max_batch_size);
  }
  platform_ = "edgewright_language";
  config_.instances = 1;
  EDGEWRIGHT_ASSIGN(const LanguageParts parts, opener.language(version.file, options.threads));
  inputs_ = {{"text_input", DType::kString, false, {1}}};
  outputs_ = {{"text_output", DType::kString, false, {1}}};
  text_ =
      std::make_unique<TextService>(parts, options.threads, static_cast<int>(options.max_queue));
  return {};
}

oip::ModelMetadata ModelVersion::metadata() const {
  return {config_.name,
          platform_,
          {std::to_string(number_)},
          tensor_metadata(inputs_),
          tensor_metadata(outputs_)};
}

size_t ModelVersion::waiting() const { return lane_ ? lane_->waiting() : text_->under_way(); }

void ModelVersion::close() {
  if (lane_) lane_->close();
  if (text_) text_->close();
}

Reply<std::vector<Tensor>> ModelVersion::inputs_of(oip::InferRequest& request) const {
  std::vector<Tensor> ordered(inputs_.size());
  int64_t rows = -1;
  for (oip::NamedTensor& given : request.inputs) {
    const auto port = std::ranges::find(inputs_, given.name, &ServedPort::name);
    if (port == inputs_.end()) {
      return malformed("'{}' is no input of model '{}'", given.name, config_.name);
    }
    Tensor& tensor = ordered[static_cast<size_t>(port - inputs_.begin())];
    if (!tensor.empty_handle()) return malformed("input '{}' is given twice", given.name);
    if (given.tensor.dtype() != port->dtype) {
      return malformed("input '{}' is {}, expected {}", given.name,
                       oip::datatype_name(given.tensor.dtype()), oip::datatype_name(port->dtype));
    }
    if (!fits(*port, given.tensor)) {
      return malformed("input '{}' has shape {}, expected {}", given.name,
                       shape_text(given.tensor.dims()), shape_text(port->shape));
    }
    tensor = std::move(given.tensor);
    if (config_.max_batch_size == 0) continue;
    if (rows >= 0 && rows != tensor.dim(0)) {
      return malformed("input '{}' has a batch of {}, another input of {}", given.name,
                       tensor.dim(0), rows);
    }
    rows = tensor.dim(0);
    if (rows < 1 || rows > config_.max_batch_size) {
      return malformed("input '{}' has a batch of {}, expected 1 to {}", given.name, rows,
                       config_.max_batch_size);
    }
  }
  for (size_t i = 0; i < ordered.size(); ++i) {
    if (ordered[i].empty_handle()) return malformed("input '{}' is missing", inputs_[i].name);
  }
  return ordered;
}

Reply<std::vector<Tensor>> ModelVersion::run(LaneOrder order, RequestEnergy* energy) {
  const auto start = ServeClock::now();
  LaneTimes times;
  Reply<std::vector<Tensor>> outputs = lane_->run(std::move(order), times, energy);
  if (outputs.ok()) {
    statistics_.add_success(times, since_ns(start));
  } else {
    statistics_.add_failure(since_ns(start));
  }
  return outputs;
}

Reply<oip::InferResponse> ModelVersion::response(const oip::InferRequest& request,
                                                 const std::vector<Tensor>& outputs) const {
  oip::InferResponse response{config_.name, std::to_string(number_), request.id, {}, {}};
  if (request.outputs.empty()) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      response.outputs.push_back({outputs_[i].name, outputs[i], {}, request.binary_outputs});
    }
    return response;
  }
  for (const oip::RequestedOutput& wanted : request.outputs) {
    const auto port = std::ranges::find(outputs_, wanted.name, &ServedPort::name);
    if (port == outputs_.end()) {
      return malformed("'{}' is no output of model '{}'", wanted.name, config_.name);
    }
    Tensor tensor = outputs[static_cast<size_t>(port - outputs_.begin())];
    if (wanted.classes > 0) {
      Result<Tensor> classes = classify(tensor, wanted.classes, config_.max_batch_size > 0);
      if (!classes.ok()) return std::move(classes).error().at(wanted.name);
      tensor = *std::move(classes);
    }
    response.outputs.push_back({wanted.name, std::move(tensor), {}, wanted.binary});
  }
  return response;
}

Result<Tensor> classify(const Tensor& scores, int64_t classes, bool by_row) {
  if (scores.dtype() == DType::kString) return bad_input("texts have no largest values");
  EDGEWRIGHT_ASSIGN(const std::vector<double> values, scores.to_doubles());
  const int64_t rows = by_row && scores.rank() > 0 ? scores.dim(0) : 1;
  const int64_t columns = rows == 0 ? 0 : scores.element_count() / rows;
  const int64_t count = std::min(classes, columns);
  std::vector<std::string> texts;
  std::vector<int64_t> order(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    const double* at = values.data() + row * columns;
    std::iota(order.begin(), order.end(), int64_t{0});
    std::ranges::partial_sort(order, order.begin() + count, [at](int64_t a, int64_t b) {
      return at[a] > at[b] || (at[a] == at[b] && a < b);
    });
    for (int64_t i = 0; i < count; ++i) {
      const int64_t index = order[static_cast<size_t>(i)];
      texts.push_back(fmt::format("{:f}:{}", at[index], index));
    }
  }
  const Dims dims = by_row ? Dims{rows, count} : Dims{count};
  return Tensor::strings(dims, std::move(texts));
}

}  // namespace edgewright
