#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>

#include "arrays.h"
#include "errors.h"
#include "register.h"
#include "report.h"
#include "session_keywords.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

const Keywords<InferenceOptions>& open_keywords() {
  static const auto keywords = session_keywords<InferenceOptions>(
      [](InferenceOptions& options) -> InferenceOptions& { return options; });
  return keywords;
}

// Whether an output lies in the memory of an input: a model that hands an input through.
bool lies_in(const Tensor& output, const TensorMap& inputs) {
  for (const auto& [name, input] : inputs) {
    if (input.bytes() != nullptr && output.bytes() >= input.bytes() &&
        output.bytes() < input.bytes() + input.size_bytes()) {
      return true;
    }
  }
  return false;
}

// The library's session, which takes one call at a time, behind a lock.
class Session {
 public:
  Session(const std::string& path, const InferenceOptions& options)
      : session_(released([&] { return InferenceSession::open(path, options); })) {}

  const InferenceSession& session() const { return session_; }

  nb::list run(const nb::object& names, const nb::object& feed) {
    const TensorMap inputs = to_tensors(feed);
    const TensorMap outputs = released([&]() -> Result<TensorMap> {
      const std::lock_guard lock(mutex_);
      return session_.run(inputs);
    });
    nb::list results;
    if (names.is_none()) {
      for (const InterfaceValue& output : session_.outputs()) {
        results.append(output_of(output.name, outputs, inputs));
      }
      return results;
    }
    for (nb::handle name : names) {
      const std::string key = to_text(name, "output_names");
      check_output(key);
      results.append(output_of(key, outputs, inputs));
    }
    return results;
  }

 private:
  void check_output(const std::string& name) const {
    std::string known;
    for (const InterfaceValue& output : session_.outputs()) {
      if (output.name == name) return;
      known += (known.empty() ? "" : ", ") + output.name;
    }
    raise(usage_error("'{}' is no output of the model; there are {}", name, known));
  }

  // Sequences and maps come as NAME.0, NAME.1, ... and NAME.keys, NAME.values; nothing is None.
  static nb::object output_of(const std::string& name, const TensorMap& outputs,
                              const TensorMap& inputs) {
    if (const auto it = outputs.find(name); it != outputs.end()) {
      if (lies_in(it->second, inputs)) return to_array(value_or_raise(clone(it->second)));
      return to_array(it->second);
    }
    const auto keys = outputs.find(name + ".keys");
    const auto values = outputs.find(name + ".values");
    if (keys != outputs.end() && values != outputs.end()) {
      nb::dict map;
      const nb::list all_values(to_array(values->second).attr("tolist")());
      size_t i = 0;
      for (nb::handle key : nb::list(to_array(keys->second).attr("tolist")())) {
        map[key] = all_values[i++];
      }
      return map;
    }
    nb::list elements;
    for (size_t i = 0; outputs.contains(fmt::format("{}.{}", name, i)) ||
                       outputs.contains(fmt::format("{}.{}.keys", name, i));
         ++i) {
      elements.append(output_of(fmt::format("{}.{}", name, i), outputs, inputs));
    }
    if (elements.size() > 0) return elements;
    return nb::none();
  }

  std::mutex mutex_;
  InferenceSession session_;
};

// (name, dtype, dimensions or None) of every input or output.
nb::list describe(const std::vector<InterfaceValue>& values) {
  nb::list list;
  for (const InterfaceValue& value : values) {
    const nb::object shape = value.has_shape ? nb::cast(value.shape) : nb::none();
    list.append(nb::make_tuple(value.name, value.dtype, shape));
  }
  return list;
}

}  // namespace

void register_session(nb::module_& module) {
  const char* signature = keep_for_ever(
      open_keywords().signature("__init__", "self, path: str | os.PathLike[str]", "None"));
  const char* documentation =
      keep_for_ever(open_keywords().documentation("Opens an ONNX model or a plan (.ewplan)."));
  nb::class_<Session>(module, "Session",
                      "A model that is ready to run; InferenceSession has the usual interface.")
      .def(
          "__init__",
          [](Session* self, nb::handle path, const nb::kwargs& named) {
            new (self) Session(to_text(path, "path"), open_keywords().read(named));
          },
          nb::arg("path"), nb::arg("options"), nb::sig(signature), documentation)
      .def("run", &Session::run, nb::arg("output_names").none(), nb::arg("input_feed"),
           nb::sig("def run(self, output_names: collections.abc.Sequence[str] | None, input_feed: "
                   "collections.abc.Mapping[str, numpy.typing.ArrayLike]) -> list[typing.Any]"),
           "One inference: the outputs of these names (None: all, in the model's order) for the\n"
           "inputs by name. Contiguous arrays are read where they lie; an output's array is the\n"
           "engine's own memory and stays valid. Other threads run Python meanwhile.")
      .def_prop_ro(
          "inputs", [](const Session& self) { return describe(self.session().inputs()); },
          nb::sig("def inputs(self) -> list[tuple[str, str, list[str] | None]]"),
          "Name, type and dimensions (as text) of every input.")
      .def_prop_ro(
          "outputs", [](const Session& self) { return describe(self.session().outputs()); },
          nb::sig("def outputs(self) -> list[tuple[str, str, list[str] | None]]"),
          "Name, type and dimensions (as text) of every output.")
      .def_prop_ro(
          "arena_bytes", [](const Session& self) { return self.session().arena_bytes(); },
          "Bytes of the engine's working memory; 0 before the first run.")
      .def_prop_ro(
          "live_set_bytes", [](const Session& self) { return self.session().live_set_bytes(); },
          "The largest set of values alive at one time, in bytes.")
      .def_prop_ro(
          "warnings", [](const Session& self) { return self.session().warnings(); },
          "What was noticed while opening.");
}

}  // namespace edgewright::python
