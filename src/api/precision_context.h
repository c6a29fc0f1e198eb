#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/calibration_data.h"
#include "api/precision_options.h"
#include "edgewright/convert.h"
#include "quantize/static_int8.h"

namespace edgewright {

// What the changes of precision share: the model that is changed, what was asked for, and the
// report.
struct PrecisionContext {
  Model& model;
  const ConvertOptions& options;
  const PrecisionOptions& precision;
  ConvertReport& report;
  std::unique_ptr<Graph> original = {};  // what results are compared with
  CalibrationData data = {};             // empty without --calibrate
  SampleSplit split = {};

  bool has_data() const { return !data.samples.empty(); }
};

// Reads --calibrate into the context, once; kUsage when it is missing and `needed`.
Status load_data(PrecisionContext& context, bool needed);

// The scheme that was asked for, or the one that suits this machine; recorded in the choices.
Result<Scheme> choose_scheme(PrecisionContext& context);

// Layers that stay in float, by the value that they make: --quantize exclude=, which takes names of
// nodes, values and operators. kUsage when a name means nothing.
Result<std::set<std::string>> excluded_layers(const PrecisionContext& context);

void add_choices(const std::vector<QuantChoice>& choices, ConvertReport& report);
// The precision of every node of the graph: `inside` for the layers, else the type of its result.
void add_precisions(const Graph& graph, const std::set<std::string>& layers, const char* inside,
                    ConvertReport& report);
// Share of a graph's multiply-adds that these layers do, at the shapes of the samples (open
// dimensions without samples count as 1).
Result<double> macs_share(const PrecisionContext& context, const Graph& graph,
                          const std::set<std::string>& layers);
void fill_quality(const OutputQuality& quality, QuantizationReport& report);

// Options of the static quantiser from those of the command.
Result<StaticOptions> static_int8_options(PrecisionContext& context);
// A copy with the shapes of the samples (open dimensions without samples: 1), types inferred.
Result<std::unique_ptr<Graph>> fixed_shape_copy(const PrecisionContext& context,
                                                const Graph& graph);

// Sorts, cleans and types the changed graph.
Status finish_graph(Graph& graph);
// Compares the quality with max-error and max-loss; a miss is a warning that says so.
bool meets_goals(PrecisionContext& context, const QuantizationReport& result);

// Zeros weights as --quantize sparsity= says.
Status prune_weights(PrecisionContext& context);
// Measures for the changed graph which layers run quicker on kernels that leave out zeros, and says
// so in the report.
Status choose_sparse_kernels(PrecisionContext& context);

// One function per precision. The context has no data yet.
Result<bool> to_int8(PrecisionContext& context);
Result<bool> to_dynamic_int8(PrecisionContext& context);
Result<bool> to_small_weights(PrecisionContext& context);
Result<bool> to_mixed(PrecisionContext& context);
Result<bool> to_low_float(PrecisionContext& context, DType dtype);

}  // namespace edgewright
