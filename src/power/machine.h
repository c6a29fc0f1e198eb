#pragma once

#include <span>
#include <string>
#include <vector>

#include "device/device.h"
#include "power/language_load.h"

namespace edgewright {

// How a cluster is used: that many busy cores at that operating point.
struct ClusterSetting {
  int cores = 0;
  size_t point = 0;
  bool operator==(const ClusterSetting&) const = default;
};
struct Setting {
  std::vector<ClusterSetting> clusters;
  // Clusters are stages of a pipeline of layers (llm/layer_pipeline.h), each with pieces of a
  // prompt or groups of sequences of its own; otherwise all divide every product.
  bool pipelined = false;
  bool operator==(const Setting&) const = default;
};

// Time and power of work on a device at a setting. Work is divided over the cores by their speed,
// so that all end together.
class Machine {
 public:
  // Operating points without a power are left out; kUnsupported naming the cluster when none is
  // left, or when neither peaks nor memory bandwidth are known.
  static Result<Machine> create(const Device& device);

  size_t clusters() const { return clusters_.size(); }
  int cores(size_t cluster) const { return clusters_[cluster].cores; }
  size_t points(size_t cluster) const { return clusters_[cluster].points.size(); }
  int64_t frequency_khz(size_t cluster, size_t point) const {
    return clusters_[cluster].points[point].frequency_khz;
  }
  int64_t capacity(size_t cluster) const { return clusters_[cluster].capacity; }
  const std::string& name(size_t cluster) const { return clusters_[cluster].name; }
  // The lowest point of at least a frequency, not an inefficient one; the highest if there is none.
  size_t point_at_least(size_t cluster, int64_t frequency_khz) const;

  // Seconds of one step: the slower of arithmetic and memory, and the barriers between layers.
  // Weights that the last shared cache holds come from there.
  double step_s(const StepWork& work, const std::string& dtype, const Setting& setting) const;
  // The same as a pipeline of layers, which are divided so that the slowest stage ends soonest: as
  // many groups of sequences as stages are under way, or pieces of a prompt, whose first and last
  // leave stages idle. Every one reads the weights anew. Infinite where it cannot be below `below`.
  double pipelined_step_s(const StepWork& work, const std::string& dtype, const Setting& setting,
                          double below) const;
  // What a step moves from and to main memory.
  double moved_bytes(const StepWork& work, const Setting& setting) const;

  // Watts of the busy cores of one cluster at a die temperature.
  double busy_w(size_t cluster, const ClusterSetting& setting, double die_c) const;
  // Watts of a cluster whose cores wait for work with their clock stopped.
  double waiting_w(size_t cluster, const ClusterSetting& setting, double die_c) const;
  double memory_j(double bytes) const { return bytes * memory_j_per_byte_; }
  double platform_w() const { return platform_w_; }
  // Residency from which on a cluster sleeps without power, and what going there and back costs.
  double sleep_residency_s(size_t cluster) const { return clusters_[cluster].sleep_residency_s; }
  double sleep_switch_s(size_t cluster) const { return clusters_[cluster].sleep_switch_s; }
  double transition_s() const { return transition_s_; }
  // What a change of the setting takes: voltage and clock settle; where other cores take over,
  // threads stop, move, and their private caches fill again from memory.
  double change_s(const Setting& from, const Setting& to) const;
  // Whether two clusters are the same in all that a policy looks at.
  bool alike(size_t a, size_t b) const;

  // All cores of the clusters that have at least half of the fastest core's capacity, at their
  // highest frequency: what an engine that asks for "the big cores" gets.
  Setting big_cores() const;

 private:
  struct Point {
    int64_t frequency_khz;
    double dynamic_w, static_w;  // of one core; static at the reference temperature
    bool inefficient;
  };
  struct ClusterModel {
    std::string name;
    int cores;
    int64_t capacity;
    std::vector<Point> points;
    std::vector<std::pair<std::string, double>> operations_per_cycle;
    double bytes_per_cycle;
    double sleep_residency_s, sleep_switch_s;
    double private_cache_bytes = 0;  // of one core
  };
  static Result<ClusterModel> model(const Cluster& cluster);
  double operations_per_cycle(const ClusterModel& cluster, const std::string& dtype) const;
  bool cached(const StepWork& work) const { return work.weight_bytes <= cached_bytes_; }

  std::vector<ClusterModel> clusters_;
  double memory_bytes_per_s_ = 0, memory_j_per_byte_ = 0, platform_w_ = 0;
  double cached_bytes_ = 0;  // of weights, that stay in the last shared cache between steps
  double leakage_per_k_ = 0, leakage_reference_c_ = 25, transition_s_ = 0;
};

// "2x2400+4x1800": busy cores and MHz of each cluster that works.
std::string setting_text(const Machine& machine, const Setting& setting);

}  // namespace edgewright
