// For tests: one reference kernel, run by name.
#pragma once

#include <vector>

#include "kernels/kernel.h"

namespace edgewright::reference {

// The outputs of an operator of ai.onnx (or of `domain`); an input of Kind::kNone is omitted.
Result<std::vector<Datum>> run_kernel(std::string_view op, std::vector<Datum> inputs,
                                      Attributes attributes = {}, size_t output_count = 1,
                                      std::string_view domain = "");

// The same for one tensor as output.
Result<Tensor> run_tensor(std::string_view op, std::vector<Datum> inputs,
                          Attributes attributes = {}, std::string_view domain = "");

}  // namespace edgewright::reference
