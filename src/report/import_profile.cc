#include "edgewright/profile.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json operator_json(const ImportedOperator& op) {
  Json json = {{"name", op.name},
               {"op", op.op},
               {"implementation", op.implementation},
               {"calls", op.calls},
               {"total_us", op.total_us},
               {"share", op.share}};
  if (op.bound.empty()) return json;
  json["flops"] = op.flops;
  json["gop_s"] = op.gop_s;
  json["intensity"] = op.intensity;
  json["bound"] = op.bound;
  return json;
}

Json difference_json(const ProfileDifference& row) {
  return {{"name", row.name},
          {"first_us", row.first_us},
          {"second_us", row.second_us},
          {"ratio", row.first_us > 0 ? number(row.second_us / row.first_us) : Json()},
          {"p_value", row.p_value},
          {"judged", row.judged},
          {"significant", row.significant}};
}

}  // namespace

std::string to_json(const ImportReport& report) {
  Json json = document("profile", report.passed, report.warnings);
  json["file"] = report.file;
  json["source"] = report.source;
  json["runs"] = report.runs;
  json["slices"] = report.slices;
  json["tracks"] = report.tracks;
  json["total_us"] = report.total_us;
  json["stated_total_us"] = report.stated_total_us;
  json["span_us"] = report.span_us;
  json["busy_us"] = report.busy_us;
  json["idle_us"] = report.idle_us;
  json["longest_gap_us"] = report.longest_gap_us;
  json["largest_concurrency"] = report.largest_concurrency;
  json["average_concurrency"] = report.average_concurrency;
  json["synchronisations"] = report.synchronisations;
  json["synchronise_us"] = report.synchronise_us;
  json["copied_bytes"] = report.copied_bytes;
  json["copy_us"] = report.copy_us;
  json["by_op"] = Json::array();
  for (const BreakdownRow& row : report.by_op) {
    json["by_op"].push_back(
        {{"name", row.name}, {"time_us", row.time_us}, {"share", row.share}, {"count", row.count}});
  }
  json["exported"] = report.exported;
  json["imported_operators"] = Json::array();
  for (const ImportedOperator& op : report.operators) {
    json["imported_operators"].push_back(operator_json(op));
  }
  return finish_document(json);
}

std::string to_json(const ProfileComparison& comparison) {
  Json json = document("profile", comparison.passed, comparison.warnings);
  json["first"] = comparison.first;
  json["second"] = comparison.second;
  json["significance"] = kSignificance;
  json["total"] = difference_json(comparison.total);
  json["differences"] = Json::array();
  for (const ProfileDifference& row : comparison.operators) {
    json["differences"].push_back(difference_json(row));
  }
  json["only_in_first"] = comparison.only_in_first;
  json["only_in_second"] = comparison.only_in_second;
  return finish_document(json);
}

}  // namespace edgewright
