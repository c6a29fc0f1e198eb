#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// Forms in which an activation travels that a server's model turns back with standard operators, so
// that any server of the Open Inference Protocol takes them (docs/decisions/0072). Numbers on a
// grid have a scale and a zero point for every channel, found in each activation anew.
//   fp16: NAME as float16.
//   int8: NAME as uint8, NAME.scale float32 and NAME.zero uint8 of one element a channel.
//   int4: NAME as uint8 [half the elements, rounded up]: element i in the low half of byte i, the
//         second half of the elements in the high halves; scale and zero as with int8.
//   coded: not one of these: bytes that only `edgewright serve` decodes (split/codec/coded.h).
enum class WireForm : uint8_t { kPlain, kFloat16, kInt8, kInt4, kCoded };
// "fp16", "int8", "int4"; kUsage for another name.
Result<WireForm> parse_wire_form(std::string_view name);
std::string_view wire_form_name(WireForm form);  // "" for plain
// Of each sent float, without scales.
int wire_bits(WireForm form);

using WireTensors = std::vector<std::pair<std::string, Tensor>>;
// Values of other types than float32 travel as they are. kUnsupported when a value is infinite or
// not a number.
Result<WireTensors> encode_wire(WireForm form, const std::string& name, const Tensor& tensor);
// What the server's model makes of it.
Tensor decode_wire(WireForm form, const WireTensors& sent, const Dims& dims);
// Makes a model take these float32 inputs in the form; the shapes of theirs must be known.
Status take_wire_form(Graph& graph, const std::vector<std::string>& inputs, WireForm form);

}  // namespace edgewright
