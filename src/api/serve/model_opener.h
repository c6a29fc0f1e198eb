#pragma once

#include <memory>
#include <string>

#include "serve/served_model.h"

namespace edgewright {

struct OpenerOptions {
  std::string phase_file, advice_file;  // as in ServeOptions
  std::string stages;
  std::shared_ptr<EnergyLedger> ledger;
};

// Opens ONNX models, plans and language models for the server. Language engines tell one file what
// they do and take the advice of another; empty: none. kBadInput when the first cannot be written,
// kUsage for stages that are none.
Result<ModelOpener> model_opener(const OpenerOptions& options);

}  // namespace edgewright
