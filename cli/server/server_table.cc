#include <span>
#include <string_view>

#include "command.h"

namespace edgewright::cli {
namespace {

constexpr Command kCommands[] = {
    {"serve", "models over HTTP and gRPC (Open Inference Protocol)", declare_serve},
};

}  // namespace

std::span<const Command> command_table() { return kCommands; }

std::string_view group_summary(std::string_view /*group*/) { return ""; }

}  // namespace edgewright::cli
