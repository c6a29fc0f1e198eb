#pragma once

#include "split/privacy/linear_layer.h"
#include "split/privacy/random.h"
#include "split/privacy/seal.h"
#include "split/privacy/shares.h"

namespace edgewright {

// A linear layer on two servers (Beaver's triples, CRYPTO 1991, with the weights' mask A kept and a
// fresh b for every request; D = W - A is known to both):
//   server i gets b_i, e = x - b and c_i, and answers D b_i + A_i e + c_i, the first also D e;
//   the sum of both answers is W x.
// x, b and c are fixed-point numbers modulo 2^64. A and b are uniform, so that all that one server
// ever holds, stored or received, is uniform whatever W and x are.
struct WeightShares {
  Ring opened;         // D, rows x columns
  Ring mask;           // A
  Ring first, second;  // A_1 and A_2
};
// kUnsupported when products of these weights with numbers of magnitude 1 overflow.
Result<WeightShares> share_weights(const LinearLayer& layer, int fraction_bits);

// What a server is given to run: a model of MatMul, Gather and Concat over uint64, which any server
// with ONNX takes. Inputs "mask" (b_i) and "difference" (e), the flat input each, and "product"
// (c_i) of rows x positions; output "share" of rows x positions.
Model server_share(const LinearLayer& layer, const WeightShares& weights, bool is_first);

// Everything of one request that is drawn ahead. The key gives b_1, b_2 and c_1; c_2 is what is
// missing to c = A b.
struct OneTimeMask {
  SealKey key{};
  Ring second_product;
};
OneTimeMask draw_mask(const LinearLayer& layer, const Ring& weight_mask);

// The device's side of one request.
struct MaskedRequest {
  Ring difference, first_mask, second_mask, first_product;
};
// kCheckFailed when a value is so large that the sums may overflow. `most`: see largest_value().
Result<MaskedRequest> mask_input(std::span<const float> input, const SealKey& key,
                                 size_t result_size, int fraction_bits, double most);
// The largest magnitude of an input for which no sum overflows.
double largest_value(const LinearLayer& layer, int fraction_bits);
// From both answers to the layer's output as the model has it.
std::vector<float> unmask_output(const Ring& first, const Ring& second, std::span<const float> bias,
                                 bool rows_last, int fraction_bits);

}  // namespace edgewright
