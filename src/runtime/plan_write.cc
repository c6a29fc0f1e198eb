#include <bit>
#include <cstring>
#include <map>

#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/plan_file.h"

namespace edgewright {
namespace {

// The blobs of a file: each tensor once, at multiples of 64 from the start of the data part.
class Blobs {
 public:
  Json add(const Tensor& tensor) {
    const auto [it, is_new] = offsets_.try_emplace(tensor.bytes(), size_bytes_);
    if (is_new || it->second + tensor.size_bytes() > size_bytes_) {
      it->second = size_bytes_;
      tensors_.push_back(tensor);
      size_bytes_ = (size_bytes_ + tensor.size_bytes() + 63) / 64 * 64;
    }
    return Json::array({it->second, tensor.size_bytes()});
  }

  Status write(AtomicFile& file) const {
    for (const Tensor& tensor : tensors_) {
      EDGEWRIGHT_TRY(file.write(tensor.byte_span()));
      EDGEWRIGHT_TRY(file.pad_to(64));
    }
    return {};
  }
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::map<const std::byte*, size_t> offsets_;
  std::vector<Tensor> tensors_;
  size_t size_bytes_ = 0;
};

Json tensor_json(const Tensor& tensor, Blobs& blobs) {
  if (tensor.empty_handle()) return nullptr;
  Json json;
  json["type"] = dtype_name(tensor.dtype());
  json["dims"] = tensor.dims();
  if (tensor.dtype() == DType::kString) {
    Json elements = Json::array();
    for (const auto& element : tensor.string_elements()) elements.push_back(to_json_text(element));
    json["strings"] = std::move(elements);
  } else {
    json["blob"] = blobs.add(tensor);
  }
  return json;
}

// Floats are written as their bits: JSON has no infinities.
Json float_json(float value) { return std::bit_cast<uint32_t>(value); }

Json attribute_json(const AttributeValue& value, Blobs& blobs) {
  return std::visit(
      [&](const auto& held) -> Json {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, int64_t>) {
          return {{"int", held}};
        } else if constexpr (std::is_same_v<T, float>) {
          return {{"float", float_json(held)}};
        } else if constexpr (std::is_same_v<T, std::string>) {
          return {{"string", to_json_text(held)}};
        } else if constexpr (std::is_same_v<T, Tensor>) {
          return {{"tensor", tensor_json(held, blobs)}};
        } else if constexpr (std::is_same_v<T, OpaqueAttribute>) {
          return nullptr;
        } else {
          Json list = Json::array();
          for (const auto& element : held) {
            if constexpr (std::is_same_v<T, std::vector<float>>)
              list.push_back(float_json(element));
            if constexpr (std::is_same_v<T, std::vector<int64_t>>) list.push_back(element);
            if constexpr (std::is_same_v<T, std::vector<std::string>>) {
              list.push_back(to_json_text(element));
            }
            if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
              list.push_back(tensor_json(element, blobs));
            }
          }
          constexpr const char* kKind = std::is_same_v<T, std::vector<float>>     ? "floats"
                                        : std::is_same_v<T, std::vector<int64_t>> ? "ints"
                                        : std::is_same_v<T, std::vector<Tensor>>  ? "tensors"
                                                                                  : "strings";
          return {{kKind, std::move(list)}};
        }
      },
      value);
}

Result<Json> plan_json(const Plan& plan, Blobs& blobs);

Result<Json> step_json(const PlanStep& step, Blobs& blobs) {
  Json json;
  json["name"] = to_json_text(step.name);
  json["domain"] = to_json_text(step.domain);
  json["op"] = to_json_text(step.op);
  json["kind"] = static_cast<int>(step.kind);
  json["inputs"] = step.inputs;
  json["outputs"] = step.outputs;
  Json attributes = Json::object();
  for (const auto& [name, value] : step.attributes) {
    Json written = attribute_json(value, blobs);
    if (written.is_null()) {
      return unsupported("step '{}': attribute '{}' cannot be kept in a plan file", step.name,
                         name);
    }
    attributes[to_json_text(name)] = std::move(written);
  }
  if (!attributes.empty()) json["attributes"] = std::move(attributes);
  if (step.implementation != nullptr) {
    json["implementation"] = step.implementation->name;
    json["version"] = step.implementation->version;
    json["scratch"] = step.scratch_offset;
    if (!step.packed.empty_handle()) json["packed"] = blobs.add(step.packed);
  }
  if (!step.released.empty()) json["released"] = step.released;
  Json bodies = Json::array();
  for (const NestedPlan& body : step.bodies) {
    EDGEWRIGHT_ASSIGN(Json inner, plan_json(*body.plan, blobs));
    bodies.push_back({{"attribute", to_json_text(body.attribute)},
                      {"captures", body.captures},
                      {"plan", std::move(inner)}});
  }
  if (!bodies.empty()) json["bodies"] = std::move(bodies);
  return json;
}

Json value_json(const PlanValue& value) {
  return Json::array({to_json_text(value.name), static_cast<int>(value.dtype), value.dims,
                      value.has_shape, static_cast<int>(value.layout),
                      static_cast<int>(value.storage), value.slot, value.offset});
}

Result<Json> plan_json(const Plan& plan, Blobs& blobs) {
  Json json;
  json["name"] = to_json_text(plan.name);
  json["threads"] = plan.threads;
  json["arena_bytes"] = plan.arena_bytes;
  json["live_set_bytes"] = plan.live_set_bytes;
  json["heap_slots"] = plan.heap_slots;
  json["inputs"] = plan.inputs;
  json["outputs"] = plan.outputs;
  json["values"] = Json::array();
  for (const PlanValue& value : plan.values) json["values"].push_back(value_json(value));
  json["constants"] = Json::array();
  for (const Tensor& constant : plan.constants) {
    json["constants"].push_back(tensor_json(constant, blobs));
  }
  json["steps"] = Json::array();
  for (const PlanStep& step : plan.steps) {
    EDGEWRIGHT_ASSIGN(Json written, step_json(step, blobs));
    json["steps"].push_back(std::move(written));
  }
  return json;
}

}  // namespace

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) {
    hash ^= static_cast<uint8_t>(byte);
    hash *= 0x100000001b3u;
  }
  return hash;
}

std::string to_json_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

Status write_plan(const Plan& plan, const std::string& path) {
  Blobs blobs;
  Json header;
  header["schema"] = "edgewright.plan/1";
  header["cpu_features"] = host_cpu().features;
  EDGEWRIGHT_ASSIGN(header["plan"], plan_json(plan, blobs));
  const std::string text = header.dump();
  const size_t data_offset = (sizeof(PlanPreamble) + text.size() + 63) / 64 * 64;
  PlanPreamble preamble;
  std::memcpy(preamble.magic, kPlanMagic, sizeof(kPlanMagic));
  preamble.header_bytes = text.size();
  preamble.header_hash = fnv1a(text);
  preamble.file_bytes = data_offset + blobs.size_bytes();
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  EDGEWRIGHT_TRY(file.write(std::as_bytes(std::span(&preamble, 1))));
  EDGEWRIGHT_TRY(file.write(text));
  EDGEWRIGHT_TRY(file.pad_to(64));
  EDGEWRIGHT_TRY(blobs.write(file));
  return file.commit();
}

}  // namespace edgewright
