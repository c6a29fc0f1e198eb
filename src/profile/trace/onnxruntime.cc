#include "profile/trace/onnxruntime.h"

#include <algorithm>

#include "base/json.h"
#include "profile/trace/chrome_json.h"

namespace edgewright {
namespace {

constexpr std::string_view kKernelTime = "_kernel_time";

// "float" -> float32: the names of ONNX Runtime's type strings.
DType dtype_of(std::string_view name) {
  if (name == "float") return DType::kFloat32;
  if (name == "double") return DType::kFloat64;
  return dtype_from_name(name).value_or(DType::kFloat32);
}

// [{"float":[1,3,32,32]},{"int64":[]}]
std::vector<CountedOperand> operands_of(const Json& args, const char* key) {
  std::vector<CountedOperand> operands;
  const auto list = args.find(key);
  if (list == args.end() || !list->is_array()) return operands;
  for (const Json& one : *list) {
    CountedOperand operand;
    if (one.is_object() && !one.empty()) {
      const auto& entry = one.items().begin();
      operand.dtype = dtype_of(entry.key());
      Dims dims;
      for (const Json& dim : entry.value()) {
        if (!dim.is_number_integer()) return {};
        dims.push_back(dim.get<int64_t>());
      }
      const auto count = checked_element_count(dims);
      if (!count.ok()) return {};
      operand.size_bytes =
          static_cast<int64_t>(dtype_bytes(operand.dtype, static_cast<size_t>(*count)));
      operand.dims = std::move(dims);
    }
    operands.push_back(std::move(operand));
  }
  return operands;
}

std::string word(const Json& args, const char* key) {
  const auto it = args.find(key);
  return it != args.end() && it->is_string() ? it->get<std::string>() : "";
}

// ONNX Runtime rounds to whole microseconds, and ends of neighbours may then cross by one.
class Collector {
 public:
  void add(const Json& event) {
    if (!event.is_object()) return;
    const std::string category = event.value("cat", "");
    const std::string name = event.value("name", "");
    const double duration = event.value("dur", 0.0), start = event.value("ts", 0.0);
    if (category == "Session" && name == "model_run") {
      trace_.slices.push_back({"run", "run", trace_.track("session"), start, duration, {}, {}});
      trace_.stated_total_us += duration;
      ++runs_;
    }
    if (category != "Node" || !name.ends_with(kKernelTime)) return;
    add_node(event, name.substr(0, name.size() - kKernelTime.size()), start, duration);
  }

  Trace finish() {
    trace_.runs = std::max<int64_t>(1, runs_);
    return std::move(trace_);
  }

 private:
  void add_node(const Json& event, const std::string& name, double start, double duration) {
    const auto args = event.find("args");
    const Json none = Json::object();
    const Json& details = args != event.end() && args->is_object() ? *args : none;
    const std::string op = word(details, "op_name"), provider = word(details, "provider");
    const auto [entry, is_first] = index_.try_emplace(name + "\n" + op, trace_.operators.size());
    if (is_first) {
      trace_.operators.push_back({name, op, provider, 0, 0,
                                  operands_of(details, "input_type_shape"),
                                  operands_of(details, "output_type_shape")});
    }
    TracedOperator& traced = trace_.operators[entry->second];
    ++traced.calls;
    traced.total_us += duration;
    trace_.slices.push_back({name,
                             "operator",
                             trace_.track("operators"),
                             start,
                             duration,
                             {},
                             {{"op", op}, {"provider", provider}}});
  }

  Trace trace_;
  int64_t runs_ = 0;
  std::map<std::string, size_t> index_;
};

}  // namespace

bool is_onnxruntime_profile(std::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && head[first] == '[' &&
         head.find("\"cat\"") != std::string_view::npos &&
         (head.find("model_loading") != std::string_view::npos ||
          head.find("session_initialization") != std::string_view::npos ||
          head.find(kKernelTime) != std::string_view::npos);
}

Result<Trace> parse_onnxruntime_profile(std::string_view text) {
  const Json events = Json::parse(text, nullptr, false);
  if (events.is_discarded() || !events.is_array()) {
    return bad_input("the JSON is not well formed; end profiling before the file is read");
  }
  Collector collector;
  try {
    for (const Json& event : events) collector.add(event);
  } catch (const Json::exception& error) {
    return bad_input("an event is not as ONNX Runtime writes it: {}", error.what());
  }
  return collector.finish();
}

}  // namespace edgewright
