#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "split/privacy/mask_file.h"

namespace edgewright {

// What a device keeps of a model whose linear layers two servers compute on shares
// (docs/formats/shared.md): everything but the weights of those layers.
struct SharedLayer {
  std::string name, input, output;        // values of the model
  std::string first_model, second_model;  // at the servers
  Dims input_dims, output_dims;
  size_t rows = 0, positions = 0;
  bool rows_last = false;
  double largest_value = 0;  // of the input
  std::vector<float> bias;
  std::string stage;  // file of what makes `input`; empty: it is there
};
struct SharedModel {
  int fraction_bits = 0;
  std::vector<std::string> inputs, outputs;
  std::vector<Dims> input_dims;
  std::vector<SharedLayer> layers;  // in the order in which they run
  std::string last_stage;           // what makes the outputs; empty: they are there
  std::vector<size_t> result_sizes() const;
};

Status write_shared_model(const SharedModel& model, const std::string& folder);
// kBadInput when the file is malformed.
Result<SharedModel> read_shared_model(const std::string& folder);
// Files of a device's folder.
std::string shared_model_path(const std::string& folder);
std::string mask_file_path(const std::string& folder);

}  // namespace edgewright
