// The bundle's model in the formats of other runtimes.
#include <algorithm>
#include <filesystem>

#include "api/deploy/stages.h"
#include "api/export_formats.h"
#include "edgewright/convert.h"
#include "edgewright/language.h"
#include "targets/device_runtimes.h"

namespace edgewright {
namespace {

std::string folder_of(const std::string& format) { return "models/" + format; }

// An empty one: what a run that was killed left there would count as written by this one.
Status make_folder(const Deployment& d, const std::string& format) {
  std::error_code error;
  std::filesystem::remove_all(d.bundle.path(folder_of(format)), error);
  std::filesystem::create_directories(d.bundle.path(folder_of(format)), error);
  if (!error) return {};
  return usage_error("cannot make {}: {}", d.bundle.path(folder_of(format)), error.message());
}

// Of a model that the runtime cannot take, the reason is the result.
Bundle::Outcome refused(const std::string& why) { return {{{"written", false}, {"why", why}}, {}}; }

bool is_refusal(const Error& error) {
  return error.kind == ErrorKind::kUnsupported || error.kind == ErrorKind::kCheckFailed;
}

Result<Bundle::Outcome> export_network(Deployment& d, const std::string& chosen,
                                       const std::string& format) {
  EDGEWRIGHT_TRY(make_folder(d, format));
  ConvertOptions options = convert_options(d.options);
  options.to = format;
  const std::string ending(find_export_format(format)->ending);
  const auto report =
      convert(d.bundle.path(chosen), d.bundle.path(folder_of(format) + "/model" + ending), options);
  if (!report.ok()) {
    if (!is_refusal(report.error())) return report.error();
    return refused(report.error().message);
  }
  if (!report->written) return refused("what was written computes something else");
  return Bundle::Outcome{{{"written", true}, {"size_bytes", report->size_bytes}},
                         d.bundle.files_below(folder_of(format))};
}

Result<Bundle::Outcome> export_language(Deployment& d, const std::string& format) {
  EDGEWRIGHT_TRY(make_folder(d, format));
  if (d.options.model.ends_with(".ewlm")) {
    return refused("a packed model has lost the weights that " + format + " is made from");
  }
  LanguageConvertOptions options;
  options.to = format;
  options.precision = "int8";
  options.threads = d.options.threads;
  const auto report = convert_language_model(
      d.options.model, d.bundle.path(folder_of(format) + "/model." + format), options);
  if (!report.ok()) {
    if (!is_refusal(report.error())) return report.error();
    return refused(report.error().message);
  }
  return Bundle::Outcome{{{"written", true}, {"size_bytes", report->size_bytes}},
                         d.bundle.files_below(folder_of(format))};
}

bool is_known(const std::string& format, bool is_language) {
  return is_language ? format == "gguf" : find_export_format(format) != nullptr;
}

Result<std::vector<std::string>> wanted_formats(const Deployment& d, bool is_language,
                                                const DeviceRuntimes& runtimes) {
  if (d.options.targets.empty()) {
    return is_language ? runtimes.language_formats : runtimes.network_formats;
  }
  if (d.options.targets == std::vector<std::string>{"none"}) return std::vector<std::string>();
  for (const std::string& format : d.options.targets) {
    if (is_known(format, is_language)) continue;
    const auto names = is_language ? std::vector<std::string>{"gguf"} : export_format_names();
    return usage_error("found --to {}, expected none or some of {}", format,
                       fmt::join(names, ", "));
  }
  return d.options.targets;
}

}  // namespace

Status add_exports(Deployment& d, const std::string& chosen,
                   const std::vector<std::string>& inputs) {
  const bool is_language = chosen.ends_with(".ewlm");
  const DeviceRuntimes runtimes = runtimes_of(d.device);
  EDGEWRIGHT_ASSIGN(const auto formats, wanted_formats(d, is_language, runtimes));
  std::vector<std::string> written;
  for (const std::string& format : formats) {
    std::vector<std::string> key = inputs;
    key.insert(key.end(), {chosen, format});
    EDGEWRIGHT_ASSIGN(const Json made, d.bundle.stage("export-" + format, key, [&] {
      return is_language ? export_language(d, format) : export_network(d, chosen, format);
    }));
    if (made.value("written", false)) {
      written.push_back(format);
    } else {
      d.report.warnings.push_back(
          fmt::format("not in the bundle for {}: {}", format, made.value("why", "")));
    }
  }
  const std::string why = !d.options.targets.empty() ? "asked for with --to"
                          : is_language              ? "llama.cpp runs on every CPU"
                                                     : runtimes.why;
  d.choose("other runtimes", written.empty() ? "none" : fmt::format("{}", fmt::join(written, ", ")),
           "our own only", why);
  return {};
}

}  // namespace edgewright
