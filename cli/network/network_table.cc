#include <span>
#include <string_view>

#include "command.h"

namespace edgewright::cli {
namespace {

// The summaries are the other program's; nobody reads these.
constexpr Command kCommands[] = {
    {"serve", "", declare_serve},
    {"split run", "", declare_split_run},
    {"split secret", "", declare_split_secret},
    {"split generate", "", declare_split_generate},
    {"split speculate", "", declare_split_speculate},
    {"link probe", "", declare_link_probe},
};

}  // namespace

std::span<const Command> command_table() { return kCommands; }

std::string_view group_summary(std::string_view /*group*/) { return ""; }

}  // namespace edgewright::cli
