#include <span>
#include <string_view>
#include <utility>

#include "command.h"

namespace edgewright::cli {
namespace {

// In the order of --help. A name of two words is a command of a group.
constexpr Command kCommands[] = {
    {"inspect", "inputs, outputs, operators, parameters, multiply-adds of a model",
     declare_inspect},
    {"convert", "import, optimise, check and export a model", declare_convert},
    {"run", "one inference; writes every output as .npy", declare_run},
    {"bench", "latency, load time and memory of a model", declare_bench},
    {"profile", "where the time goes, what bounds it and what to do first", declare_profile},
    {"device probe", "measure this machine: bandwidths, peak arithmetic, dispatch",
     declare_device_probe},
    {"verify", "do two models compute the same function?", declare_verify},
    {"device import", "a Linux device tree as a device", declare_device_import},
    {"device calibrate", "the power model of a device fitted to measured powers",
     declare_device_calibrate},
    {"device show", "a device of the catalogue or of a file", declare_device_show},
    {"split plan", "where to cut a model between a device and a server", declare_split_plan},
    {"generate", "text from a language model", declare_generate},
    {"perplexity", "how well a language model predicts a text", declare_perplexity},
};

constexpr std::pair<std::string_view, std::string_view> kGroups[] = {
    {"device", "devices as data: import, calibrate, probe, show"},
    {"link", "network links as data: show, probe"},
    {"power", "operating points, heat and energy"},
    {"split", "a model cut between a device and a server"},
    {"targets", "what runs on other runtimes and hardware"},
};

}  // namespace

std::span<const Command> command_table() { return kCommands; }

std::string_view group_summary(std::string_view group) {
  for (const auto& [name, summary] : kGroups) {
    if (name == group) return summary;
  }
  return "";
}

}  // namespace edgewright::cli
