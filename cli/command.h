#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright/result.h"
#include "edgewright/session.h"

namespace edgewright::cli {

// What a command gives back: Results go to stdout, and the document to --json. A check that failed
// is a successful call with passed = false (exit code 1).
struct Outcome {
  std::string text;
  std::string json;
  bool passed = true;
};

// Options that mean the same in every command.
struct CommonOptions {
  std::string json;    // file, or "-" for stdout
  std::string report;  // file for the page
  std::string command_line;
  int threads = 1;
  uint64_t seed = 0;
  std::vector<std::string> operators;  // shared libraries
};

// One command: declares its flags on `app` and returns what to call when it was chosen.
using Action = std::function<Result<Outcome>()>;
struct Command {
  std::string_view name;
  std::string_view summary;
  Action (*declare)(CLI::App& app, CommonOptions& common);
};
// Every command, in the order of --help (command_table.cc).
std::span<const Command> command_table();
std::string_view group_summary(std::string_view group);

Action declare_bench(CLI::App& app, CommonOptions& common);
Action declare_convert(CLI::App& app, CommonOptions& common);
Action declare_deploy(CLI::App& app, CommonOptions& common);
Action declare_device_calibrate(CLI::App& app, CommonOptions& common);
Action declare_device_import(CLI::App& app, CommonOptions& common);
Action declare_device_probe(CLI::App& app, CommonOptions& common);
Action declare_device_show(CLI::App& app, CommonOptions& common);
Action declare_generate(CLI::App& app, CommonOptions& common);
Action declare_inspect(CLI::App& app, CommonOptions& common);
Action declare_profile(CLI::App& app, CommonOptions& common);
Action declare_perplexity(CLI::App& app, CommonOptions& common);
Action declare_power_energy(CLI::App& app, CommonOptions& common);
Action declare_power_govern(CLI::App& app, CommonOptions& common);
Action declare_power_plan(CLI::App& app, CommonOptions& common);
Action declare_power_simulate(CLI::App& app, CommonOptions& common);
Action declare_run(CLI::App& app, CommonOptions& common);
Action declare_serve(CLI::App& app, CommonOptions& common);
Action declare_link_probe(CLI::App& app, CommonOptions& common);
Action declare_link_show(CLI::App& app, CommonOptions& common);
Action declare_split_codecs(CLI::App& app, CommonOptions& common);
Action declare_split_offload(CLI::App& app, CommonOptions& common);
Action declare_split_plan(CLI::App& app, CommonOptions& common);
Action declare_split_generate(CLI::App& app, CommonOptions& common);
Action declare_split_secret(CLI::App& app, CommonOptions& common);
Action declare_split_share(CLI::App& app, CommonOptions& common);
Action declare_split_run(CLI::App& app, CommonOptions& common);
Action declare_targets_check(CLI::App& app, CommonOptions& common);
Action declare_split_privacy(CLI::App& app, CommonOptions& common);
Action declare_split_protect(CLI::App& app, CommonOptions& common);
Action declare_split_speculate(CLI::App& app, CommonOptions& common);
Action declare_verify(CLI::App& app, CommonOptions& common);

// Where measured kernel times are kept between runs: the user's cache folder.
std::string timing_cache_path();
// Another file of that folder: what `device probe` measured of this machine. Empty when there is no
// such folder.
std::string cache_file(const char* name);

// An environment variable; one that is empty counts as absent.
std::string environment_or(const char* name, const std::string& otherwise);

// What --backend takes, for its help.
inline constexpr const char* kBackendHelp =
    "native, reference, openvino, mixed, or mixed:ENGINE,ENGINE,... (an engine for each segment)";
// OpenVINO's C library, from EDGEWRIGHT_OPENVINO; empty: as the system finds it.
std::string openvino_library();

// "input=1x3x32x32" pairs.
Result<InputShapes> parse_shapes(const std::vector<std::string>& texts);
// "name=value" pairs; kUsage naming the flag when there is no '='.
Result<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& texts,
                                                       std::string_view flag);

// Draws a progress bar on stderr when that is a terminal; returns an empty function otherwise.
std::function<void(std::string_view, size_t, size_t)> progress_bar();

// Columns of text, aligned; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);
// "1.83 M", "41.0 k": at most three digits before the unit prefix.
std::string with_prefix(double value);
// Prints an error, or what a command gave back; writes --json and --report. The exit code.
int fail(const Error& error);
int finish(const Result<Outcome>& outcome, const CommonOptions& common);

std::string warnings_text(const std::vector<std::string>& warnings);

}  // namespace edgewright::cli
