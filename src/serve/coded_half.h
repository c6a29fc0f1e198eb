#pragma once

#include <memory>
#include <optional>

#include "serve/served_model.h"
#include "split/codec/coded.h"

namespace edgewright {

// A model that takes its float32 inputs as bytes of docs/formats/activation.md (uint8 [any], under
// their own names), sealed or not, and says of which frame of which stream they are (kStreamInput
// and its neighbours in split/codec/coded.h). `streams` is shared by all instances, so that a frame
// finds the one that it is the difference to. A run fails with kBadInput where bytes do not decode
// to an input of the model.
std::unique_ptr<ServedModel> coded_half(std::unique_ptr<ServedModel> half,
                                        std::shared_ptr<CodedStreams> streams,
                                        std::optional<SealKey> key);

}  // namespace edgewright
