#pragma once

#include <span>

#include "formats/onnx/opset_upgrades.h"

namespace edgewright::onnx_io {

// The adapters to version 7 and below.
std::span<const UpgradeAdapter> old_opset_adapters();

// Scan of opset 8 ran over a batch, each sample by itself; from 9 on there is no batch. The new
// form scans over the batch with a body that scans over the sequence.
Status upgrade_batched_scan(Node*& node);

}  // namespace edgewright::onnx_io
