#include "profile/time_model.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <random>

#include "base/json.h"
#include "device/roofs_file.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

constexpr std::string_view kSchema = "edgewright.times/8";
constexpr size_t kFewestSamples = 40;
constexpr int kTrees = 800, kDepth = 6;
constexpr size_t kSmallestLeaf = 4;
constexpr double kLearningRate = 0.03;
// Every tree sees half of the samples and every split a part of the features (Friedman 2002): the
// trees differ more, and their sum follows single odd samples less.
constexpr double kSampleShare = 0.5;
constexpr size_t kFeaturesTried = 10;
// Files of more trees than that were not made by this program.
constexpr size_t kMostTrees = 10000, kMostNodes = 1000;

double log2_of(double value) { return std::log2(std::max(1.0, value)); }

// How much of a block of lanes a size fills: 17 channels take two blocks of 16.
double filled(int64_t size, int64_t block) {
  const int64_t blocks = std::max<int64_t>(1, (size + block - 1) / block);
  return static_cast<double>(size) / static_cast<double>(blocks * block);
}

// What is computed on every result behind the sums: nothing, a comparison, or a function that takes
// some twenty operations, or twice as many.
double activation_cost(const Attributes& attributes) {
  const std::string name = attributes.get_string("activation", "");
  if (name.empty()) return 0;
  if (name == "Gelu") return 3;
  return name.starts_with("Relu") || name.starts_with("Clip") ? 1 : 2;
}

double element_count(const CountedOperand& operand) {
  double count = 1;
  for (const int64_t size : operand.dims.value_or(Dims{0})) count *= static_cast<double>(size);
  return count;
}

int64_t dim_from_end(const CountedOperand& operand, size_t back) {
  if (!operand.dims || operand.dims->size() <= back) return 1;
  return (*operand.dims)[operand.dims->size() - 1 - back];
}

// Positions in Features that are looked up again; see features_of().
constexpr size_t kLogMultiplyAdds = 4, kLogInner = 6, kLogColumns = 7, kLogRows = 9,
                 kActivationCost = 20, kInputs = 21, kComputeBytes = 25, kOutputBytes = 26,
                 kOutputs = 27, kLogOthers = 30;

bool is_of_bytes(const Features& features) { return features[kComputeBytes] == 1; }

// Microseconds of a convolution or product of bytes; 0 for other kinds. Vector instructions per
// result: 24 to scale, add, clamp, round and store it (measured over the sweep, as the others), 20
// for a residual, 35 for a second result in float, 120 for GELU and the like.
double byte_product_us(const Roofline& roofline, const Work& work, const Features& features) {
  const double products = roofline.peak_gop_s(DType::kInt8) * 1e3;
  const double lanes = roofline.peak_gop_s(DType::kFloat32) * 1e3;
  if (work.multiply_adds == 0 || products <= 0 || lanes <= 0) return 0;
  const auto whole = [&](size_t feature, double block) {
    return std::ceil(std::exp2(features[feature]) / block) * block;
  };
  const double rows = std::exp2(features[kLogRows]), columns = std::exp2(features[kLogColumns]);
  double per_result = 24;
  if (features[kInputs] > 4) per_result += 20;
  if (features[kOutputs] > 1) per_result += 35;
  if (features[kActivationCost] > 1) per_result += 120;
  if (features[kOutputBytes] > 1) per_result += 6;
  const double finish = rows * columns * per_result / lanes;
  // Depthwise sums have no matrix form: lanes do them, two instructions a product.
  if (work.kind == WorkKind::kDepthwise) {
    return 4 * std::exp2(features[kLogMultiplyAdds]) / lanes + finish;
  }
  const double tiles = whole(kLogRows, 16) * whole(kLogColumns, 16) * whole(kLogInner, 64);
  // Operands are brought into rows of whole tiles first: half an instruction a byte of 16 lanes.
  const double gather = rows * std::exp2(features[kLogInner]) * 1.4 / lanes;
  return 4 * tiles / products + finish + gather;
}

}  // namespace

Features features_of(const Operation& operation, const Work& work, const RunContext& context) {
  static const CountedOperand kNothing;
  const CountedOperand& in = operation.inputs.empty() ? kNothing : operation.inputs[0];
  const CountedOperand& out = operation.outputs.empty() ? kNothing : operation.outputs[0];
  const bool is_image = work.kind == WorkKind::kConvolution || work.kind == WorkKind::kDepthwise;
  const int64_t columns =
      is_image && out.dims && out.dims->size() > 1 ? (*out.dims)[1] : dim_from_end(out, 0);
  const int64_t out_width = dim_from_end(out, 0), out_height = dim_from_end(out, 1);
  const int64_t in_channels =
      is_image && in.dims && in.dims->size() > 1 ? (*in.dims)[1] : dim_from_end(in, 0);
  const double outputs = element_count(out);
  const double inner = outputs > 0 ? static_cast<double>(work.multiply_adds) / outputs : 0;
  int64_t kernel = 1, stride = 1;
  for (const int64_t size : operation.attributes->get_ints("kernel_shape")) kernel *= size;
  if (is_image && operation.inputs.size() > 1 && operation.inputs[1].dims &&
      operation.inputs[1].dims->size() > 2) {
    kernel = 1;
    for (size_t i = 2; i < operation.inputs[1].dims->size(); ++i) {
      kernel *= (*operation.inputs[1].dims)[i];
    }
  }
  for (const int64_t step : operation.attributes->get_ints("strides")) stride = step;
  const auto is = [&](WorkKind kind) { return work.kind == kind ? 1.0 : 0.0; };
  const auto given = std::ranges::count_if(operation.inputs, [](const CountedOperand& operand) {
    return operand.dtype != DType::kUndefined;
  });
  const auto rows =
      static_cast<int64_t>(outputs / std::max<double>(1, static_cast<double>(columns)));
  return {is(WorkKind::kConvolution),
          is(WorkKind::kDepthwise),
          is(WorkKind::kMatrix) + is(WorkKind::kVector),
          static_cast<double>(work.kind),
          log2_of(static_cast<double>(work.multiply_adds)),
          log2_of(static_cast<double>(work.flops)),
          log2_of(inner),
          log2_of(static_cast<double>(columns)),
          log2_of(static_cast<double>(in_channels)),
          log2_of(outputs / std::max<double>(1, static_cast<double>(columns))),
          static_cast<double>(kernel),
          static_cast<double>(stride),
          log2_of(static_cast<double>(work.weight_bytes)),
          log2_of(static_cast<double>(work.bytes_read)),
          log2_of(static_cast<double>(work.bytes_written)),
          filled(columns, 16),
          filled(in_channels, 16),
          filled(out_width, 6),
          log2_of(static_cast<double>(out_width)),
          log2_of(static_cast<double>(out_height)),
          activation_cost(*operation.attributes),
          static_cast<double>(given),
          outputs > 0 ? static_cast<double>(work.flops) / outputs / std::max(1.0, inner) : 0,
          filled(columns, 64),
          filled(rows, 6),
          static_cast<double>(dtype_bytes(work.compute_dtype, 1)),
          static_cast<double>(out.present() ? dtype_bytes(out.dtype, 1) : 0),
          static_cast<double>(std::ranges::count_if(operation.outputs, &CountedOperand::present)),
          filled(std::llround(inner), 64),
          filled(out_width, 4),
          std::log2(1 + context.others_bytes),
          context.is_generated ? 1.0 : 0.0};
}

namespace {

// The nearest level that holds so many bytes; the last one holds all.
size_t level_of(const Roofline& roofline, double size_bytes) {
  const auto& memory = roofline.roofs->memory;
  size_t level = 0;
  while (level + 1 < memory.size() && static_cast<double>(memory[level].size_bytes) < size_bytes) {
    ++level;
  }
  return level;
}

// What weights take longer to come from where the others have driven them.
double fetch_us(const Roofline& roofline, const Work& work, const Features& features) {
  if (roofline.roofs->memory.empty()) return 0;
  const auto own_bytes = static_cast<double>(work.bytes_read + work.bytes_written);
  const double others_bytes = std::exp2(features[kLogOthers]) - 1;
  const size_t near = level_of(roofline, own_bytes);
  const size_t far = level_of(roofline, own_bytes + others_bytes);
  const auto taken_us = [&](size_t level) {
    return static_cast<double>(work.weight_bytes) / (roofline.bandwidth_gb_s(level, false) * 1e3);
  };
  return far == near ? 0 : std::max(0.0, taken_us(far) - taken_us(near));
}

}  // namespace

double base_time_us(const Roofline& roofline, const Work& work, const Features& features) {
  const RoofTimes times = roof_times(roofline, work, {});
  const double memory = times.memory_us.empty() ? 0 : *std::ranges::max_element(times.memory_us);
  const double fixed = times.launch_us + times.sync_us + fetch_us(roofline, work, features);
  if (is_of_bytes(features)) {
    const double compute = byte_product_us(roofline, work, features);
    if (compute > 0) return std::max(0.01, fixed + compute + memory / 2);
  }
  return std::max(0.01, fixed + std::max(times.compute_us, memory));
}

double core_share(const Roofline& roofline, const Work& work, const Features& features) {
  const auto& memory = roofline.roofs->memory;
  const RoofTimes times = roof_times(roofline, work, {});
  double waiting_us = fetch_us(roofline, work, features);
  const double others_bytes = std::exp2(features[kLogOthers]) - 1;
  const auto own_bytes = static_cast<double>(work.bytes_read + work.bytes_written);
  if (memory.empty() || !memory[level_of(roofline, own_bytes + others_bytes)].is_shared) return 1;
  for (size_t i = 0; i < memory.size(); ++i) {
    if (memory[i].is_shared) waiting_us = std::max(waiting_us, times.memory_us[i]);
  }
  return std::clamp(1 - waiting_us / base_time_us(roofline, work, features), 0.0, 1.0);
}

// Grows one tree on residuals; splits are exact, over sorted values of each feature.
class TreeGrower {
 public:
  TreeGrower(std::span<const TimeSample> samples, std::span<const double> residuals,
             std::mt19937& random)
      : samples_(samples), residuals_(residuals), random_(random) {}

  TimeModel::Tree grow() {
    std::vector<size_t> seen(samples_.size());
    std::iota(seen.begin(), seen.end(), size_t{0});
    draw(seen, static_cast<size_t>(kSampleShare * static_cast<double>(seen.size())));
    add(std::move(seen), 0);
    return std::move(tree_);
  }

 private:
  struct Split {
    int feature = -1;
    double threshold = 0, gain = 0;
  };

  // Keeps `count` of the items, each as likely as the others.
  void draw(std::vector<size_t>& items, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::swap(items[i], items[i + random_() % (items.size() - i)]);
    }
    items.resize(count);
  }

  double mean(const std::vector<size_t>& items) const {
    double sum = 0;
    for (const size_t item : items) sum += residuals_[item];
    return sum / static_cast<double>(items.size());
  }

  void try_feature(size_t feature, std::vector<size_t>& items, double total, Split& best) const {
    const auto key = [&](size_t item) { return samples_[item].features[feature]; };
    std::ranges::stable_sort(items, {}, key);
    const auto count = static_cast<double>(items.size());
    double left = 0;
    for (size_t i = 0; i + kSmallestLeaf < items.size(); ++i) {
      left += residuals_[items[i]];
      const double here = key(items[i]), next = key(items[i + 1]);
      if (i + 1 < kSmallestLeaf || here == next) continue;
      const auto n = static_cast<double>(i + 1);
      const double right = total - left;
      const double gain = left * left / n + right * right / (count - n) - total * total / count;
      // Between two neighbouring numbers there is no middle: both sides would fall on one.
      const double middle = (here + next) / 2;
      if (gain > best.gain) {
        best = {static_cast<int>(feature), middle > here ? middle : next, gain};
      }
    }
  }

  int add(std::vector<size_t> items, int depth) {
    const auto index = static_cast<int>(tree_.size());
    tree_.emplace_back();
    Split best;
    if (depth < kDepth && items.size() >= 2 * kSmallestLeaf) {
      const double total = mean(items) * static_cast<double>(items.size());
      std::vector<size_t> tried(kFeatures);
      std::iota(tried.begin(), tried.end(), size_t{0});
      draw(tried, kFeaturesTried);
      for (const size_t feature : tried) {
        try_feature(feature, items, total, best);
      }
    }
    if (best.feature < 0 || best.gain <= 1e-12) {
      tree_[static_cast<size_t>(index)].threshold = mean(items);
      return index;
    }
    std::ranges::sort(items);
    std::vector<size_t> left, right;
    for (const size_t item : items) {
      const bool below =
          samples_[item].features[static_cast<size_t>(best.feature)] < best.threshold;
      (below ? left : right).push_back(item);
    }
    const int left_index = add(std::move(left), depth + 1);
    const int right_index = add(std::move(right), depth + 1);
    tree_[static_cast<size_t>(index)] = {best.feature, best.threshold, left_index, right_index};
    return index;
  }

  std::span<const TimeSample> samples_;
  std::span<const double> residuals_;
  std::mt19937& random_;
  TimeModel::Tree tree_;
};

double TimeModel::value(const Tree& tree, const Features& features) {
  size_t at = 0;
  while (tree[at].feature >= 0) {
    const bool below = features[static_cast<size_t>(tree[at].feature)] < tree[at].threshold;
    at = static_cast<size_t>(below ? tree[at].left : tree[at].right);
  }
  return tree[at].threshold;
}

TimeModel::Forest TimeModel::grow(std::span<const TimeSample> samples) {
  Forest forest;
  std::vector<double> residuals;
  residuals.reserve(samples.size());
  for (const TimeSample& sample : samples) {
    residuals.push_back(std::log(sample.time_us / sample.base_us));
    forest.kinds |= uint64_t{1} << static_cast<unsigned>(sample.kind);
  }
  forest.offset = std::accumulate(residuals.begin(), residuals.end(), 0.0) /
                  static_cast<double>(residuals.size());
  for (double& residual : residuals) residual -= forest.offset;
  std::mt19937 random(1);
  for (int i = 0; i < kTrees; ++i) {
    Tree tree = TreeGrower(samples, residuals, random).grow();
    for (Node& node : tree) {
      if (node.feature < 0) node.threshold *= kLearningRate;
    }
    for (size_t s = 0; s < samples.size(); ++s) residuals[s] -= value(tree, samples[s].features);
    forest.trees.push_back(std::move(tree));
  }
  return forest;
}

Result<TimeModel> TimeModel::fit(std::span<const TimeSample> samples, Roofs roofs, double pace_us) {
  if (samples.size() < kFewestSamples) {
    return usage_error("found {} timed layers, expected at least {} to fit a model", samples.size(),
                       kFewestSamples);
  }
  TimeModel model;
  model.roofs_ = std::move(roofs);
  model.pace_us_ = pace_us;
  for (const bool of_bytes : {false, true}) {
    std::vector<TimeSample> group;
    std::ranges::copy_if(samples, std::back_inserter(group), [&](const TimeSample& sample) {
      return is_of_bytes(sample.features) == of_bytes;
    });
    if (group.size() >= kFewestSamples / 2) model.forests_[of_bytes ? 1 : 0] = grow(group);
  }
  return model;
}

bool TimeModel::knows(WorkKind kind, const Features& features) const {
  const uint64_t kinds = forests_[is_of_bytes(features) ? 1 : 0].kinds;
  return (kinds >> static_cast<unsigned>(kind) & 1U) != 0;
}

double TimeModel::predict_us(const Features& features, double base_us) const {
  const Forest& forest = forests_[is_of_bytes(features) ? 1 : 0];
  double logarithm = forest.offset;
  for (const Tree& tree : forest.trees) logarithm += value(tree, features);
  return base_us * std::exp(logarithm);
}

std::string TimeModel::to_json() const {
  Json json = {{"schema", kSchema},
               {"roofs", Json::parse(roofs_to_json(roofs_))},
               {"pace_us", pace_us_},
               {"forests", Json::array()}};
  for (const Forest& forest : forests_) {
    Json trees = Json::array();
    for (const Tree& tree : forest.trees) {
      Json nodes = Json::array();
      for (const Node& node : tree) {
        nodes.push_back({node.feature, node.threshold, node.left, node.right});
      }
      trees.push_back(std::move(nodes));
    }
    json["forests"].push_back(
        {{"offset", forest.offset}, {"kinds", forest.kinds}, {"trees", std::move(trees)}});
  }
  return json.dump() + "\n";
}

// One tree; empty when it does not hold together. Children stand behind their parent, so that every
// walk ends.
TimeModel::Tree TimeModel::read_tree(const Json& nodes) {
  Tree tree;
  if (nodes.size() > kMostNodes) return tree;
  for (const Json& node : nodes) {
    tree.push_back({node.at(0).get<int>(), node.at(1).get<double>(), node.at(2).get<int>(),
                    node.at(3).get<int>()});
  }
  const auto size = static_cast<int>(tree.size());
  for (int i = 0; i < size; ++i) {
    const Node& node = tree[static_cast<size_t>(i)];
    const bool ends = node.left > i && node.right > i && node.left < size && node.right < size;
    if (node.feature >= static_cast<int>(kFeatures) || (node.feature >= 0 && !ends)) return {};
  }
  return tree;
}

Result<TimeModel> TimeModel::parse(std::string_view text, std::string_view file) {
  const Json json = Json::parse(text, nullptr, false);
  const auto refuse = [&](std::string_view what) {
    return bad_input("{}: {}; make it anew with device probe --layers", file, what);
  };
  if (json.is_discarded() || !json.is_object() || json.value("schema", "") != kSchema) {
    return refuse("no model of layer times");
  }
  TimeModel model;
  try {
    EDGEWRIGHT_ASSIGN(model.roofs_, parse_roofs_json(json.at("roofs").dump(), file));
    model.pace_us_ = json.at("pace_us").get<double>();
    if (!std::isfinite(model.pace_us_) || model.pace_us_ <= 0) return refuse("no positive pace");
    for (size_t f = 0; f < model.forests_.size(); ++f) {
      const Json& read = json.at("forests").at(f);
      Forest& forest = model.forests_[f];
      forest.offset = read.at("offset").get<double>();
      forest.kinds = read.at("kinds").get<uint64_t>();
      if (read.at("trees").size() > kMostTrees) return refuse("too many trees");
      for (const Json& nodes : read.at("trees")) {
        forest.trees.push_back(read_tree(nodes));
        if (forest.trees.back().empty()) return refuse("a tree that does not hold together");
      }
    }
  } catch (const Json::exception& error) {
    return refuse(error.what());
  }
  return model;
}

TimeErrors errors_of(const TimeModel& model, std::span<const TimeSample> samples) {
  std::vector<double> errors;
  errors.reserve(samples.size());
  for (const TimeSample& sample : samples) {
    errors.push_back(
        std::abs(model.predict_us(sample.features, sample.base_us) / sample.time_us - 1));
  }
  return {quantile(errors, 0.5), quantile(errors, 0.9), samples.size()};
}

}  // namespace edgewright
