#include <simdjson.h>

#include <bit>
#include <cstring>
#include <limits>

#include "base/cpu.h"
#include "base/file.h"
#include "runtime/control_flow.h"
#include "runtime/plan_file.h"

namespace edgewright {
namespace {

// Parsing is a good part of opening a small plan: this parser takes a quarter of the time of the
// one that writes the header. A Json is a place in the parser's memory, valid as long as that.
using Json = simdjson::dom::element;
using JsonList = simdjson::dom::array;

constexpr int kMaxNesting = 64;
constexpr size_t kMaxRank = 64;

Error damaged(std::string_view what) { return bad_input("damaged plan: {}", what); }

// Reads checked parts of the header; every accessor fails on what is missing or of another kind.
class Reader {
 public:
  explicit Reader(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

  Result<std::shared_ptr<const Plan>> read();

 private:
  Result<std::string_view> header();
  Result<std::shared_ptr<const Plan>> read_plan_json(Json json, int depth);
  Status read_steps(Json json, Plan& plan, int depth);
  Status read_step(Json json, Plan& plan, PlanStep& step, int depth);
  Status read_bodies(Json json, PlanStep& step, int depth);
  Status bind_step(Plan& plan, PlanStep& step);
  Result<Tensor> read_tensor(Json json);
  Result<AttributeValue> read_attribute(Json json);
  Result<std::span<const std::byte>> blob(Json json) const;

  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> data_;
};

Result<Json> member(Json json, const char* name) {
  Json found;
  if (json.at_key(name).get(found) == simdjson::SUCCESS) return found;
  return damaged(fmt::format("'{}' is missing", name));
}

// A member that need not be there.
std::optional<Json> optional_member(Json json, const char* name) {
  Json found;
  if (json.at_key(name).get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

Result<std::string> text_of(Json json) {
  std::string_view text;
  if (json.get_string().get(text) != simdjson::SUCCESS) return damaged("a text is not one");
  return from_json_text(text);
}

template <class T>
Result<T> number_of(Json json) {
  if (uint64_t value = 0; json.is_uint64() && json.get_uint64().get(value) == simdjson::SUCCESS) {
    if (value > static_cast<uint64_t>(std::numeric_limits<T>::max())) {
      return damaged("a number is out of range");
    }
    return static_cast<T>(value);
  }
  int64_t value = 0;
  if (json.get_int64().get(value) != simdjson::SUCCESS) return damaged("a number is not whole");
  if (value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
      (value > 0 &&
       static_cast<uint64_t>(value) > static_cast<uint64_t>(std::numeric_limits<T>::max()))) {
    return damaged("a number is out of range");
  }
  return static_cast<T>(value);
}

Result<JsonList> list_of(Json json, std::string_view what) {
  JsonList list;
  if (json.get_array().get(list) == simdjson::SUCCESS) return list;
  return damaged(fmt::format("{} is no list", what));
}

template <class T>
Result<std::vector<T>> numbers_of(Json json) {
  EDGEWRIGHT_ASSIGN(const JsonList list, list_of(json, "what should be one"));
  std::vector<T> numbers;
  numbers.reserve(list.size());
  for (const Json element : list) {
    EDGEWRIGHT_ASSIGN(const T number, number_of<T>(element));
    numbers.push_back(number);
  }
  return numbers;
}

template <class T>
Result<T> number_member(Json json, const char* name) {
  EDGEWRIGHT_ASSIGN(const Json value, member(json, name));
  return number_of<T>(value);
}
template <class T>
Result<std::vector<T>> numbers_member(Json json, const char* name) {
  EDGEWRIGHT_ASSIGN(const Json value, member(json, name));
  return numbers_of<T>(value);
}
Result<std::string> text_member(Json json, const char* name) {
  EDGEWRIGHT_ASSIGN(const Json value, member(json, name));
  return text_of(value);
}
Result<JsonList> list_member(Json json, const char* name) {
  EDGEWRIGHT_ASSIGN(const Json value, member(json, name));
  return list_of(value, name);
}

Result<PlanValue> read_value(Json json) {
  EDGEWRIGHT_ASSIGN(const JsonList list, list_of(json, "a value"));
  std::array<Json, 8> parts;
  if (list.size() != parts.size()) return damaged("a value");
  std::ranges::copy(list, parts.begin());
  PlanValue value;
  if (parts[3].get_bool().get(value.has_shape) != simdjson::SUCCESS) return damaged("a value");
  EDGEWRIGHT_ASSIGN(value.name, text_of(parts[0]));
  EDGEWRIGHT_ASSIGN(const int dtype, number_of<int>(parts[1]));
  EDGEWRIGHT_ASSIGN(value.dims, numbers_of<int64_t>(parts[2]));
  EDGEWRIGHT_ASSIGN(const int layout, number_of<int>(parts[4]));
  EDGEWRIGHT_ASSIGN(const int storage, number_of<int>(parts[5]));
  EDGEWRIGHT_ASSIGN(value.slot, number_of<uint32_t>(parts[6]));
  EDGEWRIGHT_ASSIGN(value.offset, number_of<size_t>(parts[7]));
  if (dtype < 0 || dtype >= kDTypeCount || layout < 0 ||
      layout > static_cast<int>(Layout::kNchw8c) || storage < 0 ||
      storage > static_cast<int>(Storage::kHeap) || value.dims.size() > kMaxRank) {
    return damaged(fmt::format("value '{}'", value.name));
  }
  value.dtype = static_cast<DType>(dtype);
  value.layout = static_cast<Layout>(layout);
  value.storage = static_cast<Storage>(storage);
  return value;
}

Result<std::string_view> Reader::header() {
  const auto bytes = file_->bytes();
  PlanPreamble preamble;
  if (bytes.size() < sizeof(preamble)) return bad_input("the file is too short for a plan");
  std::memcpy(&preamble, bytes.data(), sizeof(preamble));
  if (std::memcmp(preamble.magic, kPlanMagic, sizeof(kPlanMagic)) != 0) {
    return bad_input("this is no plan file: the first bytes are wrong");
  }
  if (preamble.version != kPlanVersion) {
    return unsupported(
        "the plan has format version {}, this program reads {}; convert the model again",
        preamble.version, kPlanVersion);
  }
  if (preamble.file_bytes != bytes.size() ||
      preamble.header_bytes > bytes.size() - sizeof(preamble)) {
    return bad_input("the plan was written with {} bytes, the file has {}", preamble.file_bytes,
                     bytes.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(preamble),
                              preamble.header_bytes);
  if (fnv1a(text) != preamble.header_hash) return damaged("the header's checksum is wrong");
  const size_t data = (sizeof(preamble) + preamble.header_bytes + 63) / 64 * 64;
  if (data <= bytes.size()) data_ = bytes.subspan(data);
  return text;
}

Result<std::shared_ptr<const Plan>> Reader::read() {
  EDGEWRIGHT_ASSIGN(const std::string_view text, header());
  simdjson::dom::parser parser;
  Json json;
  if (parser.parse(text).get(json) != simdjson::SUCCESS) return damaged("the header is no JSON");
  EDGEWRIGHT_ASSIGN(const JsonList features, list_member(json, "cpu_features"));
  std::vector<std::string> wanted;
  for (const Json feature : features) {
    EDGEWRIGHT_ASSIGN(std::string name, text_of(feature));
    wanted.push_back(std::move(name));
  }
  if (const auto missing = missing_features(wanted); !missing.empty()) {
    return unsupported("the plan needs a CPU with {}; convert the model on this machine",
                       fmt::join(missing, ", "));
  }
  EDGEWRIGHT_ASSIGN(const Json plan, member(json, "plan"));
  EDGEWRIGHT_ASSIGN(auto made, read_plan_json(plan, 0));
  EDGEWRIGHT_TRY(check_plan(*made));
  return made;
}

Result<std::span<const std::byte>> Reader::blob(Json json) const {
  EDGEWRIGHT_ASSIGN(const auto place, numbers_of<size_t>(json));
  if (place.size() != 2 || place[0] % 64 != 0 || place[0] > data_.size() ||
      place[1] > data_.size() - place[0]) {
    return damaged("a blob lies outside the file");
  }
  return data_.subspan(place[0], place[1]);
}

Result<Tensor> Reader::read_tensor(Json json) {
  EDGEWRIGHT_ASSIGN(const std::string type, text_member(json, "type"));
  EDGEWRIGHT_ASSIGN(Dims dims, numbers_member<int64_t>(json, "dims"));
  const auto dtype = dtype_from_name(type);
  const auto count = checked_element_count(dims);
  if (!dtype || *dtype == DType::kUndefined || !count.ok() || dims.size() > kMaxRank) {
    return damaged("a tensor's type");
  }
  if (*dtype == DType::kString) {
    EDGEWRIGHT_ASSIGN(const JsonList list, list_member(json, "strings"));
    if (static_cast<int64_t>(list.size()) != *count) return damaged("a tensor of strings");
    std::vector<std::string> elements;
    for (const Json element : list) {
      EDGEWRIGHT_ASSIGN(std::string text, text_of(element));
      elements.push_back(std::move(text));
    }
    return Tensor::strings(std::move(dims), std::move(elements));
  }
  EDGEWRIGHT_ASSIGN(const Json place, member(json, "blob"));
  EDGEWRIGHT_ASSIGN(const auto bytes, blob(place));
  if (*count > std::numeric_limits<int64_t>::max() / 16 ||
      bytes.size() != dtype_bytes(*dtype, static_cast<size_t>(*count))) {
    return damaged("a tensor's size");
  }
  return Tensor::view(*dtype, std::move(dims), bytes.data(), file_);
}

float float_of_bits(uint32_t bits) { return std::bit_cast<float>(bits); }

Result<AttributeValue> Reader::read_attribute(Json json) {
  simdjson::dom::object object;
  if (json.get_object().get(object) != simdjson::SUCCESS || object.size() != 1) {
    return damaged("an attribute");
  }
  const std::string_view kind = object.begin().key();
  const Json value = object.begin().value();
  const auto wrap = [](auto result) -> Result<AttributeValue> {
    if (!result.ok()) return std::move(result).error();
    return AttributeValue(*std::move(result));
  };
  if (kind == "int") return wrap(number_of<int64_t>(value));
  if (kind == "string") return wrap(text_of(value));
  if (kind == "tensor") return wrap(read_tensor(value));
  if (kind == "ints") return wrap(numbers_of<int64_t>(value));
  if (kind == "float") {
    EDGEWRIGHT_ASSIGN(const auto bits, number_of<uint32_t>(value));
    return AttributeValue(float_of_bits(bits));
  }
  if (kind == "floats") {
    EDGEWRIGHT_ASSIGN(const auto bits, numbers_of<uint32_t>(value));
    std::vector<float> floats;
    for (const uint32_t one : bits) floats.push_back(float_of_bits(one));
    return AttributeValue(std::move(floats));
  }
  EDGEWRIGHT_ASSIGN(const JsonList list, list_of(value, "an attribute"));
  std::vector<std::string> strings;
  std::vector<Tensor> tensors;
  for (const Json element : list) {
    if (kind == "strings") {
      EDGEWRIGHT_ASSIGN(std::string text, text_of(element));
      strings.push_back(std::move(text));
    } else if (kind == "tensors") {
      EDGEWRIGHT_ASSIGN(Tensor tensor, read_tensor(element));
      tensors.push_back(std::move(tensor));
    }
  }
  if (kind == "strings") return AttributeValue(std::move(strings));
  if (kind == "tensors") return AttributeValue(std::move(tensors));
  return damaged(fmt::format("an attribute of kind '{}'", kind));
}

Result<std::shared_ptr<const Plan>> Reader::read_plan_json(Json json, int depth) {
  if (depth > kMaxNesting) return damaged("plans are nested too deep");
  auto plan = std::make_shared<Plan>();
  EDGEWRIGHT_ASSIGN(plan->name, text_member(json, "name"));
  EDGEWRIGHT_ASSIGN(plan->threads, number_member<int>(json, "threads"));
  EDGEWRIGHT_ASSIGN(plan->arena_bytes, number_member<size_t>(json, "arena_bytes"));
  EDGEWRIGHT_ASSIGN(plan->live_set_bytes, number_member<size_t>(json, "live_set_bytes"));
  EDGEWRIGHT_ASSIGN(plan->heap_slots, number_member<uint32_t>(json, "heap_slots"));
  EDGEWRIGHT_ASSIGN(plan->inputs, numbers_member<int32_t>(json, "inputs"));
  EDGEWRIGHT_ASSIGN(plan->outputs, numbers_member<int32_t>(json, "outputs"));
  EDGEWRIGHT_ASSIGN(const JsonList values, list_member(json, "values"));
  plan->values.reserve(values.size());
  for (const Json written : values) {
    EDGEWRIGHT_ASSIGN(PlanValue value, read_value(written));
    plan->values.push_back(std::move(value));
  }
  EDGEWRIGHT_ASSIGN(const JsonList constants, list_member(json, "constants"));
  for (const Json written : constants) {
    plan->constants.emplace_back();
    if (written.is_null()) continue;
    EDGEWRIGHT_ASSIGN(plan->constants.back(), read_tensor(written));
  }
  EDGEWRIGHT_TRY(set_value_sizes(*plan));
  EDGEWRIGHT_TRY(read_steps(json, *plan, depth));
  return std::shared_ptr<const Plan>(std::move(plan));
}

Status Reader::read_steps(Json json, Plan& plan, int depth) {
  EDGEWRIGHT_ASSIGN(const JsonList steps, list_member(json, "steps"));
  plan.steps.reserve(steps.size());
  for (const Json written : steps) {
    PlanStep& step = plan.steps.emplace_back();
    EDGEWRIGHT_TRY(read_step(written, plan, step, depth));
  }
  return {};
}

Status Reader::read_step(Json json, Plan& plan, PlanStep& step, int depth) {
  EDGEWRIGHT_ASSIGN(step.name, text_member(json, "name"));
  EDGEWRIGHT_ASSIGN(step.domain, text_member(json, "domain"));
  EDGEWRIGHT_ASSIGN(step.op, text_member(json, "op"));
  EDGEWRIGHT_ASSIGN(const int kind, number_member<int>(json, "kind"));
  if (kind < 0 || kind > static_cast<int>(StepKind::kControlFlow)) return damaged("a step's kind");
  step.kind = static_cast<StepKind>(kind);
  EDGEWRIGHT_ASSIGN(step.inputs, numbers_member<int32_t>(json, "inputs"));
  EDGEWRIGHT_ASSIGN(step.outputs, numbers_member<int32_t>(json, "outputs"));
  if (const auto found = optional_member(json, "attributes")) {
    simdjson::dom::object attributes;
    if (found->get_object().get(attributes) != simdjson::SUCCESS) {
      return damaged("a step's attributes");
    }
    for (const auto& [name, written] : attributes) {
      EDGEWRIGHT_ASSIGN(AttributeValue value, read_attribute(written));
      step.attributes.set(from_json_text(name), std::move(value));
    }
  }
  if (const auto found = optional_member(json, "released")) {
    EDGEWRIGHT_ASSIGN(step.released, numbers_of<uint32_t>(*found));
  }
  if (step.kind == StepKind::kControlFlow) return read_bodies(json, step, depth);
  if (step.kind == StepKind::kReference) {
    const ReferenceKernel* reference = find_reference_kernel(step.domain, step.op);
    if (reference == nullptr) {
      return unsupported("step '{}': no kernel for operator {}", step.name, step.op);
    }
    step.reference = reference->run;
    return {};
  }
  EDGEWRIGHT_ASSIGN(const std::string name, text_member(json, "implementation"));
  EDGEWRIGHT_ASSIGN(const auto version, number_member<uint32_t>(json, "version"));
  EDGEWRIGHT_ASSIGN(step.scratch_offset, number_member<size_t>(json, "scratch"));
  step.implementation = find_implementation(name);
  if (step.implementation == nullptr || step.implementation->version != version) {
    return unsupported(
        "step '{}': kernel {} of version {} is not in this program; convert the model "
        "again",
        step.name, name, version);
  }
  if (const auto found = optional_member(json, "packed")) {
    EDGEWRIGHT_ASSIGN(const auto bytes, blob(*found));
    step.packed =
        Tensor::view(DType::kUint8, {static_cast<int64_t>(bytes.size())}, bytes.data(), file_);
  }
  return bind_step(plan, step);
}

Status Reader::read_bodies(Json json, PlanStep& step, int depth) {
  if (!is_control_flow(step.domain, step.op)) return damaged("a control-flow step is none");
  EDGEWRIGHT_ASSIGN(const JsonList bodies, list_member(json, "bodies"));
  for (const Json written : bodies) {
    NestedPlan body;
    EDGEWRIGHT_ASSIGN(body.attribute, text_member(written, "attribute"));
    EDGEWRIGHT_ASSIGN(body.captures, numbers_member<int32_t>(written, "captures"));
    EDGEWRIGHT_ASSIGN(const Json plan, member(written, "plan"));
    EDGEWRIGHT_ASSIGN(body.plan, read_plan_json(plan, depth + 1));
    step.bodies.push_back(std::move(body));
  }
  return {};
}

// Makes the kernel of a step; the values it names must exist before its request can be made.
Status Reader::bind_step(Plan& plan, PlanStep& step) {
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (const int32_t index : *list) {
      if (index < -1 || index >= std::ssize(plan.values)) return damaged("a step names no value");
    }
  }
  if (step.implementation->domain != step.domain || step.implementation->op != step.op) {
    return damaged("a kernel is of another operator");
  }
  KernelRequest request = request_of(plan, step);
  const bool packs = step.implementation->pack != nullptr;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0 || packs) continue;
    const PlanValue& value = plan.values[static_cast<size_t>(step.inputs[i])];
    if (value.storage == Storage::kConstant && value.slot < plan.constants.size()) {
      request.inputs[i].constant = &plan.constants[value.slot];
    }
  }
  // Those that pack ask for constants that are gone; they check their packed bytes instead.
  if (!packs && !step.implementation->supports(request)) {
    return damaged(
        fmt::format("kernel {} cannot run step '{}'", step.implementation->name, step.name));
  }
  std::span<const std::byte> packed;
  if (!step.packed.empty_handle()) packed = step.packed.byte_span();
  auto kernel = step.implementation->create(request, packed);
  if (!kernel.ok()) return damaged(kernel.error().message);
  step.kernel = *std::move(kernel);
  return {};
}

}  // namespace

std::string from_json_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead >= 0xc0 && i + 1 < text.size()) {
      bytes += static_cast<char>(lead << 6 | (text[++i] & 0x3f));
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

Result<std::shared_ptr<const Plan>> read_plan(const std::string& path) {
  EDGEWRIGHT_ASSIGN(auto file, MappedFile::open(path));
  auto plan = Reader(std::move(file)).read();
  if (!plan.ok()) return std::move(plan).error().at(path);
  return plan;
}

}  // namespace edgewright
