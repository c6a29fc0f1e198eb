#include "edgewright/profile.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json breakdown_json(const std::vector<BreakdownRow>& rows) {
  Json json = Json::array();
  for (const BreakdownRow& row : rows) {
    json.push_back(
        {{"name", row.name}, {"time_us", row.time_us}, {"share", row.share}, {"count", row.count}});
  }
  return json;
}

Json operator_json(const ProfiledOperator& row) {
  Json levels = Json::array();
  for (const LevelFigure& level : row.levels) {
    levels.push_back({{"level", level.level}, {"bytes", level.bytes}, {"time_us", level.time_us}});
  }
  Json json = {{"name", row.name},
               {"op", row.op},
               {"implementation", row.implementation},
               {"kind", row.kind},
               {"role", row.role},
               {"layer", row.layer},
               {"start_us", row.start_us},
               {"time_us", row.time_us},
               {"predicted_us", row.predicted_us},
               {"spread", row.spread},
               {"share", row.share},
               {"parts_us",
                {{"launch", row.launch_us},
                 {"compute", row.compute_us},
                 {"memory", row.memory_us},
                 {"sync", row.sync_us}}},
               {"compute_parts_us", {{"execute", row.execute_us}, {"stall", row.stall_us}}},
               {"multiply_adds", row.multiply_adds},
               {"flops", row.flops},
               {"bytes_read", row.bytes_read},
               {"weight_bytes", row.weight_bytes},
               {"bytes_written", row.bytes_written},
               {"complete", row.complete},
               {"levels", levels},
               {"intensity", row.intensity},
               {"gop_s", row.gop_s},
               {"attainable_gop_s", row.attainable_gop_s},
               {"efficiency", row.efficiency},
               {"bound", row.bound},
               {"access", row.access},
               {"locality", row.locality},
               {"reuse_distance_bytes", row.reuse_distance_bytes},
               {"samples_us", row.samples_us}};
  if (row.loop_instructions > 0) {
    json["code"] = {{"loop_instructions", row.loop_instructions},
                    {"loop_share", row.code_share},
                    {"vector_share", row.vector_share},
                    {"arithmetic_share", row.arithmetic_share},
                    {"vector_bits", row.vector_bits},
                    {"instruction_parallelism", row.instruction_parallelism}};
  }
  if (!row.phase.empty()) {
    json["phase"] = row.phase;
    json["calls"] = row.calls;
  }
  if (!row.fused.empty()) json["fused"] = breakdown_json(row.fused);
  if (!row.experiment.empty()) {
    json["experiment"] = {
        {"confirmed", row.confirmed}, {"contradicted", row.contradicted}, {"seen", row.experiment}};
  }
  return json;
}

// Where each figure of the document comes from, so that no reader takes a model for a measurement.
Json sources(const ProfileReport& report) {
  const char* timed = report.is_modelled ? "modelled" : "measured";
  return {{"wall_us", timed},
          {"operators.time_us", timed},
          {"operators.start_us", timed},
          {"operators.predicted_us", "modelled"},
          {"operators.flops", "counted"},
          {"operators.multiply_adds", "counted"},
          {"operators.bytes_read", "counted"},
          {"operators.bytes_written", "counted"},
          {"operators.parts_us", "modelled"},
          {"operators.compute_parts_us", "modelled"},
          {"operators.levels", "modelled"},
          {"operators.reuse_distance_bytes", "modelled"},
          {"operators.locality", "modelled"},
          {"operators.code", "counted in the machine code"},
          {"operators.experiment", "measured"},
          {"operators.fused", "modelled"},
          {"by_part", "modelled"},
          {"tracks", timed},
          {"peak_holders", "counted"},
          {"advice.predicted_us", "modelled"},
          {"advice.achieved_us", "measured"}};
}

Json advice_json(const std::vector<AdviceRow>& rows) {
  Json json = Json::array();
  for (const AdviceRow& row : rows) {
    Json one = {{"opportunity", row.opportunity},
                {"why", row.why},
                {"share", row.share},
                {"predicted_us", row.predicted_us},
                {"speedup", row.speedup},
                {"priority", row.priority},
                {"command", row.command}};
    if (row.applied) one["achieved_us"] = row.achieved_us;
    json.push_back(std::move(one));
  }
  return json;
}

void add_roofs(Json& json, const ProfileReport& report) {
  json["roofs"] = Json::array();
  for (const RoofFigure& roof : report.roofs) {
    json["roofs"].push_back({{"name", roof.name},
                             {"value", roof.value},
                             {"unit", roof.unit},
                             {"size_bytes", roof.size_bytes},
                             {"source", roof.measured ? "measured" : "stated"}});
  }
  json["ridge_flop_per_byte"] = report.ridge;
}

void add_tracks(Json& json, const ProfileReport& report) {
  json["tracks"] = Json::array();
  for (const ProfileTrack& track : report.tracks) {
    Json slices = Json::array();
    for (const TrackSlice& slice : track.slices) {
      slices.push_back({{"name", slice.name},
                        {"kind", slice.kind},
                        {"start_us", slice.start_us},
                        {"time_us", slice.time_us}});
    }
    json["tracks"].push_back({{"name", track.name}, {"slices", std::move(slices)}});
  }
}

void add_memory(Json& json, const ProfileReport& report) {
  json["arena_bytes"] = report.arena_bytes;
  json["live_set_bytes"] = report.live_set_bytes;
  json["peak_bytes"] = report.peak_bytes;
  json["peak_step"] = report.peak_step;
  json["peak_holders"] = Json::array();
  for (const MemoryHolder& holder : report.peak_holders) {
    json["peak_holders"].push_back({{"value", holder.value},
                                    {"producer", holder.producer},
                                    {"size_bytes", holder.size_bytes}});
  }
}

void add_batches(Json& json, const ProfileReport& report) {
  if (report.batches.empty()) return;
  json["batches"] = Json::array();
  for (const BatchRow& row : report.batches) {
    json["batches"].push_back({{"batch", row.batch},
                               {"latency_us", row.latency_us},
                               {"source", row.measured ? "measured" : "modelled"},
                               {"efficiency", row.efficiency},
                               {"cost", row.cost},
                               {"memory_bytes", row.memory_bytes},
                               {"padding", row.padding}});
  }
  json["best_batch"] = report.best_batch;
}

}  // namespace

std::string to_json(const ProfileReport& report) {
  Json json = document("profile", report.passed, report.warnings);
  json["model"] = report.model;
  json["device"] = report.device;
  json["cpu"] = report.cpu;
  json["threads"] = report.threads;
  json["runs"] = report.runs;
  json["disturbed_runs"] = report.disturbed_runs;
  json["verdict"] = report.verdict;
  json["wall_samples_us"] = report.wall_samples_us;
  json["wall_us"] = report.wall_us;
  json["wall_spread"] = report.wall_spread;
  json["profiled_wall_us"] = report.profiled_wall_us;
  json["operators_us"] = report.operators_us;
  json["overhead_us"] = report.overhead_us;
  json["unattributed_us"] = report.unattributed_us;
  json["predicted_us"] = report.predicted_us;
  json["machine_pace"] = report.machine_pace;
  json["load_us"] = report.load_us;
  json["first_inference_us"] = report.first_inference_us;
  json["multiply_adds"] = report.multiply_adds;
  json["flops"] = report.flops;
  json["parameter_bytes"] = report.parameter_bytes;
  add_roofs(json, report);
  json["by_kind"] = breakdown_json(report.by_kind);
  json["by_role"] = breakdown_json(report.by_role);
  json["phases"] = breakdown_json(report.phases);
  if (!report.by_part.empty()) json["by_part"] = breakdown_json(report.by_part);
  add_tracks(json, report);
  add_memory(json, report);
  json["advice"] = advice_json(report.advice);
  add_batches(json, report);
  json["counters"] = report.counters;
  if (report.confirmed_share > 0) json["confirmed_share"] = report.confirmed_share;
  json["exported"] = report.exported;
  json["sources"] = sources(report);
  json["operators"] = Json::array();
  for (const ProfiledOperator& row : report.operators) {
    json["operators"].push_back(operator_json(row));
  }
  return finish_document(json);
}

}  // namespace edgewright
