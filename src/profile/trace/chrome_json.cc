#include "profile/trace/chrome_json.h"

#include <cmath>

#include "base/json.h"

namespace edgewright {
namespace {

std::string text_of(const Json& event, const char* key) {
  const auto it = event.find(key);
  if (it == event.end()) return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

double number_of(const Json& event, const char* key) {
  const auto it = event.find(key);
  return it != event.end() && it->is_number() ? it->get<double>() : 0;
}

class Reader {
 public:
  Result<Trace> read(const Json& events) {
    name_threads(events);
    for (const Json& event : events) {
      if (!event.is_object())
        return bad_input("an event is {}, expected an object", event.type_name());
      EDGEWRIGHT_TRY(add(event));
    }
    return std::move(trace_);
  }

 private:
  using Open = std::vector<TraceSlice>;

  static std::string key_of(const Json& event) {
    return text_of(event, "pid") + "/" + text_of(event, "tid");
  }

  void name_threads(const Json& events) {
    for (const Json& event : events) {
      if (!event.is_object() || text_of(event, "name") != "thread_name") continue;
      const auto args = event.find("args");
      if (args != event.end() && args->is_object()) names_[key_of(event)] = text_of(*args, "name");
    }
  }

  uint32_t track_of(const Json& event) {
    const std::string key = key_of(event);
    const auto name = names_.find(key);
    return trace_.track(name == names_.end() ? key : name->second);
  }

  static void add_arguments(const Json& event, TraceSlice& slice) {
    const auto args = event.find("args");
    if (args == event.end() || !args->is_object()) return;
    for (const auto& [key, value] : args->items()) {
      if (value.is_number()) slice.numbers[key] = value.get<double>();
      if (value.is_string()) slice.words[key] = value.get<std::string>();
    }
  }

  Status add(const Json& event) {
    const std::string phase = text_of(event, "ph");
    TraceSlice slice{text_of(event, "name"),
                     text_of(event, "cat"),
                     0,
                     number_of(event, "ts"),
                     number_of(event, "dur"),
                     {},
                     {}};
    if (phase == "X" || phase == "B") {
      slice.track = track_of(event);
      add_arguments(event, slice);
      if (phase == "X") {
        trace_.slices.push_back(std::move(slice));
      } else {
        open_[slice.track].push_back(std::move(slice));
      }
    } else if (phase == "E") {
      Open& open = open_[track_of(event)];
      if (open.empty()) return {};  // it began before the recording
      open.back().duration_us = slice.start_us - open.back().start_us;
      trace_.slices.push_back(std::move(open.back()));
      open.pop_back();
    } else if (phase == "C") {
      add_counter(event, slice);
    }
    return {};
  }

  void add_counter(const Json& event, const TraceSlice& at) {
    const auto args = event.find("args");
    if (args == event.end() || !args->is_object()) return;
    for (const auto& [key, value] : args->items()) {
      if (!value.is_number()) continue;
      auto counter = std::ranges::find(trace_.counters, at.name, &TraceCounter::name);
      if (counter == trace_.counters.end()) {
        trace_.counters.push_back({at.name, key, {}});
        counter = trace_.counters.end() - 1;
      }
      counter->points.emplace_back(at.start_us, value.get<double>());
    }
  }

  Trace trace_;
  std::map<std::string, std::string> names_;
  std::map<uint32_t, Open> open_;
};

}  // namespace

bool is_chrome_json(std::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  return (head[first] == '{' && head.find("\"traceEvents\"") != std::string_view::npos) ||
         (head[first] == '[' && head.find("\"ph\"") != std::string_view::npos);
}

Result<Trace> parse_chrome_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return bad_input("the JSON is not well formed");
  if (json.is_array()) return Reader().read(json);
  const auto events = json.find("traceEvents");
  if (events == json.end() || !events->is_array()) return bad_input("no list of traceEvents");
  return Reader().read(*events);
}

std::string to_chrome_json(const Trace& trace) {
  Json events = Json::array();
  for (size_t i = 0; i < trace.tracks.size(); ++i) {
    events.push_back({{"ph", "M"},
                      {"name", "thread_name"},
                      {"pid", 1},
                      {"tid", i + 1},
                      {"args", {{"name", trace.tracks[i]}}}});
  }
  for (const TraceSlice& slice : trace.slices) {
    Json args = Json::object();
    for (const auto& [key, value] : slice.numbers) args[key] = value;
    for (const auto& [key, value] : slice.words) args[key] = value;
    events.push_back({{"ph", "X"},
                      {"name", slice.name},
                      {"cat", slice.category},
                      {"pid", 1},
                      {"tid", slice.track + 1},
                      {"ts", slice.start_us},
                      {"dur", slice.duration_us},
                      {"args", std::move(args)}});
  }
  for (const TraceCounter& counter : trace.counters) {
    for (const auto& [time_us, value] : counter.points) {
      events.push_back({{"ph", "C"},
                        {"name", counter.name},
                        {"pid", 1},
                        {"ts", time_us},
                        {"args", {{counter.unit, value}}}});
    }
  }
  return Json({{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}}).dump() + "\n";
}

}  // namespace edgewright
