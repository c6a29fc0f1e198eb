#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

// One frequency at which the cores of a cluster can run. Zero means: not stated by the source.
struct OperatingPoint {
  int64_t frequency_khz = 0;
  int64_t voltage_uv = 0;
  int64_t power_uw = 0;  // of one busy core
  // A higher frequency costs less energy for the same work (em_compute_costs, Linux
  // kernel/power/energy_model.c).
  bool inefficient = false;
  int64_t interconnect_kb_s = 0;  // bandwidth voted for on the first interconnect at this point
};

// A state in which a core, or with `whole_cluster` the whole cluster, sleeps.
struct IdleState {
  std::string name;
  int64_t entry_us = 0, exit_us = 0;
  int64_t residency_us = 0;  // sleeping for less costs more than it saves
  int64_t power_uw = 0;      // of one core in this state; 0: not stated
  bool whole_cluster = false;
};

// What one core can compute, all its vector units busy.
struct ComputePeak {
  std::string dtype;            // "float32", "float16", "bfloat16", "int8"
  double operations_per_s = 0;  // a multiply-add counts as two
  int64_t frequency_khz = 0;    // at which that holds; it is proportional to frequency
  bool measured = false;        // by `device probe`; otherwise derived as `source` says
  std::string source;
};

// Cores that share one clock.
struct Cluster {
  std::string name;  // the core's name, as in device trees: "arm,cortex-a55"
  std::vector<int> cpus;
  int64_t dmips_per_mhz = 0;  // relative speed per clock; 0: not stated
  int64_t capacity = 0;       // at the highest frequency; the fastest core of the device has 1024
  // power = dynamic_coefficient * f * V^2 + static_uw_per_v * V, in uW with f in MHz and V in
  // volts. Zero: not known, the operating points may still carry measured powers.
  double dynamic_coefficient = 0;
  double static_uw_per_v = 0;
  std::string power_source;   // where the operating points' powers come from; empty: nowhere
  int64_t transition_us = 0;  // of a change of frequency; 0: not stated
  double stream_bytes_per_cycle = 0;          // that one core reads from memory; 0: not known
  std::vector<std::string> instruction_sets;  // as the processor calls them; empty: not known
  double dispatch_us = 0;                     // of a parallel loop over all its cores; 0: not known
  std::vector<OperatingPoint> operating_points;  // frequency ascending
  std::vector<IdleState> idle_states;            // shallow first
  std::vector<ComputePeak> peaks;
};

struct ThermalTrip {
  std::string name;
  std::string type;  // "active", "passive", "hot", "critical"
  int64_t temperature_mc = 0;
  int64_t hysteresis_mc = 0;
};

// What is cooled when a trip point is reached.
struct CoolingMap {
  std::string trip;
  std::vector<std::string> coolers;  // "cluster:0", or the name of a fan or another device
  int64_t contribution = 0;          // weight among the coolers of a zone; 0: not stated
};

struct ThermalZone {
  std::string name;
  int64_t sustainable_power_mw = 0;  // 0: not stated
  int64_t polling_ms = 0, polling_passive_ms = 0;
  std::vector<ThermalTrip> trips;
  std::vector<CoolingMap> cooling;
};

// One lump of material. Heat enters at the nodes named in ThermalNetwork::inlets.
struct ThermalNode {
  std::string name;
  double capacity_j_per_k = 0;
};
struct ThermalLink {
  std::string from, to;  // node names, or "ambient"
  double conductance_w_per_k = 0;
};
struct HeatInlet {
  std::string source;  // "cluster:0", "memory", "platform"
  std::string node;
};

// The device's heat flow as resistances and capacitances. Empty nodes: not known.
struct ThermalNetwork {
  std::string source;  // where the values come from
  std::vector<ThermalNode> nodes;
  std::vector<ThermalLink> links;
  std::vector<HeatInlet> inlets;
  std::string skin_node;     // what a user touches; empty: not known
  double skin_limit_c = 0;   // 0: none
  double leakage_per_k = 0;  // static power grows with exp(leakage_per_k * (T - reference))
  double leakage_reference_c = 25;
};

struct MemoryLevel {
  std::string name;        // "L1", "L2", "L3", "dram"
  int64_t size_bytes = 0;  // 0: not stated
  int64_t shared_by_cpus = 0;
  double bandwidth_bytes_per_s = 0;  // read by all its cores together; 0: not known
  double write_bytes_per_s = 0, copy_bytes_per_s = 0;  // likewise; a copy counts twice
  double energy_pj_per_byte = 0;                       // 0: not known
  bool measured = false;
  std::string source;
};

struct OperationEnergy {
  std::string operation;  // "int8-multiply", "float32-add", ...
  double picojoules = 0;
  int64_t process_nm = 0;
  std::string source;
};

// A device as data: docs/formats/device.md. What no source states is zero or empty and said in
// `notes`, never invented.
struct Device {
  std::string name;   // in the catalogue
  std::string model;  // as the maker calls it
  std::string source;
  std::vector<std::string> notes;
  std::vector<Cluster> clusters;
  std::vector<ThermalZone> thermal_zones;
  ThermalNetwork thermal_network;
  std::vector<MemoryLevel> memory;
  std::vector<OperationEnergy> operation_energies;
  double platform_power_mw = 0;  // of everything but cores and memory, while in use
  double memory_idle_power_mw = 0;
  double battery_mwh = 0;  // 0: none
};

// What `device import` and `device show` give.
struct DeviceReport {
  Device device;
  std::string toml;  // the same as a device file
  bool passed = true;
  std::vector<std::string> warnings;  // what the source leaves open or says suspiciously
};
std::string to_json(const DeviceReport& report, const std::string& command);

struct DeviceImportOptions {
  std::string name;           // of the result; empty: from the file's name
  int64_t hardware_bin = -1;  // opp-supported-hw bit of this chip; -1: all operating points
  std::string output;         // device file to write; empty: none
};
// Reads a flattened device tree (.dtb) of Linux. kBadInput with the offending node's path.
Result<DeviceReport> import_device(const std::string& dtb_path,
                                   const DeviceImportOptions& options = {});
// A device of the catalogue, or the device file of that path (a name with '/' or ".toml").
Result<DeviceReport> show_device(const std::string& name_or_path);
std::vector<std::string> device_names();

struct DeviceCalibrateOptions {
  std::string measurements;       // freqbench CSV: CPU, Frequency (kHz), ..., Power (mW)
  std::string voltages;           // "CPU.KHZ=UV" words; empty: the device's own voltages
  std::string output;             // device file to write; empty: none
  double suspicious_ratio = 1.3;  // how far stated and fitted coefficients may be apart
};
// The power model of one cluster, fitted to measured powers.
struct ClusterFit {
  std::string cluster;
  int64_t first_cpu = 0, points = 0;
  double coefficient = 0;        // of power = C f V^2 alone, the mean of power / (f V^2)
  double coefficient_error = 0;  // its mean absolute relative error
  double dynamic_coefficient = 0, static_uw_per_v = 0;  // of power = C f V^2 + k V
  double error = 0;  // its mean absolute relative error, the least that C, k >= 0 allow
  std::vector<int64_t> outliers_khz;  // measured more than a quarter off the fit
  double error_without_outliers = 0;
  double stated_coefficient = 0;  // by the device before; 0: none
  bool suspicious = false;        // the stated coefficient is far from the fitted one
  bool table_only = false;        // no voltages: the device carries the measured table
};
struct DeviceCalibrateReport {
  std::vector<ClusterFit> fits;
  Device device;
  std::string toml;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const DeviceCalibrateReport& report);
Result<DeviceCalibrateReport> calibrate_device(const std::string& name_or_path,
                                               const DeviceCalibrateOptions& options);

// ---- device probe ----

struct DeviceProbeOptions {
  double seconds = 12;
  int threads = 0;            // of "all cores"; 0: every core
  bool accept_noise = false;  // report instead of refuse
  std::string output;         // device file (TOML) to write; empty: none
  std::string roofs_cache;    // where `profile` looks for the roofs; empty: nowhere
  // Time so many layers more than the samples' file holds already, and fit what predicts others.
  int64_t layers = 0;
  double layers_seconds = 60;  // ends earlier when this is over
  std::string samples_cache, times_cache;
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// One measured limit. Groups are "L1" .. "DRAM" (read, write, copy in 10^9 bytes/s), types such as
// "float32 vector" (10^9 operations/s), "dispatch" (us of a parallel loop over nothing), "clock".
struct ProbeFigure {
  std::string group, name;
  double value = 0;
  double spread = 0;  // (90th - 10th percentile) / median of the repetitions
};
struct ProbeScaling {
  int threads = 1;
  double gop_s = 0, read_gb_s = 0;
};
struct ProbeCache {
  int level = 1, count = 1, shared_by_cpus = 1, line_bytes = 64;
  int64_t size_bytes = 0;
};
struct DeviceProbeReport {
  std::string cpu;
  std::vector<std::string> features;
  int packages = 1, cores = 1, cpus = 1, numa_nodes = 1;
  int64_t memory_bytes = 0;
  std::vector<ProbeCache> caches;
  std::vector<ProbeFigure> figures;
  std::vector<ProbeScaling> scaling;
  double largest_compute_spread = 0, largest_memory_spread = 0;
  // Of the layers' times: predicted by a fit to one half of the layers, for the other half; alone
  // in a loop, and with other data read in between, as in a plan.
  int64_t timed_layers = 0;
  double prediction_error_median = 0, prediction_error_p90 = 0;
  double far_error_median = 0, far_error_p90 = 0;
  std::string output;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const DeviceProbeReport& report);
// Measures this machine's roofs. kCheckFailed when it is too noisy for the figures to mean much.
Result<DeviceProbeReport> probe_device(const DeviceProbeOptions& options = {});

}  // namespace edgewright
