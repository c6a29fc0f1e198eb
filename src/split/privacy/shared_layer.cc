#include "split/privacy/shared_layer.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

// matrix times the elements that stand at the layer's places.
Ring product_of(const LinearLayer& layer, const Ring& matrix, const Ring& values) {
  const size_t positions = layer.positions;
  Ring gathered(layer.columns * positions), result(layer.rows * positions, 0);
  for (size_t i = 0; i < gathered.size(); ++i) {
    const auto place = static_cast<size_t>(layer.places[i]);
    gathered[i] = place < values.size() ? values[place] : 0;
  }
  for (size_t row = 0; row < layer.rows; ++row) {
    uint64_t* sums = &result[row * positions];
    for (size_t column = 0; column < layer.columns; ++column) {
      const uint64_t factor = matrix[row * layer.columns + column];
      const uint64_t* terms = &gathered[column * positions];
      for (size_t position = 0; position < positions; ++position) {
        sums[position] += factor * terms[position];
      }
    }
  }
  return result;
}

double largest_row_sum(const LinearLayer& layer) {
  double largest = 0;
  for (size_t row = 0; row < layer.rows; ++row) {
    double sum = 0;
    for (size_t column = 0; column < layer.columns; ++column) {
      sum += std::fabs(static_cast<double>(layer.weights[row * layer.columns + column]));
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

// What a key stands for, in the order in which it is drawn.
struct KeyedNumbers {
  KeyedNumbers(const SealKey& key, size_t input_size, size_t result_size) {
    Ring all(2 * input_size + result_size);
    keyed_words(key, all);
    const auto middle = all.begin() + std::ptrdiff_t(input_size);
    const auto end = middle + std::ptrdiff_t(input_size);
    first_mask.assign(all.begin(), middle);
    second_mask.assign(middle, end);
    first_product.assign(end, all.end());
  }
  Ring first_mask, second_mask, first_product;
};

Tensor ring_tensor(Dims dims, const Ring& values) {
  return Tensor::of<uint64_t>(std::move(dims), values);
}

}  // namespace

Result<WeightShares> share_weights(const LinearLayer& layer, int fraction_bits) {
  if (largest_value(layer, fraction_bits) < 1) {
    return unsupported(
        "{}: with {} fraction bits its sums overflow for inputs of {:.3g}; take "
        "fewer",
        layer.name, fraction_bits, largest_value(layer, fraction_bits));
  }
  WeightShares shares;
  shares.first.resize(layer.weights.size());
  shares.second.resize(layer.weights.size());
  secure_words(shares.first);
  secure_words(shares.second);
  shares.mask = reveal(shares.first, shares.second);
  shares.opened = difference(to_ring(layer.weights, fraction_bits), shares.mask);
  return shares;
}

Model server_share(const LinearLayer& layer, const WeightShares& weights, bool is_first) {
  const auto rows = static_cast<int64_t>(layer.rows), columns = static_cast<int64_t>(layer.columns);
  const auto positions = static_cast<int64_t>(layer.positions);
  const auto size = static_cast<int64_t>(layer.input_size());
  // [D | A_i (+ D) | 1]: sums as one product, since servers add few integer types but multiply all.
  Ring matrix;
  for (size_t row = 0; row < layer.rows; ++row) {
    const auto begin = std::ptrdiff_t(row * layer.columns);
    const auto end = begin + std::ptrdiff_t(layer.columns);
    matrix.insert(matrix.end(), weights.opened.begin() + begin, weights.opened.begin() + end);
    for (std::ptrdiff_t i = begin; i < end; ++i) {
      matrix.push_back(is_first ? weights.first[size_t(i)] + weights.opened[size_t(i)]
                                : weights.second[size_t(i)]);
    }
    matrix.resize(matrix.size() + layer.rows, 0);
    matrix[matrix.size() - layer.rows + row] = 1;
  }
  Model model;
  Graph& graph = *model.graph;
  graph.name = "share";
  const auto input = [&](const char* name, const Dims& dims) {
    return graph.add_input(name, ValueType::tensor(DType::kUint64, to_shape(dims)));
  };
  Value* flat[] = {input("mask", {size}), input("difference", {size})};
  Value* product = input("product", {rows, positions});
  Value* places =
      graph.add_constant("places", Tensor::of<int64_t>({columns, positions}, layer.places));
  Value* constant = graph.add_constant("weights", ring_tensor({rows, 2 * columns + rows}, matrix));
  const auto typed = [&](Node* node, const Dims& dims) {
    node->outputs[0]->type = ValueType::tensor(DType::kUint64, to_shape(dims));
    return node->outputs[0];
  };
  Attributes axis;
  axis.set("axis", int64_t{0});
  Value* zero = layer.has_zeros ? graph.add_constant("zero", ring_tensor({1}, {0})) : nullptr;
  std::vector<Value*> stacked;
  for (Value* values : flat) {
    if (zero != nullptr) {
      values = typed(graph.add_node("Concat", {values, zero}, {values->name + ".padded"}, axis),
                     {size + 1});
    }
    stacked.push_back(
        typed(graph.add_node("Gather", {values, places}, {values->name + ".gathered"}, axis),
              {columns, positions}));
  }
  stacked.push_back(product);
  Value* all =
      typed(graph.add_node("Concat", stacked, {"all"}, axis), {2 * columns + rows, positions});
  graph.add_output(typed(graph.add_node("MatMul", {constant, all}, {"share"}), {rows, positions}));
  return model;
}

OneTimeMask draw_mask(const LinearLayer& layer, const Ring& weight_mask) {
  OneTimeMask drawn;
  drawn.key = random_key();
  const KeyedNumbers numbers(drawn.key, layer.input_size(), layer.result_size());
  drawn.second_product =
      difference(product_of(layer, weight_mask, reveal(numbers.first_mask, numbers.second_mask)),
                 numbers.first_product);
  return drawn;
}

double largest_value(const LinearLayer& layer, int fraction_bits) {
  // Half of what 63 bits hold, for the rounding of both factors.
  return std::ldexp(1.0, 62 - 2 * fraction_bits) / std::max(1e-30, largest_row_sum(layer));
}

Result<MaskedRequest> mask_input(std::span<const float> input, const SealKey& key,
                                 size_t result_size, int fraction_bits, double most) {
  for (const float value : input) {
    if (!(std::fabs(static_cast<double>(value)) <= most)) {
      return check_failed(
          "found the value {:g}, and sums overflow beyond {:g} with {} fraction bits; share the "
          "layer again with fewer",
          value, most, fraction_bits);
    }
  }
  KeyedNumbers numbers(key, input.size(), result_size);
  MaskedRequest request;
  request.difference =
      difference(to_ring(input, fraction_bits), reveal(numbers.first_mask, numbers.second_mask));
  request.first_mask = std::move(numbers.first_mask);
  request.second_mask = std::move(numbers.second_mask);
  request.first_product = std::move(numbers.first_product);
  return request;
}

std::vector<float> unmask_output(const Ring& first, const Ring& second, std::span<const float> bias,
                                 bool rows_last, int fraction_bits) {
  const std::vector<float> sums = from_ring(reveal(first, second), 2 * fraction_bits);
  const size_t rows = bias.size(), positions = sums.size() / rows;
  std::vector<float> output(sums.size());
  for (size_t row = 0; row < rows; ++row) {
    for (size_t position = 0; position < positions; ++position) {
      output[rows_last ? position * rows + row : row * positions + position] =
          sums[row * positions + position] + bias[row];
    }
  }
  return output;
}

}  // namespace edgewright
