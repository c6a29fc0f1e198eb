#include "profile/trace/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "profile/trace/chrome_json.h"
#include "profile/trace/nsight.h"
#include "profile/trace/perfetto.h"

namespace edgewright {
namespace {

Trace sample() {
  Trace trace;
  const uint32_t main = trace.track("main"), other = trace.track("worker 1");
  trace.slices = {{"run", "run", main, 0, 100, {}, {}},
                  {"conv", "operator", main, 10, 40, {{"flops", 1e6}}, {{"op", "Conv"}}},
                  {"relu", "operator", main, 50, 10, {}, {{"op", "Relu"}}},
                  {"part", "operator", other, 20, 20, {}, {}}};
  trace.counters = {{"memory", "bytes", {{0, 10}, {50, 30}}}, {"rate", "GOP/s", {{10, 2.5}}}};
  return trace;
}

void expect_same(const Trace& read) {
  ASSERT_EQ(read.slices.size(), 4U);
  EXPECT_TRUE(is_nested(read));
  const auto conv = std::ranges::find(read.slices, "conv", &TraceSlice::name);
  ASSERT_NE(conv, read.slices.end());
  EXPECT_DOUBLE_EQ(conv->start_us, 10);
  EXPECT_DOUBLE_EQ(conv->duration_us, 40);
  EXPECT_DOUBLE_EQ(conv->numbers.at("flops"), 1e6);
  EXPECT_EQ(conv->words.at("op"), "Conv");
  EXPECT_EQ(read.tracks[conv->track], "main");
  ASSERT_EQ(read.counters.size(), 2U);
  EXPECT_EQ(read.counters[0].unit, "bytes");
  EXPECT_EQ(read.counters[1].unit, "GOP/s");
  EXPECT_THAT(read.counters[0].points,
              testing::ElementsAre(testing::Pair(0, 10), testing::Pair(50, 30)));
}

TEST(Trace, ChromeJsonComesBackAsItWas) {
  const auto read = import_trace(to_chrome_json(sample()), "t.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->source, "chrome");
  expect_same(*read);
}

TEST(Trace, PerfettoComesBackAsItWas) {
  const auto read = import_trace(to_perfetto(sample()), "t.perfetto-trace");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->source, "perfetto");
  expect_same(*read);
}

TEST(Trace, FiguresOfBusyTracks) {
  const TraceFigures figures = trace_figures(sample());
  EXPECT_DOUBLE_EQ(figures.span_us, 50);  // 10 .. 60; the run itself is no work
  EXPECT_DOUBLE_EQ(figures.busy_us, 50);
  EXPECT_DOUBLE_EQ(figures.largest_concurrency, 2);
  EXPECT_DOUBLE_EQ(figures.average_concurrency, 70.0 / 50);
}

// What a slice holds counts for what it holds, so that operators add up to the time of their track.
TEST(Trace, SumsOperatorsWithoutWhatTheyContain) {
  Trace trace;
  const uint32_t main = trace.track("main");
  trace.slices = {{"layer", "module", main, 0, 100, {}, {}},
                  {"product", "operator", main, 10, 40, {}, {}},
                  {"copy in", "copy", main, 20, 5, {}, {}},
                  {"product", "operator", main, 60, 30, {}, {}}};
  sum_operators(trace);
  ASSERT_EQ(trace.operators.size(), 3U);
  EXPECT_DOUBLE_EQ(trace.operators[0].total_us, 30);
  EXPECT_DOUBLE_EQ(trace.operators[1].total_us, 65);
  EXPECT_DOUBLE_EQ(trace.operators[2].total_us, 5);
  EXPECT_EQ(trace.operators[1].calls, 2);
}

// Protobuf by hand, as Perfetto's recorder uses it.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string number(uint32_t field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string message(uint32_t field, const std::string& bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string packet(const std::string& bytes) { return message(1, number(10, 2) + bytes); }

TEST(Trace, ReadsPerfettoTimesThatAreSteps) {
  const std::string steps =
      message(1, number(1, 64) + number(2, 0) + number(3, 1) + number(4, 1000));
  const std::string clocks = message(6, message(1, number(1, 6) + number(2, 5'000'000)) + steps);
  const std::string defaults = message(59, number(58, 64) + message(11, number(11, 20)));
  const std::string track = message(60, number(1, 20) + message(4, message(5, "worker")));
  const auto event = [](uint64_t step, uint64_t type, const std::string& more) {
    return packet(number(8, step) + message(11, number(9, type) + more));
  };
  const std::string text = packet(defaults + clocks) + packet(track) + event(3, 2, "") +
                           event(10, 1, message(23, "product")) + event(25, 2, "");
  const auto read = import_trace(text, "t.pftrace");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->slices.size(), 1U);  // one slice began before the recording
  EXPECT_DOUBLE_EQ(read->slices[0].start_us, 5013);
  EXPECT_DOUBLE_EQ(read->slices[0].duration_us, 25);
  EXPECT_EQ(read->slices[0].name, "product");
  EXPECT_EQ(read->tracks[read->slices[0].track], "worker");
}

TEST(Trace, SlicesThatCrossAreNotNested) {
  Trace trace = sample();
  trace.slices.push_back({"crossing", "operator", 0, 45, 10, {}, {}});
  EXPECT_FALSE(is_nested(trace));
}

TEST(Trace, ReadsProfilesOfOnnxRuntime) {
  const auto read = import_trace(
      R"([{"cat" : "Session","dur" :500,"ts" :1,"ph" : "X","name" :"model_loading_uri","args" : {}},
{"cat" : "Node","dur" :88,"ts" :600,"ph" : "X","name" :"conv1_kernel_time","args" : {
"op_name" : "Conv", "provider" : "CPUExecutionProvider","input_type_shape" : [{"float":[1,3,8,8]},{"float":[4,3,3,3]}],
"output_type_shape" : [{"float":[1,4,8,8]}]}},
{"cat" : "Node","dur" :1,"ts" :599,"ph" : "X","name" :"conv1_fence_before",
"args" : {"op_name" : "Conv"}},
{"cat" : "Session","dur" :90,"ts" :599,"ph" : "X","name" :"model_run","args" : {}}])",
      "p.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->source, "onnxruntime");
  ASSERT_EQ(read->operators.size(), 1U);
  EXPECT_EQ(read->operators[0].op, "Conv");
  EXPECT_DOUBLE_EQ(read->operators[0].total_us, 88);
  EXPECT_EQ(read->operators[0].inputs[1].dims, (Dims{4, 3, 3, 3}));
  EXPECT_DOUBLE_EQ(read->stated_total_us, 90);
}

TEST(Trace, ReadsReportsOfOpenVino) {
  const auto read = import_trace(
      "layerName;execStatus;layerType;execType;realTime (ms);cpuTime (ms)\n"
      "input;Status.NOT_RUN;Parameter;unknown_I8;0.000;0.000\n"
      "conv;Status.EXECUTED;Convolution;brgconv_avx512;0.018;0.018\n"
      "Total;;;;0.018;0.018\n",
      "r.csv");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->operators.size(), 2U);
  EXPECT_DOUBLE_EQ(read->operators[1].total_us, 18);
  EXPECT_DOUBLE_EQ(read->stated_total_us, 18);
}

TEST(Trace, ReadsReportsOfTfliteBenchmark) {
  const auto read = import_trace(
      "INFO: STARTING!\n"
      "INFO: Profiling Info for Benchmark Initialization:\n"
      "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t"
      "[times called]\t[Name]\n"
      "\t         AllocateTensors\t    9.000\t    9.000\t100.000%\t100.000%\t     0.000\t"
      "        1\tAllocateTensors/0\n"
      "Timings (microseconds): count=1 curr=9000\n"
      "INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n"
      "============================== Run Order ==============================\n"
      "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t"
      "[times called]\t[Name]\n"
      "\t                 CONV_2D\t    1.200\t    1.000\t 80.000%\t 80.000%\t     0.000\t"
      "        1\t[conv]:0\n"
      "\t                 SOFTMAX\t    0.300\t    0.250\t 20.000%\t100.000%\t     0.000\t"
      "        1\t[prob]:1\n"
      "\n============================== Top by Computation Time ===============\n"
      "Timings (microseconds): count=50 first=1500 curr=1249 min=1240 max=1500 avg=1251.5 std=9\n",
      "t.txt");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->source, "tflite");
  ASSERT_EQ(read->operators.size(), 2U);
  EXPECT_EQ(read->operators[0].op, "CONV_2D");
  EXPECT_DOUBLE_EQ(read->operators[0].total_us + read->operators[1].total_us, 1250);
  EXPECT_DOUBLE_EQ(read->stated_total_us, 1251.5);
  EXPECT_EQ(read->runs, 50);
}

TEST(Trace, RefusesWhatIsNoTrace) {
  for (const char* text : {"", "hello", "[1, 2", "{\"traceEvents\": 3}", "\x0a\xff\xff\xff\xff"}) {
    const auto read = import_trace(text, "x");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(read.error().message, testing::StartsWith("x"));
  }
}

// Any prefix of a trace is read or refused, never read beyond.
TEST(Trace, SurvivesPerfettoTracesThatAreCutShort) {
  const std::string whole = to_perfetto(sample());
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto read = import_trace(std::string_view(whole).substr(0, length), "cut");
    EXPECT_TRUE(read.ok() || read.error().kind == ErrorKind::kBadInput);
  }
}

TEST(Trace, ReadsExportsOfNsightSystems) {
  const auto path = std::filesystem::temp_directory_path() / "edgewright_trace_test.sqlite";
  std::filesystem::remove(path);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(
          database,
          "CREATE TABLE StringIds (id INTEGER, value TEXT);"
          "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId "
          "INTEGER, streamId INTEGER, demangledName INTEGER);"
          "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, end INTEGER, streamId "
          "INTEGER, bytes INTEGER, copyKind INTEGER);"
          "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, end INTEGER, streamId INTEGER, "
          "bytes INTEGER);"
          "CREATE TABLE CUPTI_ACTIVITY_KIND_SYNCHRONIZATION (start INTEGER, end INTEGER);"
          "CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, text TEXT, "
          "textId INTEGER, globalTid INTEGER);"
          "INSERT INTO StringIds VALUES (1, 'gemm'), (2, 'softmax'), (3, 'step');"
          "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (0, 10000, 0, 7, 1),"
          "(5000, 12000, 0, 8, 2), (20000, 30000, 0, 7, 1);"
          "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (9000, 14000, 7, 8192, 1);"
          "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (32000, 33000, 7, 64);"
          "INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION VALUES (13000, 31000);"
          "INSERT INTO NVTX_EVENTS VALUES (0, 34000, 59, NULL, 3, 16777223), (1, NULL, 34, "
          "'mark', NULL, 16777223);",
          nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(database);
  const auto trace = import_nsight(path.string());
  std::filesystem::remove(path);
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  const TraceFigures figures = trace_figures(*trace);
  EXPECT_DOUBLE_EQ(figures.largest_concurrency, 2);          // of kernels; a copy runs beside
  EXPECT_DOUBLE_EQ(figures.average_concurrency, 27.0 / 22);  // 10 + 7 + 10 us in 22
  EXPECT_DOUBLE_EQ(figures.longest_gap_us, 6);               // the host waits, nothing runs
  EXPECT_DOUBLE_EQ(figures.busy_us, 25);
  EXPECT_DOUBLE_EQ(figures.idle_us, 8);
  EXPECT_DOUBLE_EQ(figures.copied_bytes, 8192);
  EXPECT_EQ(figures.synchronisations, 1);
  EXPECT_DOUBLE_EQ(figures.synchronise_us, 18);
  EXPECT_EQ(trace->operators[0].name, "gemm");
  EXPECT_DOUBLE_EQ(trace->operators[0].total_us, 20);
  const auto range = std::ranges::find(trace->slices, "range", &TraceSlice::category);
  ASSERT_NE(range, trace->slices.end());
  EXPECT_EQ(range->name, "step");
  EXPECT_EQ(trace->tracks[range->track], "ranges of thread 7");
}

}  // namespace
}  // namespace edgewright
