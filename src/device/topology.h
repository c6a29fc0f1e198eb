#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgewright {

struct CacheInfo {
  int level = 1;
  int64_t size_bytes = 0;
  int line_bytes = 64;
  int count = 1;           // how many of them there are
  int shared_by_cpus = 1;  // CPUs that use one of them
};

// What this machine is made of, as hwloc sees it.
struct Topology {
  std::string cpu_model;
  std::vector<std::string> features;
  int packages = 1, cores = 1, cpus = 1, numa_nodes = 1;
  int64_t memory_bytes = 0;
  std::vector<CacheInfo> caches;  // data caches, nearest first
};
Topology host_topology();

}  // namespace edgewright
