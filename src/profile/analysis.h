#pragma once

#include <span>
#include <string>
#include <vector>

#include "edgewright/profile.h"
#include "profile/roofline.h"
#include "runtime/plan.h"

namespace edgewright {

// Every step of a plan with its measured time, placed on the roofline. Empty `step_us`: the times
// are modelled by the roofs. Parts of a time, levels, reuse and locality are modelled.
std::vector<ProfiledOperator> analyse_steps(const Plan& plan, const Roofline& roofline,
                                            std::span<const double> step_us);
// The nodes of a graph with modelled times, for a device that is not this one.
std::vector<ProfiledOperator> analyse_nodes(const Graph& graph, const Roofline& roofline);

// Fills in all that follows from the work of one call, its traffic (empty: compulsory) and the time
// that the row has already.
void place_on_roofline(const Roofline& roofline, const Work& work,
                       const std::vector<LevelTraffic>& traffic, ProfiledOperator& row);
void add_shares(std::vector<ProfiledOperator>& rows);

// What weights are of the bytes that a step touches, and whether they are most of them: the shape
// that an Expand reads makes it no step of weights.
double weight_share(const ProfiledOperator& op);
bool is_of_weights(const ProfiledOperator& op);

// The limit that the times speak for: "overhead" when launch and synchronisation take half of the
// time, a level of memory beyond the nearest when it takes half of it, else "compute".
std::string bound_of(const RoofTimes& times, const Roofs& roofs, double time_us);

std::vector<RoofFigure> roof_figures(const Roofline& roofline);

// Shares of the total, largest first.
std::vector<BreakdownRow> breakdown(std::span<const ProfiledOperator> operators,
                                    std::string ProfiledOperator::* key);

// The step at which most bytes live at once, and the values that are alive then, largest first.
struct MemoryPeak {
  int64_t bytes = 0;
  std::string step;
  std::vector<MemoryHolder> holders;
};
MemoryPeak memory_peak(const Plan& plan);

// Of the operators' time, what they would take at the roofline: above one where the machine is
// quicker than when its roofs were measured. Those that count no operations are left out.
double reached_share(std::span<const ProfiledOperator> operators);

// One sentence: how long, what bounds it, what reaches which share of its roof.
std::string verdict_of(const ProfileReport& report);

}  // namespace edgewright
