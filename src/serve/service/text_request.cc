#include "serve/service/text_request.h"

#include <algorithm>

namespace edgewright {
namespace {

template <class... Args>
Refusal malformed(fmt::format_string<Args...> format, Args&&... args) {
  return {RefusalKind::kMalformed, fmt::format(format, std::forward<Args>(args)...)};
}

struct Setting {
  const char* name;
  double low, high;
  void (*set)(TextRequest& request, double value);
};
constexpr Setting kSettings[] = {
    {"max_tokens", 1, 1 << 20,
     [](TextRequest& r, double v) { r.max_tokens = static_cast<int>(v); }},
    {"temperature", 0, 100,
     [](TextRequest& r, double v) { r.sampling.temperature = static_cast<float>(v); }},
    {"top_k", 0, 1e6, [](TextRequest& r, double v) { r.sampling.top_k = static_cast<int>(v); }},
    {"top_p", 1e-6, 1, [](TextRequest& r, double v) { r.sampling.top_p = static_cast<float>(v); }},
    {"min_p", 0, 1, [](TextRequest& r, double v) { r.sampling.min_p = static_cast<float>(v); }},
    {"repetition_penalty", 0.01, 10,
     [](TextRequest& r, double v) { r.sampling.repetition_penalty = static_cast<float>(v); }},
    {"seed", 0, 9e15, [](TextRequest& r, double v) { r.sampling.seed = static_cast<uint64_t>(v); }},
};

Reply<bool> read_setting(const Setting& setting, const oip::Parameter& parameter,
                         TextRequest& request) {
  double value = 0;
  if (const auto* whole = std::get_if<int64_t>(&parameter)) {
    value = static_cast<double>(*whole);
  } else if (const auto* number = std::get_if<double>(&parameter)) {
    value = *number;
  } else {
    return malformed("parameter '{}' is no number", setting.name);
  }
  if (!(value >= setting.low && value <= setting.high)) {
    return malformed("parameter '{}' is {}, expected {} to {}", setting.name, value, setting.low,
                     setting.high);
  }
  setting.set(request, value);
  return true;
}

}  // namespace

Reply<TextOrder> text_order(const oip::InferRequest& request) {
  TextOrder order;
  for (const oip::NamedTensor& input : request.inputs) {
    if (input.name == "stream" && input.tensor.dtype() == DType::kBool &&
        input.tensor.element_count() == 1) {
      order.stream = *input.tensor.data<bool>();
      continue;
    }
    if (input.name != "text_input" || input.tensor.dtype() != DType::kString ||
        input.tensor.element_count() != 1) {
      return malformed("found input '{}', expected 'text_input' with one text", input.name);
    }
    order.prompt = input.tensor.string_elements()[0];
  }
  if (order.prompt.empty()) return malformed("input 'text_input' is missing or empty");
  for (const auto& [name, parameter] : request.parameters) {
    if (name == "stream") {
      const bool* flag = std::get_if<bool>(&parameter);
      if (flag == nullptr) return malformed("parameter 'stream' is neither true nor false");
      order.stream = *flag;
      continue;
    }
    if (name == "stop") {
      const std::string* text = std::get_if<std::string>(&parameter);
      if (text == nullptr) return malformed("parameter 'stop' is no text");
      order.request.stop_strings.push_back(*text);
      continue;
    }
    const auto* setting = std::find_if(std::begin(kSettings), std::end(kSettings),
                                       [&](const Setting& known) { return known.name == name; });
    if (setting == std::end(kSettings)) continue;
    if (Reply<bool> read = read_setting(*setting, parameter, order.request); !read.ok()) {
      return std::move(read).refusal();
    }
  }
  return order;
}

}  // namespace edgewright
