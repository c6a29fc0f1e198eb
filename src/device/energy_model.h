#pragma once

#include "device/device.h"

namespace edgewright {

// The kernel's integer arithmetic for capacity, power and cost, so that what this program says of a
// device equals what its scheduler sees. Sources, all of Linux: topology_normalize_cpu_scale
// (drivers/base/arch_topology.c), _get_power (drivers/opp/of.c), em_init_performance and
// em_compute_costs (kernel/power/energy_model.c).

// Fills capacity from dmips_per_mhz and the highest frequencies; a cluster without either keeps 0.
// Where no cluster has operating points the speeds per clock alone are compared.
void normalize_capacities(Device& device);

// Power of one core in uW at a frequency in kHz and a voltage in uV, by coefficient * f * V^2;
// volts below a millivolt and megahertz below one are dropped as the kernel does.
int64_t kernel_power_uw(int64_t coefficient, int64_t frequency_khz, int64_t voltage_uv);

// Capacity of a cluster at a frequency.
int64_t performance_at(const Cluster& cluster, int64_t frequency_khz);

// power * 10 / performance; 0 where the power is not known.
int64_t cost_at(const Cluster& cluster, const OperatingPoint& point);

// Fills power_uw where coefficient and voltage are known, and the inefficient flags.
void apply_kernel_powers(Cluster& cluster);
void mark_inefficient(Cluster& cluster);

// Power by C f V^2 + k V in uW (`Cluster`).
double modelled_power_uw(const Cluster& cluster, const OperatingPoint& point);

}  // namespace edgewright
