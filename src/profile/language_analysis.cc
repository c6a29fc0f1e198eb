#include "profile/language_analysis.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "profile/analysis.h"
#include "profile/cost_model.h"

namespace edgewright {
namespace {

constexpr size_t kDetailedSteps = 4;

std::string layer_text(int layer) { return layer < 0 ? "" : fmt::format("{}", layer); }

std::string part_name(std::string_view phase, std::string_view part, int layer) {
  return layer < 0 ? fmt::format("{}/{}", phase, part)
                   : fmt::format("{}/layers.{}.{}", phase, layer, part);
}

void set_work(const PartWork& part, ProfiledOperator& row) {
  const Work& work = part.work;
  row.kind = work_kind_name(work.kind);
  row.multiply_adds = work.multiply_adds;
  row.flops = work.flops;
  row.bytes_read = work.bytes_read;
  row.weight_bytes = work.weight_bytes;
  row.weight_count = work.weight_count;
  row.bytes_written = work.bytes_written;
  row.access = work.weight_bytes > 0 ? "streaming" : "unit-stride";
  row.locality = 1;
}

void multiply(ProfiledOperator& row, int64_t calls) {
  const auto factor = static_cast<double>(calls);
  for (double* time : {&row.time_us, &row.predicted_us, &row.launch_us, &row.compute_us,
                       &row.memory_us, &row.sync_us, &row.execute_us, &row.stall_us}) {
    *time *= factor;
  }
  for (int64_t* count : {&row.multiply_adds, &row.flops, &row.bytes_read, &row.weight_bytes,
                         &row.weight_count, &row.bytes_written}) {
    *count *= calls;
  }
  for (LevelFigure& level : row.levels) {
    level.bytes *= calls;
    level.time_us *= factor;
  }
  row.calls = calls;
}

void divide_time(const PartWork& part, ProfiledOperator& row) {
  if (part.fused.size() < 2 || part.work.flops == 0) return;
  for (const PartWork::Share& share : part.fused) {
    const double of = static_cast<double>(share.flops) / static_cast<double>(part.work.flops);
    row.fused.push_back({std::string(share.name), row.time_us * of, of, row.calls});
  }
}

// All calls of one part, layer and phase.
struct Group {
  LanguageCall call;  // the first; the context is the mean's
  std::string_view part;
  int layer = -1;
  double start_us = 0, time_us = 0, context = 0;
  int64_t calls = 0;
};

std::vector<Group> groups_of(const std::vector<CallTimes>& calls) {
  std::vector<Group> groups;
  std::map<std::tuple<bool, std::string_view, int>, size_t> places;
  for (const CallTimes& call : calls) {
    for (const PartTime& part : call.parts) {
      const auto key = std::make_tuple(call.call.is_prefill, part.part, part.layer);
      const auto [found, is_new] = places.emplace(key, groups.size());
      if (is_new) groups.push_back({call.call, part.part, part.layer, part.start_us, 0, 0, 0});
      Group& group = groups[found->second];
      group.time_us += part.time_us;
      group.context += call.call.context;
      ++group.calls;
    }
  }
  return groups;
}

ProfiledOperator row_of(const Group& group, const PackedModel& model,
                        const language::CacheShape& cache, const Roofline& roofline) {
  const auto calls = static_cast<double>(group.calls);
  LanguageCall call = group.call;
  call.context = static_cast<int>(group.context / calls);
  const PartWork part = part_work(model, cache, group.part, group.layer, call);
  ProfiledOperator row;
  row.phase = call.is_prefill ? "prefill" : "decode";
  row.name = part_name(row.phase, group.part, group.layer);
  row.op = row.role = group.part;
  row.implementation = model.precision;
  row.layer = layer_text(group.layer);
  row.start_us = group.start_us;
  row.time_us = group.time_us / calls;
  set_work(part, row);
  const auto traffic = part_traffic(*roofline.roofs, part.work, model.bytes_per_token());
  place_on_roofline(roofline, part.work, traffic, row);
  row.predicted_us = predict_us(roofline, part.work);
  multiply(row, group.calls);
  divide_time(part, row);
  return row;
}

std::string call_name(const CallTimes& call, size_t index) {
  return call.call.is_prefill ? fmt::format("prefill of {} tokens", call.call.rows)
                              : fmt::format("decode {}", index);
}

// The layers of one call: from its first part to its last.
void add_layers(const CallTimes& call, ProfileTrack& track) {
  for (const PartTime& part : call.parts) {
    if (part.layer < 0) continue;
    const std::string name = fmt::format("layer {}", part.layer);
    if (track.slices.empty() || track.slices.back().name != name) {
      track.slices.push_back({name, "layer", part.start_us, 0});
    }
    TrackSlice& layer = track.slices.back();
    layer.time_us = part.start_us + part.time_us - layer.start_us;
  }
}

}  // namespace

std::vector<ProfiledOperator> analyse_language(const PackedModel& model,
                                               const language::CacheShape& cache,
                                               const Roofline& roofline,
                                               const std::vector<CallTimes>& calls) {
  std::vector<ProfiledOperator> rows;
  for (const Group& group : groups_of(calls)) {
    rows.push_back(row_of(group, model, cache, roofline));
  }
  add_shares(rows);
  return rows;
}

std::vector<ProfileTrack> language_tracks(const std::vector<CallTimes>& calls) {
  ProfileTrack phases{"phases", {}}, layers{"layers", {}}, parts{"parts", {}};
  for (size_t i = 0; i < calls.size(); ++i) {
    const CallTimes& call = calls[i];
    phases.slices.push_back({call_name(call, i), call.call.is_prefill ? "prefill" : "decode",
                             call.start_us, call.time_us});
    add_layers(call, layers);
    if (i > kDetailedSteps) continue;
    for (const PartTime& part : call.parts) {
      const std::string name =
          part.layer < 0 ? std::string(part.part) : fmt::format("{} {}", part.part, part.layer);
      parts.slices.push_back({name, std::string(part.part), part.start_us, part.time_us});
    }
  }
  return {std::move(phases), std::move(layers), std::move(parts)};
}

std::vector<BreakdownRow> by_part(const std::vector<ProfiledOperator>& operators) {
  std::map<std::string, BreakdownRow> rows;
  double total = 0;
  const auto add = [&](const std::string& name, double time_us) {
    BreakdownRow& row = rows[name];
    row.name = name;
    row.time_us += time_us;
    ++row.count;
    total += time_us;
  };
  for (const ProfiledOperator& op : operators) {
    if (op.fused.empty()) add(op.role, op.time_us);
    for (const BreakdownRow& part : op.fused) add(part.name, part.time_us);
  }
  std::vector<BreakdownRow> sorted;
  for (auto& [name, row] : rows) {
    row.share = total > 0 ? row.time_us / total : 0;
    sorted.push_back(std::move(row));
  }
  std::ranges::stable_sort(sorted, std::greater<>(), &BreakdownRow::time_us);
  return sorted;
}

}  // namespace edgewright
