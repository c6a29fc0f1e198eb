#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quantize/runner.h"

namespace edgewright {

// Values whose channels differ in size round badly under one scale. Dividing channel c by s[c]
// where the value is made and multiplying the weights that read it by s[c] changes nothing in real
// arithmetic, but makes the channels alike: cross-layer equalisation (Nagel et al., ICCV 2019)
// where a convolution makes the value, SmoothQuant (Xiao et al., ICML 2023) where
// LayerNormalization does.
struct MigrationSite {
  Value* value = nullptr;  // what is read
  Node* source = nullptr;  // LayerNormalization or Conv, an activation that commutes with positive
                           // factors between
  size_t channels = 0;
  int channel_axis = 1;  // of the value; -1: the last
};
// Sites of the main graph: every reader multiplies by constant weights.
std::vector<MigrationSite> migration_sites(Graph& graph);

// The largest magnitude of every channel of the sites' values, by value.
using ChannelMaxima = std::map<std::string, std::vector<float>>;
Result<ChannelMaxima> channel_maxima(const Graph& graph, const std::vector<MigrationSite>& sites,
                                     SampleRunner& runner, std::span<const size_t> samples);

// Migrates every site by s[c] = max|x_c|^strength / max|w_c|^(1 - strength), w_c all weights that
// read channel c, scaled to a geometric mean of one. Returns the names of the values whose channels
// changed: those of the sites and what lies between them and their sources.
Result<std::vector<std::string>> migrate_scales(Graph& graph, const ChannelMaxima& maxima,
                                                double strength);
// Names mean contents: such values, and the bytes that they are rounded to, are not what they were
// and are called NAME_scaled from here on.
void rename_scaled(Graph& graph, const std::vector<std::string>& names);

}  // namespace edgewright
