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
    {"link show", "a link of the catalogue or of a file, and what a message over it takes",
     declare_link_show},
    {"link probe", "measure the way to a server: rates and round trip, with confidence",
     declare_link_probe},
    {"split plan", "where to cut a model between a device and a server", declare_split_plan},
    {"split run", "run a cut model: the device's half here, the rest at a server",
     declare_split_run},
    {"split generate", "a language model: the prompt, or the last layers, at a server",
     declare_split_generate},
    {"split share", "shares of a model's linear layers for two servers", declare_split_share},
    {"split secret", "run a model whose linear layers two servers compute on shares",
     declare_split_secret},
    {"targets check", "what of a model runs on another framework, and what falls back",
     declare_targets_check},
    {"split codecs", "what activation codecs cost and lose at a cut", declare_split_codecs},
    {"split offload", "policies that choose per request where it runs, on a recorded link",
     declare_split_offload},
    {"split privacy", "noise for a privacy bound, and what many releases add up to",
     declare_split_privacy},
    {"split speculate", "whether drafting tokens on the device pays over a link",
     declare_split_speculate},
    {"split protect", "what an attacker learns at a cut, before and after defences",
     declare_split_protect},
    {"generate", "text from a language model", declare_generate},
    {"perplexity", "how well a language model predicts a text", declare_perplexity},
    {"power plan", "cores, frequency, precision, batch and duty under limits", declare_power_plan},
    {"power simulate", "a workload on a device in virtual time: energy, heat, latency",
     declare_power_simulate},
    {"power govern", "hold an operating point on the real interfaces", declare_power_govern},
    {"power energy", "the energy in windows of a recorded trace", declare_power_energy},
    {"serve", "models over HTTP and gRPC (Open Inference Protocol)", declare_serve},
    {"deploy", "all of it: convert, quantise, prove, predict, plan; one bundle", declare_deploy},
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
