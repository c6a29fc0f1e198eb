#include <charconv>
#include <cmath>
#include <map>

#include "split/work.h"

namespace edgewright {
namespace {

using Sizes = std::map<std::string, double, std::less<>>;

Result<Sizes> parse_shape(std::string_view text) {
  Sizes shape = {{"layers", 0}, {"width", 0},  {"tokens", 0},     {"ffn", 0},
                 {"heads", 1},  {"patch", 16}, {"classes", 1000}, {"channels", 3}};
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    const auto known = shape.find(item.substr(0, equals));
    int64_t number = 0;
    const std::string_view digits =
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    // Figures beyond this make no model that anybody has.
    if (known == shape.end() || code != std::errc() || end != digits.data() + digits.size() ||
        number < 1 || number > 1000000) {
      return usage_error(
          "found '{}' in the shape of a transformer, expected "
          "layers=N,width=N,tokens=N[,ffn=N][,patch=N][,classes=N][,channels=N]",
          item);
    }
    known->second = static_cast<double>(number);
  }
  for (const char* name : {"layers", "width", "tokens"}) {
    if (shape[name] == 0) return usage_error("the shape of a transformer needs {}=N", name);
  }
  if (shape["layers"] > 10000)
    return usage_error("found {} layers, expected at most 10000", shape["layers"]);
  if (shape["ffn"] == 0) shape["ffn"] = 4 * shape["width"];
  return shape;
}

constexpr double kBytes = 4;  // of a float32

void add_layer(SplitWork& work, const std::string& name, double multiply_adds, double weights,
               double in_bytes, double out_elements) {
  const size_t index = work.layers.size();
  LayerWork layer{name, 2 * multiply_adds, 0, kBytes * weights, 0};
  layer.moved_bytes = layer.weight_bytes + in_bytes + kBytes * out_elements;
  work.tensors.back().consumers = {index};
  work.tensors.push_back({name, index, {}, kBytes * out_elements});
  work.layers.push_back(std::move(layer));
}

}  // namespace

Result<SplitWork> transformer_work(std::string_view text) {
  EDGEWRIGHT_ASSIGN(Sizes shape, parse_shape(text));
  const double layers = shape["layers"], width = shape["width"], tokens = shape["tokens"];
  const double ffn = shape["ffn"],
               patch_elements = shape["channels"] * shape["patch"] * shape["patch"];
  const double patches = std::max(1.0, tokens - 1);
  SplitWork work;
  const double input_bytes = kBytes * patches * patch_elements;
  work.layers.push_back({"input"});
  work.tensors.push_back({"input", 0, {}, input_bytes});
  const double tokens_bytes = kBytes * tokens * width;
  add_layer(work, "embedding", patches * patch_elements * width,
            patch_elements * width + tokens * width, input_bytes, tokens * width);
  for (int block = 0; block < static_cast<int>(layers); ++block) {
    // Four projections, two products of attention, two products of the feed-forward part.
    const double multiply_adds =
        4 * tokens * width * width + 2 * tokens * tokens * width + 2 * tokens * width * ffn;
    add_layer(work, fmt::format("block{}", block), multiply_adds,
              4 * width * width + 2 * width * ffn + 9 * width + ffn, tokens_bytes, tokens * width);
  }
  add_layer(work, "head", width * shape["classes"], width * shape["classes"], tokens_bytes,
            shape["classes"]);
  work.layers.back().result_bytes = work.tensors.back().size_bytes;
  work.tensors.pop_back();
  double flops = 0;
  for (const LayerWork& layer : work.layers) flops += layer.flops;
  work.assumptions.push_back(fmt::format(
      "transformer: {:g} blocks, width {:g}, {:g} tokens, feed-forward {:g}, float32: {:.4g} GFLOP "
      "(a multiply-add is two), {:g} bytes between blocks",
      layers, width, tokens, ffn, flops / 1e9, tokens_bytes));
  return work;
}

}  // namespace edgewright
