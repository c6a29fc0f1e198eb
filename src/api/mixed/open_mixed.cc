#include "api/mixed/open_mixed.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "api/engine.h"
#include "api/export_formats.h"
#include "api/median_time.h"
#include "api/mixed/blocks.h"
#include "api/mixed/mixed_session.h"
#include "api/openvino_backend.h"
#include "api/session_inputs.h"
#include "formats/onnx/type_inference.h"
#include "split/halves.h"
#include "targets/placement.h"

namespace edgewright {
namespace {

constexpr size_t kMostBlocks = 10;
constexpr double kBlockBudgetUs = 20000, kWholeBudgetUs = 100000;
// A mix must beat the best single backend by so much, or it is not worth its second engine.
constexpr double kWorthwhile = 0.97;
constexpr double kImpossible = PlacementProblem::kImpossible;

enum Engine : uint8_t { kNative, kReference, kOpenvino };
constexpr std::array<std::string_view, 3> kEngines = {"native", "reference", "openvino"};
constexpr Engine kAllEngines[] = {kNative, kReference, kOpenvino};

struct Segment {
  Engine engine;
  Block block;
};

// "mixed:native,openvino" as engines, one a segment; none for "mixed".
Result<std::vector<Engine>> wanted_engines(std::string_view backend) {
  std::vector<Engine> engines;
  std::string_view rest = backend.substr(std::min(backend.size(), kMixedPrefix.size()));
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest = name.size() == rest.size() ? "" : rest.substr(name.size() + 1);
    const auto* it = std::ranges::find(kEngines, name);
    if (it == kEngines.end()) {
      return usage_error("found '{}' in --backend {}, expected engines out of {}", name, backend,
                         fmt::join(kEngines, ", "));
    }
    engines.push_back(static_cast<Engine>(it - kEngines.begin()));
  }
  return engines;
}

Result<double> time_of(BackendSession& session, std::span<const Datum> inputs, double budget_us) {
  return median_us([&] { return session.run(inputs, nullptr); }, budget_us);
}

class MixPlanner {
 public:
  MixPlanner(std::unique_ptr<Graph> graph, const InferenceOptions& options)
      : original_(std::move(graph)), options_(options) {}

  Result<OpenedModel> run() {
    EDGEWRIGHT_ASSIGN(const auto engines, wanted_engines(options_.backend));
    EDGEWRIGHT_TRY(prepare(std::max(kMostBlocks, engines.size())));
    EDGEWRIGHT_TRY(time_wholes());
    if (!engines.empty()) return open_wanted(engines);
    EDGEWRIGHT_ASSIGN(const Engine best, best_whole());
    if (library_ != nullptr || blocks_.size() > 1) {
      auto mixed = try_mix(best);
      // A mix that cannot be made is no loss: one backend runs the whole.
      if (mixed.ok() && mixed->session != nullptr) return mixed;
      if (!mixed.ok()) report_.notes.push_back("no mix: " + mixed.error().message);
    }
    // Opened anew, as if there had been no others: their memory is given back first.
    wholes_ = {};
    EDGEWRIGHT_ASSIGN(OpenedModel chosen,
                      open(best == kOpenvino ? *model_.graph : *original_, best));
    report_.segments = {{std::string(kEngines[best]), node_label(*model_.graph, 0),
                         node_label(*model_.graph, model_.graph->nodes().size() - 1),
                         std::ssize(model_.graph->nodes()), whole_us_[best]}};
    report_.predicted_us = whole_us_[best];
    chosen.mix = std::move(report_);
    return chosen;
  }

 private:
  Status prepare(size_t most_blocks) {
    std::vector<std::string> warnings;
    EDGEWRIGHT_TRY(close_shapes(*original_, warnings));
    report_.notes = std::move(warnings);
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(*original_));
    model_.graph = clone(*original_);
    EDGEWRIGHT_TRY(prepare_for_openvino(model_, options_.optimise));
    if (model_.graph->nodes().empty()) return unsupported("the model has no nodes to place");
    const auto inputs = ports_of(model_.graph->inputs());
    EDGEWRIGHT_ASSIGN(inputs_, session_inputs(inputs, {}, options_.shapes, 0));
    blocks_ = blocks_of(*model_.graph, most_blocks);
    auto library = openvino_library(options_.openvino_library);
    if (library.ok()) {
      library_ = *std::move(library);
    } else if (library.error().kind == ErrorKind::kUnsupported) {
      report_.notes.push_back(library.error().message);
    } else {
      return library.error();
    }
    return {};
  }

  Result<OpenedModel> open(const Graph& graph, Engine engine) const {
    if (engine != kOpenvino) {
      InferenceOptions options = options_;
      options.backend = kEngines[engine];
      options.shapes.clear();
      return open_backend(clone(graph), options);
    }
    OpenedModel opened;
    EDGEWRIGHT_ASSIGN(opened.session, open_in_openvino(graph, library_, options_.threads));
    return opened;
  }

  Status time_wholes() {
    for (const Engine engine : kAllEngines) {
      if (engine == kOpenvino && library_ == nullptr) continue;
      auto opened = open(engine == kOpenvino ? *model_.graph : *original_, engine);
      if (opened.ok()) {
        auto time = time_of(*opened->session, inputs_, kWholeBudgetUs);
        if (time.ok()) {
          whole_us_[engine] = *time;
          report_.alone_us[std::string(kEngines[engine])] = *time;
          wholes_[engine] = *std::move(opened);
          continue;
        }
        opened = time.error();
      }
      report_.notes.push_back(
          fmt::format("{} cannot run the whole: {}", kEngines[engine], opened.error().message));
    }
    if (std::ranges::all_of(whole_us_, [](double us) { return us == kImpossible; })) {
      return unsupported("no backend runs the model: {}", fmt::join(report_.notes, "; "));
    }
    return {};
  }

  // The quickest; one that is about as quick has another chance, in turns.
  Result<Engine> best_whole() {
    constexpr double kAboutAsQuick = 1.1;
    Engine best = kNative;
    for (const Engine engine : kAllEngines) {
      const bool is_better = whole_us_[best] == kImpossible || whole_us_[engine] < whole_us_[best];
      if (whole_us_[engine] != kImpossible && is_better) best = engine;
    }
    const double limit_us = whole_us_[best] * kAboutAsQuick;
    for (const Engine engine : kAllEngines) {
      if (engine == best || whole_us_[engine] == kImpossible || whole_us_[engine] > limit_us) {
        continue;
      }
      EDGEWRIGHT_ASSIGN(const bool wins,
                        holds_its_promise(*wholes_[engine].session, *wholes_[best].session));
      if (wins) best = engine;
    }
    return best;
  }

  // The blocks' times in every engine, all on what the native engine makes of the blocks before.
  Result<std::vector<std::array<double, 3>>> time_blocks() {
    std::vector<Segment> native;
    native.reserve(blocks_.size());
    for (const Block& block : blocks_) native.push_back({kNative, block});
    EDGEWRIGHT_ASSIGN(const auto chain, open_segments(native));
    EDGEWRIGHT_TRY(chain->run(inputs_, nullptr));
    std::vector<std::array<double, 3>> times(blocks_.size(),
                                             {kImpossible, kImpossible, kImpossible});
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const std::vector<Datum> inputs = chain->part_inputs(i);
      EDGEWRIGHT_ASSIGN(times[i][kNative], time_of(chain->part(i), inputs, kBlockBudgetUs));
      for (const Engine engine : {kReference, kOpenvino}) {
        if (engine == kOpenvino && library_ == nullptr) continue;
        auto opened = open_segment({engine, blocks_[i]});
        if (!opened.ok()) continue;
        const auto in_order = reordered(chain->part(i), *opened->session, inputs);
        const auto time = time_of(*opened->session, in_order, kBlockBudgetUs);
        if (time.ok()) times[i][engine] = *time;
      }
    }
    return times;
  }

  // The same inputs in the order in which another engine asks for them.
  static std::vector<Datum> reordered(const BackendSession& from, const BackendSession& to,
                                      const std::vector<Datum>& inputs) {
    std::vector<Datum> result;
    for (const Session::Port& port : to.inputs()) {
      const auto it = std::ranges::find(from.inputs(), port.name, &Session::Port::name);
      if (it != from.inputs().end()) {
        result.push_back(inputs[static_cast<size_t>(it - from.inputs().begin())]);
      }
    }
    return result;
  }

  Result<OpenedModel> open_segment(const Segment& segment) const {
    const BlockPorts part_ports = ports_of(*model_.graph, segment.block);
    Model part = model_part(model_, part_ports.takes, part_ports.gives);
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(*part.graph));
    return open(*part.graph, segment.engine);
  }

  Result<std::unique_ptr<MixedSession>> open_segments(const std::vector<Segment>& segments) const {
    std::vector<OpenedModel> parts;
    for (const Segment& segment : segments) {
      EDGEWRIGHT_ASSIGN(OpenedModel part, open_segment(segment));
      parts.push_back(std::move(part));
    }
    return MixedSession::create(ports_of(model_.graph->inputs()), ports_of(model_.graph->outputs()),
                                std::move(parts));
  }

  // What a joint saves in an engine: its blocks' times less the whole's, shared out.
  double joint_us(const std::vector<std::array<double, 3>>& times, Engine engine) const {
    double sum_us = 0;
    for (const auto& block : times) {
      if (block[engine] == kImpossible) return 0;
      sum_us += block[engine];
    }
    if (whole_us_[engine] == kImpossible || times.size() < 2) return 0;
    return std::max(0.0, sum_us - whole_us_[engine]) / static_cast<double>(times.size() - 1);
  }

  // Which engine runs which block: a placement on two sides. With a joint saving `s` on the one
  // side and `h` on the other, a crossing costs (s + h) / 2 and a block beside a joint is cheaper
  // by as much of the difference.
  std::vector<Engine> choose(const std::vector<std::array<double, 3>>& times) const {
    const double host_joint_us = joint_us(times, kNative);
    const double other_joint_us = joint_us(times, kOpenvino);
    PlacementProblem problem;
    std::vector<Engine> on_host;
    for (size_t i = 0; i < times.size(); ++i) {
      const bool is_reference =
          times[i][kReference] != kImpossible && times[i][kReference] < times[i][kNative];
      on_host.push_back(is_reference ? kReference : kNative);
      const int joints = (i > 0 ? 1 : 0) + (i + 1 < times.size() ? 1 : 0);
      const double shift_us = (other_joint_us - host_joint_us) / 2 * joints;
      const double floor_us = std::max(0.0, -shift_us);
      PlacementProblem::Node node{kImpossible, times[i][on_host[i]] + shift_us + floor_us};
      if (times[i][kOpenvino] != kImpossible) node.accelerator_us = times[i][kOpenvino] + floor_us;
      problem.nodes.push_back(node);
      if (i + 1 < times.size()) {
        problem.tensors.push_back({i, {i + 1}, (host_joint_us + other_joint_us) / 2, 0});
      }
    }
    const PlacementResult placed = place(problem);
    std::vector<Engine> engines;
    engines.reserve(times.size());
    for (size_t i = 0; i < times.size(); ++i) {
      engines.push_back(placed.on_cpu[i] ? on_host[i] : kOpenvino);
    }
    return engines;
  }

  std::vector<Segment> join(const std::vector<Engine>& engines) const {
    std::vector<Segment> segments;
    for (size_t i = 0; i < engines.size(); ++i) {
      if (!segments.empty() && segments.back().engine == engines[i]) {
        segments.back().block.end = blocks_[i].end;
      } else {
        segments.push_back({engines[i], blocks_[i]});
      }
    }
    return segments;
  }

  // Segments that are open, how long each takes in its place, and all together.
  struct Mix {
    std::unique_ptr<MixedSession> session;
    std::vector<MixSegment> parts;
    double predicted_us = 0;
  };
  Result<Mix> open_mix(const std::vector<Segment>& segments) const {
    Mix mix;
    EDGEWRIGHT_ASSIGN(mix.session, open_segments(segments));
    EDGEWRIGHT_ASSIGN(const auto times_us, mix.session->time_parts(inputs_, kWholeBudgetUs));
    for (size_t i = 0; i < segments.size(); ++i) {
      mix.predicted_us += times_us[i];
      const Block& block = segments[i].block;
      mix.parts.push_back({std::string(kEngines[segments[i].engine]),
                           node_label(*model_.graph, block.first),
                           node_label(*model_.graph, block.end - 1),
                           static_cast<int64_t>(block.end - block.first), times_us[i]});
    }
    return mix;
  }

  OpenedModel opened_with(Mix mix) {
    report_.transitions = std::ssize(mix.parts) - 1;
    report_.bytes_moved = mix.session->bytes_moved();
    report_.segments = std::move(mix.parts);
    report_.predicted_us = mix.predicted_us;
    OpenedModel opened;
    opened.session = std::move(mix.session);
    opened.mix = std::move(report_);
    return opened;
  }

  // The engines that the user asks for, one a segment, each of about as many blocks.
  Result<OpenedModel> open_wanted(const std::vector<Engine>& engines) {
    if (engines.size() > blocks_.size()) {
      return usage_error("found {} engines in --backend {}, the graph can be cut into {} segments",
                         engines.size(), options_.backend, blocks_.size());
    }
    const bool asks_openvino = std::ranges::find(engines, kOpenvino) != engines.end();
    if (asks_openvino && library_ == nullptr) {
      return unsupported("{}", fmt::join(report_.notes, "; "));
    }
    wholes_ = {};  // their memory is given back first
    std::vector<Segment> segments;
    for (size_t i = 0; i < engines.size(); ++i) {
      const size_t first = i * blocks_.size() / engines.size();
      const size_t last = (i + 1) * blocks_.size() / engines.size() - 1;
      segments.push_back({engines[i], {blocks_[first].first, blocks_[last].end}});
    }
    EDGEWRIGHT_ASSIGN(Mix mix, open_mix(segments));
    return opened_with(std::move(mix));
  }

  // The mix, or a model without a session where one backend alone is as good.
  Result<OpenedModel> try_mix(Engine best) {
    EDGEWRIGHT_ASSIGN(const auto times, time_blocks());
    const std::vector<Segment> segments = join(choose(times));
    if (segments.size() < 2) return OpenedModel();
    EDGEWRIGHT_ASSIGN(Mix mix, open_mix(segments));
    const double best_us = whole_us_[best];
    if (mix.predicted_us > kWorthwhile * best_us) {
      report_.notes.push_back(
          fmt::format("a mix of {} segments would take {:.1f} us, {} alone {:.1f}", segments.size(),
                      mix.predicted_us, kEngines[best], best_us));
      return OpenedModel();
    }
    EDGEWRIGHT_ASSIGN(const bool holds, holds_its_promise(*mix.session, *wholes_[best].session));
    if (!holds) {
      report_.notes.push_back("a mix was predicted quicker and was not, side by side");
      return OpenedModel();
    }
    return opened_with(std::move(mix));
  }

  // Both run in turns, so that whatever else the machine does meets both.
  Result<bool> holds_its_promise(BackendSession& mix, BackendSession& single) {
    constexpr int kRounds = 5;
    int won = 0;
    for (int round = 0; round < kRounds; ++round) {
      EDGEWRIGHT_ASSIGN(const double mix_us, time_of(mix, inputs_, kBlockBudgetUs));
      EDGEWRIGHT_ASSIGN(const double single_us, time_of(single, inputs_, kBlockBudgetUs));
      won += mix_us < single_us ? 1 : 0;
    }
    return won > kRounds / 2;
  }

  std::unique_ptr<Graph> original_;
  const InferenceOptions& options_;
  Model model_;  // optimised, in the operators of the standard
  std::vector<Block> blocks_;
  std::vector<Datum> inputs_;
  std::shared_ptr<const OpenvinoLibrary> library_;  // null: there is none
  std::array<double, 3> whole_us_ = {kImpossible, kImpossible, kImpossible};
  std::array<OpenedModel, 3> wholes_;
  MixReport report_;
};

}  // namespace

Result<OpenedModel> open_mixed(std::unique_ptr<Graph> graph, const InferenceOptions& options) {
  return MixPlanner(std::move(graph), options).run();
}

}  // namespace edgewright
