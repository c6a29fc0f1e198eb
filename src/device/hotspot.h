#pragma once

#include <string_view>

#include "device/device.h"

namespace edgewright {

// The thermal network of HotSpot's block model for a floor plan and a configuration file
// (Skadron et al., "Temperature-aware microarchitecture", ISCA 2003, and the model's published
// source): layers of silicon, interface, spreader and sink under each block, the spreader's and the
// sink's rims as four nodes each, convection from the sink. Each block becomes an inlet of heat of
// its own name. Lumped capacitances carry the model's factor of 0.333.
// Configuration: lines "-name value"; floor plan: lines "name width height left bottom" in metres.
Result<ThermalNetwork> hotspot_network(std::string_view config, std::string_view config_file,
                                       std::string_view floorplan, std::string_view floorplan_file);

}  // namespace edgewright
