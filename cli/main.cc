#include <cstdio>
#include <exception>

#include "command.h"
#include "edgewright/result.h"

namespace edgewright::cli {
namespace {

void add_common(CLI::App& command, CommonOptions& common) {
  command.add_option("--json", common.json, "write the JSON document to FILE ('-': stdout)")
      ->type_name("FILE|-");
  command.add_option("--report", common.report, "write a page for people, in one HTML file")
      ->type_name("FILE.html");
  command.add_option("--threads", common.threads, "threads of the engine")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--cpus", common.cpus, "the CPUs to run on; thread i of a session on the i-th")
      ->delimiter(',')
      ->check(CLI::Range(0, 1023));
  command.add_option("--seed", common.seed, "seed of everything random");
  command.add_option("--operators", common.operators, "a shared library with custom operators")
      ->type_name("FILE.so");
}

// "device import" becomes the command `import` of a group `device`.
CLI::App* add_command(CLI::App& app, const Command& command) {
  const size_t space = command.name.find(' ');
  CLI::App* parent = &app;
  if (space != std::string_view::npos) {
    const std::string group(command.name.substr(0, space));
    const auto groups =
        app.get_subcommands([&group](const CLI::App* sub) { return sub->get_name() == group; });
    if (!groups.empty()) {
      parent = groups.front();
    } else {
      parent = app.add_subcommand(group, std::string(group_summary(group)));
      parent->require_subcommand(1);
    }
  }
  const size_t word = space == std::string_view::npos ? 0 : space + 1;
  return parent->add_subcommand(std::string(command.name.substr(word)),
                                std::string(command.summary));
}

int run(int argc, char** argv) {
  CLI::App app("Edgewright: convert, check and run models on edge devices", "edgewright");
  app.set_version_flag("--version", std::string(version()));
  app.require_subcommand(1);
  CommonOptions common;
  common.command_line = fmt::format("edgewright {}", fmt::join(argv + 1, argv + argc, " "));
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const Command& command : command_table()) {
    CLI::App* sub = add_command(app, command);
    add_common(*sub, common);
    actions.emplace_back(sub, command.declare(*sub, common));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(ErrorKind::kUsage);
  }
  for (const auto& [sub, action] : actions) {
    if (!sub->parsed()) continue;
    for (const Status& ready : {stay_on(common.cpus), load_operators(common.operators)}) {
      if (!ready.ok()) return fail(ready.error());
    }
    return finish(action(), common);
  }
  return static_cast<int>(ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright::cli

int main(int argc, char** argv) {
  try {
    return edgewright::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "edgewright: internal error: %s\n", error.what());
    return static_cast<int>(edgewright::ErrorKind::kInternal);
  }
}
