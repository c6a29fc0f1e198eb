#include "power/profiled_load.h"

#include <algorithm>
#include <map>

namespace edgewright {
namespace {

// What the operators of one phase and role count together, all calls and layers.
struct Counts {
  double multiply_adds = 0, flops = 0, bytes_read = 0, calls = 0;
};
using ByRole = std::map<std::string, Counts>;

constexpr const char* kProducts[] = {"qkv", "output-projection", "ffn-up", "ffn-down", "head"};

double number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}
std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

bool is_profile(const Json& document) {
  return document.is_object() && text_at(document, "schema").starts_with("edgewright.profile/");
}

Result<LanguageLoad> profiled_load(const Json& document, std::string_view file,
                                   const std::string& precision) {
  ByRole prefill, decode;
  double layers = 0;
  const auto operators = document.find("operators");
  const bool listed = operators != document.end() && operators->is_array();
  for (const Json& op : listed ? *operators : Json::array()) {
    if (!op.is_object()) continue;
    const std::string phase = text_at(op, "phase");
    if (phase != "prefill" && phase != "decode") continue;
    Counts& counts = (phase == "decode" ? decode : prefill)[text_at(op, "role")];
    counts.multiply_adds += number_at(op, "multiply_adds");
    counts.flops += number_at(op, "flops");
    counts.bytes_read += number_at(op, "bytes_read");
    counts.calls = std::max(counts.calls, number_at(op, "calls"));
    if (phase == "decode" && text_at(op, "role") == "ffn-down") layers += 1;
  }
  const double calls = decode["head"].calls;
  double products = 0;
  for (const char* role : kProducts) products += decode[role].multiply_adds / std::max(1.0, calls);
  const double token_down = decode["ffn-down"].multiply_adds / std::max(1.0, calls);
  const double prompt = token_down > 0 ? prefill["ffn-down"].multiply_adds / token_down : 0;
  if (calls < 1 || products < 1 || prompt < 1) {
    return bad_input(
        "{}: no profile of a language model's prompt and tokens; write one with 'profile MODEL "
        "--json {}'",
        file, file);
  }
  // The first token comes of the prompt; the position of those after it grows by one.
  const double positions = calls * (prompt + (calls + 1) / 2);
  LanguageLoad load;
  EDGEWRIGHT_TRY(set_precision(load, products, precision));
  load.operations_per_token = 2 * products;
  load.operations_per_token_position = decode["attention"].flops / positions;
  load.cache_bytes_per_position = decode["attention"].bytes_read / positions;
  load.layers = static_cast<int64_t>(layers);
  return load;
}

}  // namespace edgewright
