#include "profile/trace/perfetto.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

namespace edgewright {
namespace {

// Field numbers of protos/perfetto/trace (Perfetto 40).
constexpr uint32_t kTracePacket = 1;
constexpr uint32_t kPacketClocks = 6, kPacketTimestamp = 8, kPacketSequence = 10, kPacketEvent = 11,
                   kPacketInterned = 12, kPacketFlags = 13, kPacketCompressed = 50,
                   kPacketClock = 58, kPacketDefaults = 59, kPacketTrack = 60;
constexpr uint32_t kDefaultsEvent = 11, kDefaultsClock = 58;
constexpr uint32_t kSnapshotClock = 1;
constexpr uint32_t kClockId = 1, kClockTimestamp = 2, kClockIsIncremental = 3, kClockUnitNs = 4;
constexpr uint32_t kTrackUuid = 1, kTrackName = 2, kTrackProcess = 3, kTrackThread = 4,
                   kTrackParent = 5, kTrackCounter = 8, kTrackStaticName = 10;
constexpr uint32_t kProcessPid = 1, kProcessName = 6;
constexpr uint32_t kThreadName = 5;
constexpr uint32_t kCounterUnit = 3, kCounterUnitName = 6;
constexpr uint32_t kEventCategoryIds = 3, kEventAnnotations = 4, kEventType = 9, kEventNameId = 10,
                   kEventTrack = 11, kEventCategories = 22, kEventName = 23,
                   kEventCounterValue = 30, kEventDoubleCounterValue = 44;
constexpr uint32_t kAnnotationUint = 3, kAnnotationInt = 4, kAnnotationDouble = 5,
                   kAnnotationString = 6, kAnnotationName = 10;
constexpr uint32_t kInternedCategories = 1, kInternedNames = 2;
constexpr uint32_t kInternedId = 1, kInternedName = 2;
constexpr uint64_t kSliceBegin = 1, kSliceEnd = 2, kCounter = 4;
constexpr uint64_t kUnitTimeNs = 1, kUnitCount = 2, kUnitSizeBytes = 3;
// The clock of all systems, in which packets are when they do not say otherwise.
constexpr uint64_t kBootClock = 6;
// Clocks from here on are each sequence's own.
constexpr uint64_t kFirstSequenceClock = 64;
// Tells readers that names of this sequence start anew.
constexpr uint64_t kIncrementalStateCleared = 1;

// ---- Writing ----

class Message {
 public:
  void varint(uint32_t field, uint64_t value) {
    key(field, 0);
    raw_varint(value);
  }
  void real(uint32_t field, double value) {
    key(field, 1);
    auto bits = std::bit_cast<uint64_t>(value);
    for (int i = 0; i < 8; ++i, bits >>= 8) bytes_.push_back(static_cast<char>(bits & 0xff));
  }
  void text(uint32_t field, std::string_view value) {
    key(field, 2);
    raw_varint(value.size());
    bytes_.append(value);
  }
  void message(uint32_t field, const Message& value) { text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void key(uint32_t field, uint32_t wire) { raw_varint(uint64_t{field} << 3 | wire); }
  void raw_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

constexpr uint64_t kProcessUuid = 1;
uint64_t track_uuid(size_t track) { return 100 + track; }
uint64_t counter_uuid(size_t counter) { return 1'000'000 + counter; }

uint64_t nanoseconds(double time_us) {
  return static_cast<uint64_t>(std::llround(std::max(0.0, time_us) * 1e3));
}

class Writer {
 public:
  std::string write(const Trace& trace) {
    describe(trace);
    for (const Edge& edge : edges_of(trace)) add_edge(trace, edge);
    for (size_t i = 0; i < trace.counters.size(); ++i) {
      for (const auto& [time_us, value] : trace.counters[i].points) {
        Message event;
        event.varint(kEventType, kCounter);
        event.varint(kEventTrack, counter_uuid(i));
        event.real(kEventDoubleCounterValue, value);
        add_event(nanoseconds(time_us), event);
      }
    }
    return trace_.bytes();
  }

 private:
  struct Edge {
    uint64_t time_ns;
    bool begins;
    size_t slice;
    uint64_t length_ns;
  };

  void add_packet(Message packet) {
    packet.varint(kPacketSequence, 1);
    if (first_) packet.varint(kPacketFlags, kIncrementalStateCleared);
    first_ = false;
    trace_.message(kTracePacket, packet);
  }

  void add_event(uint64_t time_ns, const Message& event) {
    Message packet;
    packet.varint(kPacketTimestamp, time_ns);
    packet.message(kPacketEvent, event);
    add_packet(std::move(packet));
  }

  void add_track(const Message& descriptor) {
    Message packet;
    packet.message(kPacketTrack, descriptor);
    add_packet(std::move(packet));
  }

  void describe(const Trace& trace) {
    Message process, root;
    process.varint(kProcessPid, 1);
    process.text(kProcessName, "edgewright");
    root.varint(kTrackUuid, kProcessUuid);
    root.message(kTrackProcess, process);
    add_track(root);
    for (size_t i = 0; i < trace.tracks.size(); ++i) {
      Message track;
      track.varint(kTrackUuid, track_uuid(i));
      track.varint(kTrackParent, kProcessUuid);
      track.text(kTrackName, trace.tracks[i]);
      add_track(track);
    }
    for (size_t i = 0; i < trace.counters.size(); ++i) {
      Message counter, track;
      const std::string& unit = trace.counters[i].unit;
      if (unit == "bytes") counter.varint(kCounterUnit, kUnitSizeBytes);
      counter.text(kCounterUnitName, unit);
      track.varint(kTrackUuid, counter_uuid(i));
      track.varint(kTrackParent, kProcessUuid);
      track.text(kTrackName, trace.counters[i].name);
      track.message(kTrackCounter, counter);
      add_track(track);
    }
  }

  // In time order; at one moment ends come before begins, inner ends first, outer begins first.
  static std::vector<Edge> edges_of(const Trace& trace) {
    std::vector<Edge> edges;
    edges.reserve(trace.slices.size() * 2);
    for (size_t i = 0; i < trace.slices.size(); ++i) {
      const TraceSlice& slice = trace.slices[i];
      const uint64_t begin = nanoseconds(slice.start_us);
      const uint64_t end = std::max(begin + 1, nanoseconds(slice.start_us + slice.duration_us));
      edges.push_back({begin, true, i, end - begin});
      edges.push_back({end, false, i, end - begin});
    }
    std::ranges::stable_sort(edges, [](const Edge& a, const Edge& b) {
      if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
      if (a.begins != b.begins) return b.begins;
      return a.begins ? a.length_ns > b.length_ns : a.length_ns < b.length_ns;
    });
    return edges;
  }

  void add_edge(const Trace& trace, const Edge& edge) {
    const TraceSlice& slice = trace.slices[edge.slice];
    Message event;
    event.varint(kEventType, edge.begins ? kSliceBegin : kSliceEnd);
    event.varint(kEventTrack, track_uuid(slice.track));
    if (edge.begins) {
      event.text(kEventName, slice.name);
      event.text(kEventCategories, slice.category);
      for (const auto& [key, value] : slice.numbers) {
        Message annotation;
        annotation.text(kAnnotationName, key);
        annotation.real(kAnnotationDouble, value);
        event.message(kEventAnnotations, annotation);
      }
      for (const auto& [key, value] : slice.words) {
        Message annotation;
        annotation.text(kAnnotationName, key);
        annotation.text(kAnnotationString, value);
        event.message(kEventAnnotations, annotation);
      }
    }
    add_event(edge.time_ns, event);
  }

  Message trace_;
  bool first_ = true;
};

// ---- Reading ----

struct Field {
  uint32_t number = 0;
  uint64_t value = 0;      // varint or fixed
  std::string_view bytes;  // length-delimited
};

// The fields of one message, front to back. `ok` turns false where the bytes are no message.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }

  std::optional<Field> next() {
    if (rest_.empty() || !ok_) return std::nullopt;
    const auto key = varint();
    Field field;
    field.number = static_cast<uint32_t>(key.value_or(0) >> 3);
    ok_ = key.has_value() && field.number > 0;
    if (!ok_) return std::nullopt;
    switch (*key & 7) {
      case 0: return with_varint(field);
      case 1: return with_fixed(field, 8);
      case 2: return with_bytes(field);
      case 5: return with_fixed(field, 4);
      default: ok_ = false; return std::nullopt;
    }
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      value |= uint64_t{byte & 0x7fU} << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }
  std::optional<Field> with_varint(Field field) {
    const auto value = varint();
    ok_ = value.has_value();
    if (!ok_) return std::nullopt;
    field.value = *value;
    return field;
  }
  std::optional<Field> with_fixed(Field field, size_t size) {
    ok_ = rest_.size() >= size;
    if (!ok_) return std::nullopt;
    for (size_t i = 0; i < size; ++i) {
      field.value |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    }
    rest_.remove_prefix(size);
    return field;
  }
  std::optional<Field> with_bytes(Field field) {
    const auto size = varint();
    ok_ = size.has_value() && *size <= rest_.size();
    if (!ok_) return std::nullopt;
    field.bytes = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    return field;
  }

  std::string_view rest_;
  bool ok_ = true;
};

template <class Visit>
Status for_each_field(std::string_view bytes, Visit&& visit) {
  Fields fields(bytes);
  while (auto field = fields.next()) EDGEWRIGHT_TRY(visit(*field));
  if (!fields.ok()) return bad_input("a message is cut short or no protobuf");
  return {};
}

// Times of packets in nanoseconds of one clock. Recorders write differences to the packet before,
// in clocks of their own that snapshots set against those of the system.
class Clocks {
 public:
  Status snapshot(std::string_view bytes, uint64_t sequence) {
    std::vector<std::pair<uint64_t, Clock>> clocks;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number != kSnapshotClock) return {};
      uint64_t id = 0;
      Clock clock;
      EDGEWRIGHT_TRY(for_each_field(field.bytes, [&](const Field& inner) -> Status {
        if (inner.number == kClockId) id = inner.value;
        if (inner.number == kClockTimestamp) clock.last = static_cast<double>(inner.value);
        if (inner.number == kClockIsIncremental) clock.is_incremental = inner.value != 0;
        if (inner.number == kClockUnitNs) clock.unit_ns = static_cast<double>(inner.value);
        return {};
      }));
      clocks.emplace_back(id, clock);
      return {};
    }));
    const auto boot = std::ranges::find(clocks, kBootClock, &std::pair<uint64_t, Clock>::first);
    if (boot == clocks.end()) return {};
    const double now_ns = boot->second.last * boot->second.unit_ns;
    for (auto& [id, clock] : clocks) {
      clock.offset_ns = now_ns - clock.last * clock.unit_ns;
      clocks_[key(id, sequence)] = clock;
    }
    return {};
  }

  double time_ns(uint64_t id, uint64_t sequence, double time) {
    const auto found = clocks_.find(key(id, sequence));
    if (found == clocks_.end()) return time;
    Clock& clock = found->second;
    clock.last = clock.is_incremental ? clock.last + time : time;
    return clock.offset_ns + clock.last * clock.unit_ns;
  }

 private:
  struct Clock {
    double last = 0, unit_ns = 1, offset_ns = 0;
    bool is_incremental = false;
  };
  static std::pair<uint64_t, uint64_t> key(uint64_t id, uint64_t sequence) {
    return {id, id < kFirstSequenceClock ? 0 : sequence};
  }
  std::map<std::pair<uint64_t, uint64_t>, Clock> clocks_;
};

class PacketReader {
 public:
  Status packet(std::string_view bytes) {
    uint64_t sequence = 0;
    std::optional<uint64_t> time, clock;
    std::optional<std::string_view> event, track, interned, defaults, clocks;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      switch (field.number) {
        case kPacketTimestamp: time = field.value; break;
        case kPacketClock: clock = field.value; break;
        case kPacketSequence: sequence = field.value; break;
        case kPacketInterned: interned = field.bytes; break;
        case kPacketDefaults: defaults = field.bytes; break;
        case kPacketClocks: clocks = field.bytes; break;
        case kPacketEvent: event = field.bytes; break;
        case kPacketTrack: track = field.bytes; break;
        case kPacketCompressed:
          return unsupported("packets are compressed; record without compression");
        default: break;
      }
      return {};
    }));
    if (interned) EDGEWRIGHT_TRY(read_interned(*interned, sequence));
    if (defaults) EDGEWRIGHT_TRY(read_defaults(*defaults, sequence));
    if (clocks) EDGEWRIGHT_TRY(clocks_.snapshot(*clocks, sequence));
    if (track) EDGEWRIGHT_TRY(read_track(*track));
    // Packets of every kind move a clock of differences on.
    double time_us = 0;
    if (time) {
      const uint64_t of = clock.value_or(defaults_[sequence].clock);
      time_us = clocks_.time_ns(of, sequence, static_cast<double>(*time)) / 1e3;
    }
    return event ? read_event(*event, time_us, sequence) : Status();
  }

  Trace finish() { return std::move(trace_); }

 private:
  struct Event {
    uint64_t type = 0, track = 0, name_id = 0, category_id = 0;
    std::string_view name, category;
    double value = 0;
    TraceSlice slice;
  };
  // Of a sequence: what its packets do not repeat.
  struct Defaults {
    uint64_t clock = kBootClock, track = 0;
  };
  using Names = std::map<std::pair<uint64_t, uint64_t>, std::string>;

  Status read_defaults(std::string_view bytes, uint64_t sequence) {
    Defaults& defaults = defaults_[sequence] = {};
    return for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number == kDefaultsClock) defaults.clock = field.value;
      if (field.number != kDefaultsEvent) return {};
      return for_each_field(field.bytes, [&](const Field& inner) -> Status {
        if (inner.number == kEventTrack) defaults.track = inner.value;
        return {};
      });
    });
  }

  static Status read_names(std::string_view bytes, uint64_t sequence, Names& names) {
    uint64_t id = 0;
    std::string_view name;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number == kInternedId) id = field.value;
      if (field.number == kInternedName) name = field.bytes;
      return {};
    }));
    names[{sequence, id}] = name;
    return {};
  }

  Status read_interned(std::string_view bytes, uint64_t sequence) {
    return for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number == kInternedNames) return read_names(field.bytes, sequence, names_);
      if (field.number == kInternedCategories) {
        return read_names(field.bytes, sequence, categories_);
      }
      return {};
    });
  }

  Status read_track(std::string_view bytes) {
    uint64_t uuid = 0;
    std::string name, unit;
    bool counts = false;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number == kTrackUuid) uuid = field.value;
      if (field.number == kTrackName || field.number == kTrackStaticName) name = field.bytes;
      if (field.number == kTrackThread) {
        return for_each_field(field.bytes, [&](const Field& inner) -> Status {
          if (inner.number == kThreadName && name.empty()) name = inner.bytes;
          return {};
        });
      }
      if (field.number != kTrackCounter) return {};
      counts = true;
      return for_each_field(field.bytes, [&](const Field& inner) -> Status {
        if (inner.number == kCounterUnitName) unit = inner.bytes;
        if (inner.number == kCounterUnit && unit.empty()) unit = unit_name(inner.value);
        return {};
      });
    }));
    if (counts) {
      counters_[uuid] = trace_.counters.size();
      trace_.counters.push_back({name, unit, {}});
    } else {
      tracks_[uuid] = name.empty() ? fmt::format("track {}", uuid) : name;
    }
    return {};
  }

  static std::string unit_name(uint64_t unit) {
    if (unit == kUnitTimeNs) return "ns";
    if (unit == kUnitCount) return "count";
    return unit == kUnitSizeBytes ? "bytes" : "";
  }

  static Status read_annotation(std::string_view bytes, TraceSlice& slice) {
    std::string name;
    std::optional<double> number;
    std::optional<std::string> word;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      if (field.number == kAnnotationName) name = field.bytes;
      if (field.number == kAnnotationUint) number = static_cast<double>(field.value);
      if (field.number == kAnnotationInt) {
        number = static_cast<double>(static_cast<int64_t>(field.value));
      }
      if (field.number == kAnnotationDouble) number = std::bit_cast<double>(field.value);
      if (field.number == kAnnotationString) word = std::string(field.bytes);
      return {};
    }));
    if (number) slice.numbers[name] = *number;
    if (word) slice.words[name] = *word;
    return {};
  }

  Status read_event(std::string_view bytes, double time_us, uint64_t sequence) {
    Event event;
    event.track = defaults_[sequence].track;
    EDGEWRIGHT_TRY(for_each_field(bytes, [&](const Field& field) -> Status {
      switch (field.number) {
        case kEventType: event.type = field.value; break;
        case kEventTrack: event.track = field.value; break;
        case kEventNameId: event.name_id = field.value; break;
        case kEventName: event.name = field.bytes; break;
        case kEventCategories: event.category = field.bytes; break;
        case kEventCategoryIds: event.category_id = field.value; break;
        case kEventCounterValue:
          event.value = static_cast<double>(static_cast<int64_t>(field.value));
          break;
        case kEventDoubleCounterValue: event.value = std::bit_cast<double>(field.value); break;
        case kEventAnnotations: return read_annotation(field.bytes, event.slice);
        default: break;
      }
      return {};
    }));
    return apply(event, time_us, sequence);
  }

  Status apply(Event& event, double time_us, uint64_t sequence) {
    if (event.type == kCounter) {
      const auto counter = counters_.find(event.track);
      if (counter != counters_.end()) {
        trace_.counters[counter->second].points.emplace_back(time_us, event.value);
      }
      return {};
    }
    auto& open = open_[event.track];
    if (event.type == kSliceBegin) {
      TraceSlice& slice = event.slice;
      slice.name = event.name.empty() ? names_[{sequence, event.name_id}] : event.name;
      slice.category =
          event.category.empty() ? categories_[{sequence, event.category_id}] : event.category;
      slice.start_us = time_us;
      const auto track = tracks_.find(event.track);
      slice.track = trace_.track(track == tracks_.end() ? fmt::format("track {}", event.track)
                                                        : track->second);
      open.push_back(std::move(slice));
    } else if (event.type == kSliceEnd && !open.empty()) {  // else it began before the recording
      open.back().duration_us = time_us - open.back().start_us;
      trace_.slices.push_back(std::move(open.back()));
      open.pop_back();
    }
    return {};
  }

  Trace trace_;
  Clocks clocks_;
  std::map<uint64_t, Defaults> defaults_;
  Names names_, categories_;
  std::map<uint64_t, std::string> tracks_;
  std::map<uint64_t, size_t> counters_;
  std::map<uint64_t, std::vector<TraceSlice>> open_;
};

}  // namespace

bool is_perfetto_trace(std::string_view head) {
  // A trace is a list of packets: field 1, length-delimited.
  return head.size() > 2 && head.front() == '\x0a';
}

Result<Trace> parse_perfetto_trace(std::string_view text) {
  PacketReader reader;
  EDGEWRIGHT_TRY(for_each_field(text, [&](const Field& field) -> Status {
    return field.number == kTracePacket ? reader.packet(field.bytes) : Status();
  }));
  Trace trace = reader.finish();
  if (trace.slices.empty()) return bad_input("no slices of track events in it");
  return trace;
}

std::string to_perfetto(const Trace& trace) { return Writer().write(trace); }

}  // namespace edgewright
