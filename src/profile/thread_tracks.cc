#include "profile/thread_tracks.h"

#include <algorithm>
#include <map>

#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = PoolTrace::Clock;

// The span that has begun last at this time; spans are in order.
const TrackSlice* span_at(std::span<const TrackSlice> spans, double time_us) {
  const auto after = std::ranges::upper_bound(spans, time_us, {}, &TrackSlice::start_us);
  return after == spans.begin() ? nullptr : &*(after - 1);
}

}  // namespace

std::vector<ProfileTrack> worker_tracks(std::span<const PoolTrace::Slice> slices,
                                        Clock::time_point begin,
                                        std::span<const TrackSlice> during) {
  std::map<int, ProfileTrack> workers;
  for (const PoolTrace::Slice& slice : slices) {
    ProfileTrack& track = workers[slice.worker];
    const double start_us = microseconds(begin, slice.begin);
    const TrackSlice* span = span_at(during, start_us);
    track.slices.push_back({span == nullptr ? "" : span->name, span == nullptr ? "" : span->kind,
                            start_us, microseconds(slice.begin, slice.end)});
  }
  std::vector<ProfileTrack> tracks;
  for (auto& [worker, track] : workers) {
    track.name = fmt::format("thread {}", worker);
    std::ranges::sort(track.slices, {}, &TrackSlice::start_us);
    tracks.push_back(std::move(track));
  }
  return tracks;
}

Result<std::vector<ProfileTrack>> thread_tracks(Session& session, std::span<const Datum> inputs,
                                                std::span<const ProfiledOperator> operators) {
  EDGEWRIGHT_TRY(session.run(inputs));
  std::vector<Clock::time_point> moments;
  moments.reserve(operators.size() + 1);
  RunHooks hooks;
  hooks.moments = &moments;
  const PoolTrace trace;
  const auto begin = Clock::now();
  EDGEWRIGHT_TRY(session.run(inputs, &hooks));
  std::vector<TrackSlice> steps;
  for (size_t i = 0; i < operators.size() && i + 1 < moments.size(); ++i) {
    steps.push_back({operators[i].name, operators[i].kind, microseconds(begin, moments[i]),
                     microseconds(moments[i], moments[i + 1])});
  }
  return worker_tracks(trace.slices(), begin, steps);
}

}  // namespace edgewright
