#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "llm/energy_ledger.h"
#include "llm/packed_model.h"
#include "llm/phase.h"
#include "llm/tokenizer.h"
#include "tensor/tensor.h"

namespace edgewright {

// An input or output of a model in service.
struct ServedPort {
  std::string name;
  DType dtype = DType::kUndefined;
  bool any_rank = false;       // not even the rank is known
  std::vector<int64_t> shape;  // -1: any size
};

// A model that turns tensors into tensors. One run at a time.
class ServedModel {
 public:
  virtual ~ServedModel() = default;
  virtual const std::vector<ServedPort>& inputs() const = 0;
  virtual const std::vector<ServedPort>& outputs() const = 0;
  // In the order of inputs() and outputs(). The outputs own their memory.
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
};

// A language model's parts, from which the server makes an engine of its own.
struct LanguageParts {
  std::shared_ptr<const PackedModel> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  // Told what its engine does, and asked what it may do; may be empty.
  std::function<void(const EnginePhase&)> on_phase;
  std::function<EngineAdvice()> advice;
  StageCpus stages;                      // of a pipeline of layers; empty: none
  std::shared_ptr<EnergyLedger> ledger;  // divides the machine's energy among requests; null: none
};

// Opens model files; the server itself reads no model format.
struct ModelOpener {
  std::function<Result<std::unique_ptr<ServedModel>>(const std::string& path, int threads)> tensors;
  std::function<Result<LanguageParts>(const std::string& path, int threads)> language;
  std::shared_ptr<EnergyLedger> ledger;  // as in LanguageParts, for models of tensors
};

}  // namespace edgewright
