#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/ncnn/ncnn.h"
#include "graph/operator_rows.h"

namespace edgewright::ncnn_format {

// Parameters by number, as they stand in the file: "3", "1.000000e+00", "2,0,1" for arrays.
class Parameters {
 public:
  Parameters& integer(int id, int64_t value);
  Parameters& number(int id, double value);  // ncnn tells numbers with a fraction by their text
  Parameters& array(int id, const std::vector<int64_t>& values);
  std::string text() const;

 private:
  std::map<int, std::string> entries_;
};

struct Layer {
  std::string type, name;
  std::vector<std::string> bottoms, tops;
  Parameters parameters;
};

// The whole network: the two files' contents.
struct Files {
  std::string parameters, weights;
};

// Which axis of a value ncnn does not see: the first of length 1, where more than one axis is left;
// -1: none.
int dropped_axis(const Dims& dims);
// The dimensions of a value's blob, outermost first.
Dims blob_dims(const Dims& dims);
// The dimensions without one axis (-1: with all).
Dims without(const Dims& dims, int axis);
// The number of an axis among those that are left.
int64_t axis_without(int64_t axis, int dropped);

// Writes the layers of a graph in order. Every value has a blob of blob_dims(); what a layer wants
// or makes in another shape goes through Reshape.
class Emitter {
 public:
  explicit Emitter(const NcnnOptions& options) : options_(options) {}
  Result<Files> run(const Graph& graph);

  // The blob of input i of the node; with `dims`, of these dimensions.
  std::string input(const Node& node, size_t i);
  std::string input_as(const Node& node, size_t i, const Dims& dims);
  // Appends a layer with one top of these dimensions; returns the blob.
  std::string add(const Node& node, std::string_view type, std::vector<std::string> bottoms,
                  Parameters parameters);
  // The same for the node's output 0, where the layer makes a blob of `dims`.
  void finish(const Node& node, std::string_view type, std::vector<std::string> bottoms,
              Parameters parameters, const Dims& dims);
  // A layer that makes all outputs of the node, each a blob of `dims`.
  void finish_all(const Node& node, std::string_view type, std::vector<std::string> bottoms,
                  Parameters parameters, const std::vector<Dims>& dims);
  // Output 0 of the node is this blob of `dims`.
  void give(const Node& node, const std::string& blob, const Dims& dims);

  // Output 0 of the node is the blob of this value, which has the same shape.
  void give_as(const Node& node, const Value* value) { blobs_[node.outputs[0]] = blobs_.at(value); }

  // Weights of the layer that is added next, in the order of ncnn's loader.
  void weights(std::span<const float> values);  // may be stored in half
  void raw_weights(std::span<const float> values);
  void byte_weights(std::span<const int8_t> values);

 private:
  std::string fresh(std::string_view name);
  std::string reshape(std::string_view name, const std::string& blob, const Dims& dims);
  std::string memory(const Tensor& tensor, std::string_view name, const Dims& dims);
  Status add_inputs(const Graph& graph);
  void add_outputs(const Graph& graph);
  std::string rename(const std::string& blob);
  void split_shared_blobs();
  Files assemble() const;

  NcnnOptions options_;
  std::vector<Layer> layers_;
  std::string weights_;
  std::set<std::string, std::less<>> names_;
  std::map<const Value*, std::string> blobs_;
};

using EmitRow = OperatorRow<Emitter>;

// One table per family, each in the file of its name.
std::span<const EmitRow> element_rows();
std::span<const EmitRow> movement_rows();
std::span<const EmitRow> product_rows();
std::span<const EmitRow> quantization_rows();
std::span<const EmitRow> reduction_rows();
std::span<const EmitRow> window_rows();

// Null when the writer has no form for the node.
const EmitRow* find_row(const Node& node);

std::vector<float> floats_of(const Tensor& tensor);  // of a float32 tensor
int64_t product(const Dims& dims);

}  // namespace edgewright::ncnn_format
