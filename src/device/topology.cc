#include "device/topology.h"

#include <hwloc.h>

#include <algorithm>
#include <memory>

#include "base/cpu.h"

namespace edgewright {
namespace {

int count_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
  return std::max(1, hwloc_get_nbobjs_by_type(topology, type));
}

void add_cache(hwloc_topology_t topology, hwloc_obj_type_t type, Topology& result) {
  const int count = hwloc_get_nbobjs_by_type(topology, type);
  if (count < 1) return;
  const hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
  CacheInfo info;
  info.level = static_cast<int>(cache->attr->cache.depth);
  info.size_bytes = static_cast<int64_t>(cache->attr->cache.size);
  if (cache->attr->cache.linesize > 0)
    info.line_bytes = static_cast<int>(cache->attr->cache.linesize);
  info.count = count;
  info.shared_by_cpus = std::max(1, hwloc_bitmap_weight(cache->cpuset));
  if (info.size_bytes > 0) result.caches.push_back(info);
}

}  // namespace

Topology host_topology() {
  Topology result;
  result.cpu_model = host_cpu().model;
  result.features = host_cpu().features;
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return result;
  const std::unique_ptr<hwloc_topology, void (*)(hwloc_topology_t)> owner(topology,
                                                                          hwloc_topology_destroy);
  if (hwloc_topology_load(topology) != 0) return result;
  result.packages = count_of(topology, HWLOC_OBJ_PACKAGE);
  result.cores = count_of(topology, HWLOC_OBJ_CORE);
  result.cpus = count_of(topology, HWLOC_OBJ_PU);
  result.numa_nodes = count_of(topology, HWLOC_OBJ_NUMANODE);
  result.memory_bytes = static_cast<int64_t>(hwloc_get_root_obj(topology)->total_memory);
  for (const auto type :
       {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE}) {
    add_cache(topology, type, result);
  }
  return result;
}

}  // namespace edgewright
