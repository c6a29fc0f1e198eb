#include <algorithm>
#include <filesystem>

#include "api/cut_model.h"
#include "api/server_half.h"
#include "api/shared_model.h"
#include "api/split_subject.h"
#include "edgewright/split.h"
#include "formats/onnx/onnx.h"

namespace edgewright {
namespace {

// A layer with all that is secret of it.
struct Dealt {
  LinearLayer layer;
  WeightShares weights;
};

Result<std::vector<const Node*>> nodes_to_share(const Graph& graph,
                                                const std::vector<std::string>& names) {
  std::vector<const Node*> nodes;
  for (const Node& node : graph.nodes()) {
    const bool is_wanted = std::ranges::any_of(names, [&](const std::string& name) {
      return name == layer_name(node) || name == node.outputs[0]->name;
    });
    if (is_wanted) nodes.push_back(&node);
  }
  if (nodes.size() == names.size() && !names.empty()) return nodes;
  std::vector<std::string> known;
  for (const Node* node : linear_nodes(graph)) known.push_back(layer_name(*node));
  if (known.empty()) return unsupported("the model has no linear layer that can be shared");
  return usage_error("found {} of the {} layers to share; the model's linear layers are {}",
                     nodes.size(), names.size(), fmt::join(known, ", "));
}

// What makes these values out of the inputs and the layers' outputs so far; "" when they are there.
Result<std::string> write_stage(const Model& model, const std::vector<std::string>& known,
                                const std::vector<std::string>& takes,
                                const std::vector<std::string>& wanted, const std::string& folder,
                                const std::string& file) {
  std::vector<std::string> gives;
  for (const std::string& value : wanted) {
    if (std::ranges::find(known, value) == known.end()) gives.push_back(value);
  }
  if (gives.empty()) return std::string();
  const Model stage = model_part(model, takes, gives);
  EDGEWRIGHT_TRY(export_onnx(stage, (std::filesystem::path(folder) / file).string()));
  return file;
}

SharedLayer facts_of(const LinearLayer& layer, const std::string& prefix, int fraction_bits) {
  SharedLayer facts{layer.name, layer.input, layer.output};
  facts.first_model = prefix + "first";
  facts.second_model = prefix + "second";
  facts.input_dims = layer.input_dims;
  facts.output_dims = layer.output_dims;
  facts.rows = layer.rows;
  facts.positions = layer.positions;
  facts.rows_last = layer.rows_last;
  facts.largest_value = largest_value(layer, fraction_bits);
  facts.bias = layer.bias;
  return facts;
}

Result<std::string> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  // Whoever reads a device's masks or a server's shares has half of a secret.
  if (!error) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) return usage_error("cannot make the folder {}: {}", folder.string(), error.message());
  return folder.string();
}

struct Folders {
  std::string first, second, device;
};

Result<Folders> make_folders(const std::string& output) {
  const std::filesystem::path place(output);
  Folders folders;
  EDGEWRIGHT_ASSIGN(folders.first, make_folder(place / "first"));
  EDGEWRIGHT_ASSIGN(folders.second, make_folder(place / "second"));
  EDGEWRIGHT_ASSIGN(folders.device, make_folder(place / "device"));
  return folders;
}

// A name that no other sharing has: shares of two never fit together.
Result<std::string> sharing_name(const std::string& model_path) {
  EDGEWRIGHT_ASSIGN(const HalfNames names, HalfNames::of(model_path));
  return fmt::format("{}shared-{:08x}", names.prefix(), secure_word() & 0xffffffff);
}

Status write_layer(const Dealt& dealt, const SharedLayer& facts, const Folders& folders,
                   ShareReport& report) {
  EDGEWRIGHT_ASSIGN(const auto first,
                    write_to_repository(server_share(dealt.layer, dealt.weights, true),
                                        facts.first_model, folders.first));
  EDGEWRIGHT_ASSIGN(const auto second,
                    write_to_repository(server_share(dealt.layer, dealt.weights, false),
                                        facts.second_model, folders.second));
  for (const auto& files : {first, second}) {
    report.files.insert(report.files.end(), files.begin(), files.end());
  }
  const auto words = [](size_t count) { return static_cast<double>(count * sizeof(uint64_t)); };
  report.layers.push_back({facts.name,
                           dealt.layer.rows * dealt.layer.columns * dealt.layer.positions,
                           2 * words(2 * dealt.layer.input_size() + dealt.layer.result_size()),
                           2 * words(dealt.layer.result_size()), facts.largest_value});
  return {};
}

Status add_ports(const Model& model, SharedModel& shared) {
  EDGEWRIGHT_TRY(add_fixed_inputs(*model.graph, shared.inputs, shared.input_dims));
  for (const Value* output : model.graph->outputs()) shared.outputs.push_back(output->name);
  return {};
}

}  // namespace

Result<ShareReport> share_model(const ShareOptions& options) {
  if (options.output.empty() || options.requests < 1 || options.requests > 1000000 ||
      options.fraction_bits < 8 || options.fraction_bits > 28) {
    return usage_error("expected a folder, 1 to 1000000 requests and 8 to 28 fraction bits");
  }
  EDGEWRIGHT_ASSIGN(const Model model, model_to_cut(options.model, options.shapes));
  EDGEWRIGHT_ASSIGN(const auto nodes, nodes_to_share(*model.graph, options.layers));
  EDGEWRIGHT_ASSIGN(const Folders folders, make_folders(options.output));
  EDGEWRIGHT_ASSIGN(const std::string sharing, sharing_name(options.model));
  SharedModel shared;
  shared.fraction_bits = options.fraction_bits;
  ShareReport report;
  EDGEWRIGHT_TRY(add_ports(model, shared));
  std::vector<std::string> known = shared.inputs, takes;
  std::vector<Dealt> dealt;
  for (const Node* node : nodes) {
    Dealt& layer = dealt.emplace_back();
    EDGEWRIGHT_ASSIGN(layer.layer, linear_layer(*node));
    EDGEWRIGHT_ASSIGN(layer.weights, share_weights(layer.layer, options.fraction_bits));
    SharedLayer facts =
        facts_of(layer.layer, fmt::format("{}-{}-", sharing, dealt.size()), options.fraction_bits);
    EDGEWRIGHT_ASSIGN(facts.stage, write_stage(model, known, takes, {facts.input}, folders.device,
                                               fmt::format("stage-{}.onnx", dealt.size())));
    EDGEWRIGHT_TRY(write_layer(layer, facts, folders, report));
    known.push_back(facts.output);
    takes.push_back(facts.output);
    shared.layers.push_back(std::move(facts));
  }
  EDGEWRIGHT_ASSIGN(shared.last_stage, write_stage(model, known, takes, shared.outputs,
                                                   folders.device, "stage-last.onnx"));
  EDGEWRIGHT_TRY(MaskFile::write(
      mask_file_path(folders.device), shared.result_sizes(), static_cast<size_t>(options.requests),
      [&](size_t layer) { return draw_mask(dealt[layer].layer, dealt[layer].weights.mask); }));
  EDGEWRIGHT_TRY(write_shared_model(shared, folders.device));
  report.files.push_back(mask_file_path(folders.device));
  report.files.push_back(shared_model_path(folders.device));
  report.requests = options.requests;
  report.fraction_bits = options.fraction_bits;
  return report;
}

}  // namespace edgewright
