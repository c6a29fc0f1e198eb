#include "api/precision_options.h"

#include <algorithm>
#include <charconv>

#include "api/mixed_types.h"
#include "quantize/calibrator.h"
#include "quantize/weight_only.h"

namespace edgewright {
namespace {

using Apply = Status (*)(PrecisionOptions& options, const std::string& value);

Result<double> number(const std::string& text, double low, double high) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc() && end == text.data() + text.size() && value >= low && value <= high) {
    return value;
  }
  return usage_error("found '{}', expected a number from {} to {}", text, low, high);
}

Result<bool> choice(const std::string& text, std::string_view yes, std::string_view no) {
  if (text == yes) return true;
  if (text == no) return false;
  return usage_error("found '{}', expected {} or {}", text, yes, no);
}

struct Key {
  std::string_view name, values;
  Apply apply;
};

constexpr Key kKeys[] = {
    {"calibrator", "auto, min-max, moving-average, percentile, entropy, mse",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       if (v != "auto" && find_calibrator(v) == nullptr) {
         return usage_error("found '{}', expected auto or one of the calibrators", v);
       }
       o.calibrator = v;
       return {};
     }},
    {"percentile", "50 to 100",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.percentile, number(v, 50, 100));
       return {};
     }},
    {"averaging-factor", "0 to 1",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.averaging_factor, number(v, 0, 1));
       return {};
     }},
    {"scheme", "auto, u8s8, s8s8, u8s7, s8s7",
     [](PrecisionOptions& o, const std::string& v) { return o.scheme = v, Status(); }},
    {"activations", "asymmetric, symmetric",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.symmetric, choice(v, "symmetric", "asymmetric"));
       return {};
     }},
    {"weights", "per-channel, per-tensor",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.per_channel, choice(v, "per-channel", "per-tensor"));
       return {};
     }},
    {"chains", "on, off",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.chains, choice(v, "on", "off"));
       return {};
     }},
    {"bias-correction", "auto, off",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.bias_correction, choice(v, "auto", "off"));
       return {};
     }},
    {"method", "auto, rtn, mse, hqq, gptq",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       const bool known = v == "auto" || find_weight_method(v) != nullptr;
       if (!known) return usage_error("found '{}', expected auto, rtn, mse, hqq or gptq", v);
       o.method = v;
       return {};
     }},
    {"bits", "4, 8",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(const bool small, choice(v, "4", "8"));
       o.weight_bits = small ? 4 : 8;
       return {};
     }},
    {"group", "32, 64, 128 or 0 for whole columns",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(const double rows, number(v, 0, 1 << 20));
       o.group = static_cast<int64_t>(rows);
       return {};
     }},
    {"sparsity", "2:4, or the share of zeros",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       o.sparsity.emplace();
       if (v == "2:4") return {};
       EDGEWRIGHT_ASSIGN(o.sparsity->share, number(v, 0.01, 0.99));
       return {};
     }},
    {"scale-migration", "auto, off",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.migrate_scales, choice(v, "auto", "off"));
       return {};
     }},
    {"refuse", "auto, off, unmeasured",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       if (v != "auto" && v != "off" && v != "unmeasured") {
         return usage_error("found '{}', expected auto, off or unmeasured", v);
       }
       o.refuse = v;
       return {};
     }},
    {"objective", "latency, size, energy",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       if (v != "latency" && v != "size" && v != "energy") {
         return usage_error("found '{}', expected latency, size or energy", v);
       }
       o.objective = v;
       return {};
     }},
    {"device", "a device of the catalogue or a file: energies for objective=energy",
     [](PrecisionOptions& o, const std::string& v) { return o.device = v, Status(); }},
    {"types", "fp32, int8, int4, fp16, bf16 with commas: what a mix is made of",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       for (size_t begin = 0; begin <= v.size();) {
         const size_t end = std::min(v.find(',', begin), v.size());
         o.mixed_types.push_back(v.substr(begin, end - begin));
         if (!is_mixed_type(o.mixed_types.back())) {
           return usage_error("found '{}', expected some of fp32, int8, int4, fp16, bf16",
                              o.mixed_types.back());
         }
         begin = end + 1;
       }
       return {};
     }},
    {"search", "auto, exhaustive",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.exhaustive, choice(v, "exhaustive", "auto"));
       return {};
     }},
    {"seconds", "time for the search of a mix",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.seconds, number(v, 0, 86400));
       return {};
     }},
    {"exclude", "a node, value or operator; may be repeated",
     [](PrecisionOptions& o, const std::string& v) { return o.excluded.push_back(v), Status(); }},
    {"cache", "a file",
     [](PrecisionOptions& o, const std::string& v) { return o.cache = v, Status(); }},
    {"max-error", "relative L2 of the outputs",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.max_error, number(v, 0, 1e9));
       return {};
     }},
    {"max-loss", "points of top-1",
     [](PrecisionOptions& o, const std::string& v) -> Status {
       EDGEWRIGHT_ASSIGN(o.max_loss, number(v, 0, 100));
       return {};
     }},
};

}  // namespace

Result<PrecisionOptions> parse_precision_options(const std::vector<std::string>& pairs) {
  PrecisionOptions options;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    const std::string name = pair.substr(0, equals);
    const Key* found = nullptr;
    for (const Key& key : kKeys) {
      if (key.name == name) found = &key;
    }
    if (found == nullptr || equals == std::string::npos) {
      std::vector<std::string> known;
      for (const Key& key : kKeys) known.push_back(fmt::format("{}=({})", key.name, key.values));
      return usage_error("found --quantize {}, expected one of {}", pair, fmt::join(known, "; "));
    }
    Status applied = found->apply(options, pair.substr(equals + 1));
    if (!applied.ok()) return std::move(applied).error().at("--quantize " + name);
  }
  return options;
}

}  // namespace edgewright
