#pragma once

#include <memory>
#include <string>

#include "runtime/plan.h"

namespace edgewright {

// Plan files (.ewplan), described in docs/formats/plan.md: the steps, places and packed weights of
// a plan, ready to run from the mapped file.

// Writes the file as a whole or not at all. kUnsupported when an attribute has no form in the file.
Status write_plan(const Plan& plan, const std::string& path);

// Opens a plan; its weights stay in the mapped file. Nothing is packed, tuned or copied. Fails with
// kBadInput when the file is cut short, damaged or contradicts itself, with kUnsupported when it
// was made for another CPU or by a version with other kernels: convert the model again then.
Result<std::shared_ptr<const Plan>> read_plan(const std::string& path);

// ---- The parts of the format, shared by reader and writer ----

inline constexpr char kPlanMagic[8] = {'E', 'W', 'P', 'L', 'A', 'N', '\x1a', '\n'};
inline constexpr uint32_t kPlanVersion = 1;

// The first 64 bytes, little-endian; the JSON header follows, then the blobs from the next multiple
// of 64 on.
struct PlanPreamble {
  char magic[8];
  uint32_t version = kPlanVersion;
  uint32_t reserved = 0;
  uint64_t header_bytes = 0;
  uint64_t header_hash = 0;  // FNV-1a, 64 bits, of the JSON header
  uint64_t file_bytes = 0;
  uint64_t unused[3] = {};
};
static_assert(sizeof(PlanPreamble) == 64);

uint64_t fnv1a(std::string_view bytes);
// Text in JSON is UTF-8, names in models are bytes: each byte becomes the code point of its number.
std::string to_json_text(std::string_view bytes);
std::string from_json_text(std::string_view text);

// Reckons the sizes of values from types and shapes; kBadInput when one has none.
Status set_value_sizes(Plan& plan);
// Every rule that a plan must keep for running it to be safe: indices, sizes, places, kernels.
// kBadInput naming the first broken one. Nested plans are checked too.
Status check_plan(const Plan& plan);

}  // namespace edgewright
