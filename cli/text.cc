#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "command.h"

namespace edgewright::cli {

Result<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& texts,
                                                       std::string_view flag) {
  std::map<std::string, std::string> pairs;
  for (const std::string& text : texts) {
    // Input names may hold '=' in theory; values of these flags never do.
    const size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0) {
      return usage_error("found '{} {}', expected {} NAME=VALUE", flag, text, flag);
    }
    if (!pairs.emplace(text.substr(0, at), text.substr(at + 1)).second) {
      return usage_error("{} gives '{}' twice", flag, text.substr(0, at));
    }
  }
  return pairs;
}

Result<InputShapes> parse_shapes(const std::vector<std::string>& texts) {
  EDGEWRIGHT_ASSIGN(const auto pairs, parse_pairs(texts, "--shape"));
  InputShapes shapes;
  for (const auto& [name, text] : pairs) {
    auto& dims = shapes[name];
    std::string_view rest = text == "scalar" ? std::string_view() : std::string_view(text);
    while (!rest.empty()) {
      int64_t dim = 0;
      const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), dim);
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
      const bool separated = rest.empty() || rest[0] == 'x' || rest[0] == ',';
      if (code != std::errc() || dim < 0 || !separated) {
        return usage_error("found --shape {}={}, expected dimensions such as 1x3x32x32", name,
                           text);
      }
      if (!rest.empty()) rest.remove_prefix(1);
      dims.push_back(dim);
    }
  }
  return shapes;
}

// The folder is made where it is not there.
std::string cache_file(const char* name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache == nullptr && home == nullptr) return "";
  std::filesystem::path folder =
      cache != nullptr ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache";
  folder /= "edgewright";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "" : (folder / name).string();
}

std::string environment_or(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string openvino_library() { return environment_or("EDGEWRIGHT_OPENVINO", ""); }

std::string timing_cache_path() { return cache_file("timings.json"); }

std::function<void(std::string_view, size_t, size_t)> progress_bar() {
  if (::isatty(STDERR_FILENO) == 0) return nullptr;
  return [](std::string_view stage, size_t done, size_t total) {
    constexpr size_t kWidth = 30;
    const size_t filled = total == 0 ? kWidth : std::min(kWidth, done * kWidth / total);
    std::fprintf(stderr, "\r\033[K[%s%s] %.*s", std::string(filled, '#').c_str(),
                 std::string(kWidth - filled, '.').c_str(), static_cast<int>(stage.size()),
                 stage.data());
    if (done >= total) std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
  };
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      // The first column is a name, the others are numbers.
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                     : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string with_prefix(double value) {
  constexpr std::pair<double, const char*> kPrefixes[] = {
      {1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
  for (const auto& [factor, name] : kPrefixes) {
    if (std::fabs(value) >= factor) return fmt::format("{:.2f}{}", value / factor, name);
  }
  return fmt::format("{:g}", value);
}

std::string warnings_text(const std::vector<std::string>& warnings) {
  std::string out;
  for (const std::string& warning : warnings) out += "warning: " + warning + "\n";
  return out;
}

}  // namespace edgewright::cli
