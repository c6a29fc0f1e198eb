#include <algorithm>
#include <filesystem>

#include "api/deploy/operating_point.h"
#include "api/deploy/stages.h"
#include "api/engine.h"
#include "api/open_backend.h"
#include "api/subjects.h"
#include "api/verify.h"
#include "edgewright/convert.h"
#include "edgewright/power.h"
#include "edgewright/split.h"
#include "formats/npy/npy.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "profile/cost_model.h"
#include "profile/operator_cost.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

constexpr double kAccuracyPoints = 0.5;  // that a lower precision may lose by default
constexpr const char* kFloatModel = "models/model.onnx";
constexpr const char* kInt8Model = "models/model-int8.onnx";
constexpr const char* kPlan = "models/model.ewplan";
constexpr const char* kRecorded = "proof/recorded.npz";
constexpr const char* kLayers = "proof/layers.json";
constexpr const char* kRanges = "calibration/ranges.json";

std::string shapes_text(const InputShapes& shapes) {
  std::string text;
  for (const auto& [name, dims] : shapes) text += name + "=" + dims_text(dims) + ";";
  return text;
}

VerifyOptions verify_options(const DeployOptions& options) {
  VerifyOptions verify;
  verify.seed = options.seed;
  verify.shapes = options.shapes;
  verify.threads = options.threads;
  return verify;
}

Result<Bundle::Outcome> optimise(Deployment& d) {
  EDGEWRIGHT_ASSIGN(const ConvertReport report, convert(d.options.model, d.bundle.path(kFloatModel),
                                                        convert_options(d.options)));
  if (!report.passed) {
    return check_failed("the optimised model does not compute what the original does");
  }
  Bundle::Outcome outcome;
  outcome.files = {kFloatModel};
  outcome.result = {{"nodes_before", report.nodes_before},
                    {"nodes_after", report.nodes_after},
                    {"opset", report.opset},
                    {"dropped_passes", report.dropped_passes},
                    {"size_bytes", report.size_bytes},
                    {"warnings", report.warnings}};
  return outcome;
}

// The ranges that calibration gave the values of the int8 model, by value: what its scales and zero
// points stand for.
Status write_ranges(Deployment& d) {
  EDGEWRIGHT_ASSIGN(const Model model, load_model(d.bundle.path(kInt8Model)));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  Json values = Json::object();
  for (const Node& node : model.graph->nodes()) {
    const Tensor* scale = node.constant_input(1);
    const bool is_activation = node.is("QuantizeLinear") && node.constant_input(0) == nullptr;
    if (!is_activation || scale == nullptr || scale->element_count() != 1) continue;
    const DType dtype = node.outputs[0]->type.dtype;
    if (dtype != DType::kInt8 && dtype != DType::kUint8) continue;
    const Tensor* zero = node.constant_input(2);
    const double step = load_double(scale->dtype(), scale->bytes(), 0);
    const double zero_point = zero == nullptr ? 0 : load_double(zero->dtype(), zero->bytes(), 0);
    const double lowest = dtype == DType::kInt8 ? -128 : 0;
    values[node.inputs[0]->name] = {{"low", (lowest - zero_point) * step},
                                    {"high", (lowest + 255 - zero_point) * step},
                                    {"scale", step},
                                    {"zero_point", zero_point},
                                    {"dtype", std::string(dtype_name(dtype))}};
  }
  const Json document = {{"schema", "edgewright.ranges/1"},
                         {"data_sha256", d.data_digest},
                         {"values", std::move(values)}};
  return d.bundle.write(kRanges, document.dump(1) + "\n");
}

Result<Bundle::Outcome> quantise(Deployment& d) {
  Bundle::Outcome outcome;
  ConvertOptions convert_with = convert_options(d.options);
  convert_with.precision = "int8";
  convert_with.calibrate = d.options.data;
  const auto report = convert(d.options.model, d.bundle.path(kInt8Model), convert_with);
  if (!report.ok()) {
    if (report.error().kind != ErrorKind::kUnsupported) return report.error();
    outcome.result = {{"written", false}, {"why", report.error().message}};
    return outcome;
  }
  outcome.result = {{"written", report->written}, {"passed", report->passed}};
  if (report->quantization) {
    const QuantizationReport& q = *report->quantization;
    outcome.result["int8_macs_share"] = q.int8_macs_share;
    outcome.result["agreement"] = q.agreement;
    outcome.result["relative_l2"] = q.relative_l2;
    if (q.top1 && q.reference_top1) {
      outcome.result["loss_points"] = 100 * (*q.reference_top1 - *q.top1);
    }
  }
  if (report->written) {
    EDGEWRIGHT_TRY(write_ranges(d));
    outcome.files = {kInt8Model, kRanges};
  }
  return outcome;
}

// Time of all nodes on the device, with the given share of multiply-adds in int8, and the part
// that memory alone would take.
Result<InferenceTime> predict_time(const Deployment& d, double int8_share) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, roofs_of(d.device));
  EDGEWRIGHT_ASSIGN(const Model model, load_model(d.bundle.path(kFloatModel)));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, d.options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  const Roofline roofline{&roofs, roofs.cores};
  InferenceTime time;
  const double bandwidth_gb_s = roofline.bandwidth_gb_s(roofs.memory.size() - 1, false);
  for (const Node& node : model.graph->nodes()) {
    Work work = work_of(operation_of(node));
    const double float_us = predict_us(roofline, work);
    const double memory_us = static_cast<double>(work.weight_bytes) / (bandwidth_gb_s * 1e3);
    double node_us = float_us;
    if (work.multiply_adds > 0 && int8_share > 0) {
      Work quantised = work;
      quantised.compute_dtype = DType::kInt8;
      quantised.bytes_read /= 4;
      quantised.weight_bytes /= 4;
      quantised.bytes_written /= 4;
      node_us = (1 - int8_share) * float_us + int8_share * predict_us(roofline, quantised);
    }
    time.total_us += node_us;
    time.memory_us += std::min(node_us, memory_us * (int8_share > 0 ? 0.25 : 1));
  }
  return time;
}

Json time_json(const InferenceTime& time) {
  return {{"total_us", time.total_us}, {"memory_us", time.memory_us}};
}

InferenceTime time_of(const Json& json) {
  return {json.value("total_us", 0.0), json.value("memory_us", 0.0)};
}

// The precision that is quickest on the device and loses no more than allowed.
std::string choose_precision(Deployment& d, const Json& int8, const Json& times) {
  const double float_us = times["fp32"].value("total_us", 0.0);
  if (!times.contains("int8")) {
    d.choose("precision", "fp32", "int8",
             d.options.data.empty() ? "no data to calibrate with"
                                    : "int8 was not written: " + int8.value("why", "it failed"));
    return "fp32";
  }
  const double int8_us = times["int8"].value("total_us", 0.0);
  const double allowed = d.goal("accuracy-points", kAccuracyPoints);
  const double loss = int8.value("loss_points", 100 * (1 - int8.value("agreement", 1.0)));
  const std::string figures = fmt::format(
      "int8 {:.1f} us against fp32 {:.1f} us (predicted), loses {:.2f} points of {:.2f} allowed",
      int8_us, float_us, loss, allowed);
  const bool takes_int8 = int8_us < float_us && loss <= allowed;
  d.choose("precision", takes_int8 ? "int8" : "fp32", takes_int8 ? "fp32" : "int8", figures);
  d.reach("accuracy-points", takes_int8 ? loss : 0);
  return takes_int8 ? "int8" : "fp32";
}

// The original's outputs on seeded samples, from the reference kernels: what the bundle's model is
// held against wherever it goes.
Result<Bundle::Outcome> prove(Deployment& d, const std::string& chosen) {
  const VerifyOptions verify_with = verify_options(d.options);
  EDGEWRIGHT_ASSIGN(Model model, load_model(d.options.model));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, d.options.shapes));
  EDGEWRIGHT_ASSIGN(const auto samples, seeded_samples(*model.graph, verify_with));
  InferenceOptions session;
  session.backend = "reference";
  session.optimise = false;
  EDGEWRIGHT_ASSIGN(auto opened, open_backend(std::move(model.graph), session));
  BackendSubject reference(std::move(opened));
  NamedTensors recorded;
  const auto names = reference.output_names();
  for (size_t s = 0; s < samples.size(); ++s) {
    EDGEWRIGHT_ASSIGN(const auto outputs, reference.run(samples[s], nullptr));
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (!outputs[o].is_tensor()) return unsupported("output '{}' is no tensor", names[o]);
      const Tensor& tensor = outputs[o].tensor();
      const size_t bytes = tensor.size_bytes();
      Dims dims = tensor.dims();
      if (dims.empty() || dims[0] != 1) dims.insert(dims.begin(), 1);
      dims[0] = static_cast<int64_t>(samples.size());
      Tensor& all = recorded[names[o]];
      if (all.empty_handle()) {
        EDGEWRIGHT_ASSIGN(all, Tensor::allocate(tensor.dtype(), dims));
      }
      if (all.size_bytes() != bytes * samples.size()) {
        return unsupported("output '{}' has another shape for every sample", names[o]);
      }
      std::copy_n(tensor.bytes(), bytes, all.mutable_bytes() + s * bytes);
    }
  }
  EDGEWRIGHT_TRY(write_npz(d.bundle.path(kRecorded), recorded));
  EDGEWRIGHT_ASSIGN(const VerifyReport report,
                    verify(d.bundle.path(kRecorded), d.bundle.path(chosen), verify_with));
  double worst = 0;
  for (const ValueDifference& output : report.outputs) worst = std::max(worst, output.relative_l2);
  EDGEWRIGHT_TRY(d.bundle.write("proof/verify.json", to_json(report)));
  Bundle::Outcome outcome;
  outcome.files = {kRecorded, "proof/verify.json"};
  outcome.result = {{"relative_l2", worst}, {"passed", report.passed}, {"model", chosen}};
  return outcome;
}

// The optimised model against the original, layer by layer, on the data where there are any.
Result<Bundle::Outcome> prove_layers(Deployment& d) {
  VerifyOptions options = verify_options(d.options);
  options.data = d.options.data;
  EDGEWRIGHT_ASSIGN(const VerifyReport report,
                    verify(d.options.model, d.bundle.path(kFloatModel), options));
  EDGEWRIGHT_TRY(d.bundle.write(kLayers, to_json(report)));
  double worst = 0;
  for (const ValueDifference& layer : report.layers) worst = std::max(worst, layer.relative_l2);
  return Bundle::Outcome{
      {{"passed", report.passed}, {"layers", report.layers.size()}, {"relative_l2", worst}},
      {kLayers}};
}

Result<Bundle::Outcome> export_plan(Deployment& d) {
  ConvertOptions convert_with = convert_options(d.options);
  EDGEWRIGHT_ASSIGN(const ConvertReport report,
                    convert(d.bundle.path(kFloatModel), d.bundle.path(kPlan), convert_with));
  if (!report.passed) return check_failed("the plan does not compute what the model does");
  return Bundle::Outcome{{{"size_bytes", report.size_bytes}}, {kPlan}};
}

Json choice_json(const OperatingChoice& choice) {
  return {{"cluster", choice.cluster},
          {"cores", choice.cores},
          {"frequency_khz", choice.frequency_khz},
          {"latency_us", choice.latency_us},
          {"energy_mj", choice.energy_mj}};
}

// The least energy that keeps the limit of latency; the quickest where none does.
Result<Bundle::Outcome> plan_power(Deployment& d, const InferenceTime& time) {
  const auto choices = operating_choices(d.device, time);
  Bundle::Outcome outcome;
  outcome.files = {"plans/power.json"};
  if (choices.empty()) {
    outcome.result = {{"known", false}, {"latency_us", time.total_us}};
  } else {
    const double limit_us = d.goal("latency-ms", 1e18) * 1e3;
    const auto keeps = [&](const OperatingChoice& c) { return c.latency_us <= limit_us; };
    auto best = std::ranges::find_if(choices, keeps);
    if (best == choices.end()) {
      best = std::ranges::min_element(choices, {}, &OperatingChoice::latency_us);
    }
    const auto other = std::find_if(best == choices.end() ? best : best + 1, choices.end(), keeps);
    outcome.result = choice_json(*best);
    outcome.result["known"] = true;
    if (other != choices.end()) outcome.result["runner_up"] = choice_json(*other);
  }
  EDGEWRIGHT_TRY(d.bundle.write("plans/power.json", outcome.result.dump(2) + "\n"));
  return outcome;
}

// Wherever the bundle lies, its files are the same.
std::string without_folder(const Deployment& d, std::string text) {
  const std::string folder = d.bundle.path("");
  for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at)) {
    text.erase(at, folder.size());
  }
  return text;
}

Result<Bundle::Outcome> plan_cut(Deployment& d) {
  SplitOptions split;
  split.model = d.bundle.path(kFloatModel);
  split.shapes = d.options.shapes;
  split.device = d.options.device;
  split.server = d.options.server;
  split.link = d.options.link;
  split.seed = d.options.seed;
  EDGEWRIGHT_ASSIGN(const SplitReport report, plan_split(split));
  EDGEWRIGHT_TRY(d.bundle.write("plans/split.json", without_folder(d, to_json(report))));
  Bundle::Outcome outcome;
  outcome.files = {"plans/split.json"};
  outcome.result = {{"cut", report.best.cut},
                    {"latency_us", report.best.latency_us},
                    {"on_device_us", report.all_on_device.latency_us},
                    {"runner_up", report.runner_up ? report.runner_up->cut : ""},
                    {"runner_up_us", report.runner_up ? report.runner_up->latency_us : 0}};
  return outcome;
}

std::string operating_text(const Json& point) {
  return fmt::format("{} x{} at {} MHz: {:.2f} ms, {:.3f} mJ", point.value("cluster", ""),
                     point.value("cores", 0), point.value("frequency_khz", int64_t{0}) / 1000,
                     point.value("latency_us", 0.0) / 1e3, point.value("energy_mj", 0.0));
}

Result<Bundle::Outcome> predict_all(const Deployment& d, const Json& int8) {
  EDGEWRIGHT_ASSIGN(const InferenceTime fp32, predict_time(d, 0));
  Bundle::Outcome outcome;
  outcome.result = {{"fp32", time_json(fp32)}};
  if (int8.value("written", false)) {
    EDGEWRIGHT_ASSIGN(const InferenceTime time,
                      predict_time(d, int8.value("int8_macs_share", 0.0)));
    outcome.result["int8"] = time_json(time);
  }
  return outcome;
}

// The latency at the operating point, in microseconds.
Result<double> add_power(Deployment& d, const Json& times, const std::string& precision) {
  const InferenceTime time = time_of(times[precision]);
  const std::vector<std::string> inputs = {d.device_text, times.dump(), precision,
                                           std::to_string(d.goal("latency-ms", 0))};
  EDGEWRIGHT_ASSIGN(const Json power,
                    d.bundle.stage("power", inputs, [&] { return plan_power(d, time); }));
  if (power.value("known", false)) {
    d.choose("operating point", operating_text(power),
             power.contains("runner_up") ? operating_text(power["runner_up"]) : "none",
             "least energy that keeps the latency (modelled)");
    d.reach("energy-mj", power.value("energy_mj", 0.0));
  } else {
    d.report.warnings.push_back("the device states no powers: no operating point was chosen");
  }
  return power.value("latency_us", time.total_us);
}

// The latency with the cut, in microseconds.
Result<double> add_cut(Deployment& d, std::vector<std::string> inputs, double on_device_us) {
  inputs.insert(inputs.end(), {d.device_text, d.options.server, d.options.link});
  EDGEWRIGHT_ASSIGN(const Json cut, d.bundle.stage("split", inputs, [&] { return plan_cut(d); }));
  const double latency_us = cut.value("latency_us", 0.0);
  d.choose("cut", cut.value("cut", ""), cut.value("runner_up", ""),
           fmt::format("{:.2f} ms against {:.2f} ms for the runner-up and {:.2f} ms on the device "
                       "alone (modelled)",
                       latency_us / 1e3, cut.value("runner_up_us", 0.0) / 1e3,
                       cut.value("on_device_us", 0.0) / 1e3));
  return cut.value("cut", "") == "output" ? on_device_us : std::min(on_device_us, latency_us);
}

}  // namespace

ConvertOptions convert_options(const DeployOptions& options) {
  ConvertOptions convert;
  convert.shapes = options.shapes;
  convert.threads = options.threads;
  convert.seed = options.seed;
  // Measured choices would differ from machine to machine, and so would the bundle.
  convert.tune = false;
  return convert;
}

Status deploy_network(Deployment& d) {
  const std::string shapes = shapes_text(d.options.shapes);
  const std::string seed = std::to_string(d.options.seed);
  const std::vector<std::string> source = {d.model_digest, shapes, seed};
  EDGEWRIGHT_ASSIGN(const Json optimised,
                    d.bundle.stage("optimise", source, [&] { return optimise(d); }));
  d.choose("graph", fmt::format("{} nodes", optimised.value("nodes_after", 0)),
           fmt::format("{} nodes as it came", optimised.value("nodes_before", 0)),
           "the passes are proved on seeded inputs against the original");

  Json int8 = {{"written", false}};
  if (!d.options.data.empty()) {
    EDGEWRIGHT_ASSIGN(int8,
                      d.bundle.stage("quantise", {d.model_digest, shapes, seed, d.data_digest},
                                     [&] { return quantise(d); }));
  }
  EDGEWRIGHT_ASSIGN(const Json times,
                    d.bundle.stage("predict", {d.model_digest, shapes, d.device_text, int8.dump()},
                                   [&] { return predict_all(d, int8); }));
  const std::string precision = choose_precision(d, int8, times);
  const std::string chosen = precision == "int8" ? kInt8Model : kFloatModel;

  EDGEWRIGHT_ASSIGN(const Json proof,
                    d.bundle.stage("prove", {d.model_digest, shapes, seed, d.data_digest, chosen},
                                   [&] { return prove(d, chosen); }));
  EDGEWRIGHT_ASSIGN(const Json layers,
                    d.bundle.stage("layers", {d.model_digest, shapes, seed, d.data_digest},
                                   [&] { return prove_layers(d); }));
  if (!layers.value("passed", false)) {
    return check_failed("the optimised model does not compute what the original does: see {}",
                        d.bundle.path(kLayers));
  }
  EDGEWRIGHT_TRY(d.bundle.stage("plan", source, [&] { return export_plan(d); }));
  EDGEWRIGHT_TRY(add_exports(d, chosen, {d.model_digest, shapes, seed, d.data_digest}));

  EDGEWRIGHT_ASSIGN(double latency_us, add_power(d, times, precision));
  if (!d.options.link.empty()) {
    EDGEWRIGHT_ASSIGN(latency_us, add_cut(d, {d.model_digest, shapes, seed}, latency_us));
  }
  d.reach("latency-ms", latency_us / 1e3);
  EDGEWRIGHT_ASSIGN(const BundleFile file, d.bundle.describe(chosen));
  d.reach("size-mb", static_cast<double>(file.size_bytes) / 1e6);
  if (precision == "fp32" && !proof.value("passed", false)) {
    return check_failed("the model in the bundle does not compute what the original does");
  }
  return finish_bundle(d, chosen);
}

}  // namespace edgewright
