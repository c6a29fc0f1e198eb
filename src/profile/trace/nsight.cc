#include "profile/trace/nsight.h"

#include <sqlite3.h>

#include <functional>
#include <memory>

namespace edgewright {
namespace {

// Exports of long sessions have millions of rows; more than this is no model's profile.
constexpr int64_t kMaxRows = 5'000'000;

using Database = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;
using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

std::string text_at(sqlite3_stmt* row, int column) {
  const auto* text = sqlite3_column_text(row, column);
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

class Export {
 public:
  explicit Export(sqlite3* database) : database_(database) {}

  bool has_table(const char* name) {
    bool found = false;
    static_cast<void>(
        rows(fmt::format("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{}'", name),
             [&](sqlite3_stmt*) { found = true; })
            .ok());
    return found;
  }

  Status rows(const std::string& query, const std::function<void(sqlite3_stmt*)>& visit) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database_, query.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
      return bad_input("the database is not as Nsight Systems exports it: {}",
                       sqlite3_errmsg(database_));
    }
    const Statement statement(raw, sqlite3_finalize);
    int code = SQLITE_ROW;
    for (int64_t count = 0; (code = sqlite3_step(raw)) == SQLITE_ROW; ++count) {
      if (count == kMaxRows) return bad_input("more than {} rows in one table", kMaxRows);
      visit(raw);
    }
    if (code != SQLITE_DONE) return bad_input("{}", sqlite3_errmsg(database_));
    return {};
  }

 private:
  sqlite3* database_;
};

// cudaMemcpyKind, as CUPTI numbers its copies.
std::string copy_name(int kind) {
  switch (kind) {
    case 1: return "copy to device";
    case 2: return "copy to host";
    case 8: return "copy on device";
    case 10: return "copy between devices";
    default: return "copy";
  }
}

TraceSlice slice_of(std::string name, std::string category, uint32_t track, sqlite3_stmt* row) {
  const auto start = static_cast<double>(sqlite3_column_int64(row, 0)) / 1e3;
  const auto end = static_cast<double>(sqlite3_column_int64(row, 1)) / 1e3;
  return {std::move(name), std::move(category), track, start, std::max(0.0, end - start), {}, {}};
}

Status read_kernels(Export& source, Trace& trace) {
  const std::string names =
      source.has_table("StringIds") ? "LEFT JOIN StringIds s ON s.id = k.demangledName" : "";
  const std::string name = names.empty() ? "k.demangledName" : "COALESCE(s.value, k.demangledName)";
  return source.rows(
      fmt::format("SELECT k.start, k.end, k.deviceId, k.streamId, {} FROM "
                  "CUPTI_ACTIVITY_KIND_KERNEL k {} ORDER BY k.start",
                  name, names),
      [&](sqlite3_stmt* row) {
        const uint32_t track = trace.track(fmt::format(
            "device {} stream {}", sqlite3_column_int(row, 2), sqlite3_column_int(row, 3)));
        trace.slices.push_back(slice_of(text_at(row, 4), "kernel", track, row));
      });
}

Status read_copies(Export& source, Trace& trace) {
  if (!source.has_table("CUPTI_ACTIVITY_KIND_MEMCPY")) return {};
  return source.rows(
      "SELECT start, end, streamId, bytes, copyKind FROM CUPTI_ACTIVITY_KIND_MEMCPY ORDER BY start",
      [&](sqlite3_stmt* row) {
        const uint32_t track =
            trace.track(fmt::format("copies stream {}", sqlite3_column_int(row, 2)));
        TraceSlice slice = slice_of(copy_name(sqlite3_column_int(row, 4)), "copy", track, row);
        slice.numbers["bytes"] = static_cast<double>(sqlite3_column_int64(row, 3));
        trace.slices.push_back(std::move(slice));
      });
}

Status read_fills(Export& source, Trace& trace) {
  if (!source.has_table("CUPTI_ACTIVITY_KIND_MEMSET")) return {};
  return source.rows(
      "SELECT start, end, streamId, bytes FROM CUPTI_ACTIVITY_KIND_MEMSET ORDER BY start",
      [&](sqlite3_stmt* row) {
        const uint32_t track =
            trace.track(fmt::format("copies stream {}", sqlite3_column_int(row, 2)));
        TraceSlice slice = slice_of("fill on device", "fill", track, row);
        slice.numbers["bytes"] = static_cast<double>(sqlite3_column_int64(row, 3));
        trace.slices.push_back(std::move(slice));
      });
}

// CUPTI's own records of them; recordings without these still have the host's calls.
Status read_synchronisations(Export& source, Trace& trace) {
  std::string query;
  if (source.has_table("CUPTI_ACTIVITY_KIND_SYNCHRONIZATION")) {
    query = "SELECT start, end FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION ORDER BY start";
  } else if (source.has_table("CUPTI_ACTIVITY_KIND_RUNTIME") && source.has_table("StringIds")) {
    query =
        "SELECT r.start, r.end FROM CUPTI_ACTIVITY_KIND_RUNTIME r JOIN StringIds s ON s.id = "
        "r.nameId WHERE s.value LIKE '%Synchronize%' ORDER BY r.start";
  } else {
    return {};
  }
  return source.rows(query, [&](sqlite3_stmt* row) {
    trace.slices.push_back(
        slice_of("synchronise", "synchronise", trace.track("host synchronisation"), row));
  });
}

// Ranges that the program named (NVTX, pushed and started ones), which hold kernels.
Status read_ranges(Export& source, Trace& trace) {
  if (!source.has_table("NVTX_EVENTS")) return {};
  const bool has_names = source.has_table("StringIds");
  return source.rows(
      fmt::format("SELECT n.start, n.end, n.globalTid % 16777216, {} FROM NVTX_EVENTS n {} WHERE "
                  "n.end IS NOT NULL AND n.eventType IN (59, 60) ORDER BY n.start",
                  has_names ? "COALESCE(n.text, s.value)" : "n.text",
                  has_names ? "LEFT JOIN StringIds s ON s.id = n.textId" : ""),
      [&](sqlite3_stmt* row) {
        const uint32_t track =
            trace.track(fmt::format("ranges of thread {}", sqlite3_column_int64(row, 2)));
        trace.slices.push_back(slice_of(text_at(row, 3), "range", track, row));
      });
}

}  // namespace

bool is_sqlite(std::string_view head) { return head.starts_with("SQLite format 3"); }

Result<Trace> import_nsight(const std::string& path) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
  const Database database(raw, sqlite3_close);
  if (code != SQLITE_OK) return bad_input("{}: {}", path, sqlite3_errmsg(raw));
  Export source(raw);
  if (!source.has_table("CUPTI_ACTIVITY_KIND_KERNEL")) {
    return bad_input(
        "{}: no table CUPTI_ACTIVITY_KIND_KERNEL; export it with nsys export --type "
        "sqlite from a recording that traced CUDA",
        path);
  }
  Trace trace;
  trace.source = "nsight";
  EDGEWRIGHT_TRY(read_kernels(source, trace));
  EDGEWRIGHT_TRY(read_copies(source, trace));
  EDGEWRIGHT_TRY(read_fills(source, trace));
  EDGEWRIGHT_TRY(read_synchronisations(source, trace));
  EDGEWRIGHT_TRY(read_ranges(source, trace));
  sum_operators(trace);
  return trace;
}

}  // namespace edgewright
