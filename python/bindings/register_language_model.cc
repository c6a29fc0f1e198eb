#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <mutex>

#include "edgewright/language.h"
#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

const Keywords<LanguageOptions>& open_keywords() {
  using O = LanguageOptions;
  static const Keywords<O> keywords = {
      keyword<O>("precision", &O::precision,
                 "\"stored\", or round the weights: fp32, fp16, bf16, int8, int4, int4-g128"),
      keyword<O>("kv_cache", &O::kv_cache, "\"fp16\" or \"int8\""),
      keyword<O>("context", &O::context, "tokens of the longest sequence; 0: the model's"),
      keyword<O>("threads", &O::threads, "threads of the engine"),
      keyword<O>("tokenizer", &O::tokenizer, "tokenizer.model or tokenizer.json; empty: its own"),
      keyword<O>("draft", &O::draft, "a smaller model of the same vocabulary, proposing tokens"),
      keyword<O>("draft_precision", &O::draft_precision, "as `precision`, of the draft"),
      keyword<O>("progress", &O::progress, "called with stage, done, total"),
  };
  return keywords;
}

const Keywords<GenerateOptions>& generate_keywords() {
  using O = GenerateOptions;
  static const Keywords<O> keywords = {
      keyword<O>("prompt", &O::prompt, "what the text begins with"),
      keyword<O>("prompt_tokens", &O::prompt_tokens, "in place of a prompt"),
      keyword<O>("chat", &O::chat, "in place of a prompt: [{\"role\": ..., \"content\": ...}]"),
      keyword<O>("max_tokens", &O::max_tokens, "tokens at most"),
      keyword<O>(
          "temperature", [](O& o) -> float& { return o.sampling.temperature; },
          "0: always the likeliest token"),
      keyword<O>(
          "top_k", [](O& o) -> int& { return o.sampling.top_k; }, "0: all"),
      keyword<O>(
          "top_p", [](O& o) -> float& { return o.sampling.top_p; }, "share of probability"),
      keyword<O>(
          "min_p", [](O& o) -> float& { return o.sampling.min_p; }, "of the likeliest"),
      keyword<O>(
          "repetition_penalty", [](O& o) -> float& { return o.sampling.repetition_penalty; },
          "1: none"),
      keyword<O>(
          "seed", [](O& o) -> uint64_t& { return o.sampling.seed; }, "of the sampling"),
      keyword<O>("stop", &O::stop, "the text ends before the first of these"),
      keyword<O>("overflow", &O::overflow, "\"stop\" or \"slide\" when the context is full"),
      keyword<O>("speculate", &O::speculate, "\"none\", \"lookup\" or \"draft\""),
      keyword<O>("log_probabilities", &O::log_probabilities, "of the chosen tokens"),
      keyword<O>("ignore_end", &O::ignore_end, "go on where the model ends its text"),
      keyword<O>("measure_bandwidth", &O::measure_bandwidth, "the memory's speed too, once"),
      keyword<O>("on_text", &O::on_text, "called with text as it becomes certain; False cancels"),
  };
  return keywords;
}

const Keywords<PerplexityOptions>& perplexity_keywords() {
  using O = PerplexityOptions;
  static const Keywords<O> keywords = {
      keyword<O>("window", &O::window, "tokens predicted per window"),
      keyword<O>("windows", &O::windows, "the first so many; 0: all whole ones"),
      keyword<O>("bos", &O::bos, "every window begins with the beginning-of-text token"),
  };
  return keywords;
}

// The library's model, which takes one call at a time, behind a lock.
class Model {
 public:
  Model(const std::string& path, const LanguageOptions& options)
      : model_(released([&] { return LanguageModel::open(path, options); })) {}

  const LanguageModel& model() const { return model_; }

  nb::object generate(const GenerateOptions& options) {
    return report(released([&]() -> Result<std::string> {
      const std::lock_guard lock(mutex_);
      EDGEWRIGHT_ASSIGN(const GenerateReport made, model_.generate(options));
      return to_json(made);
    }));
  }
  nb::object perplexity(const std::string& text, const PerplexityOptions& options) {
    return report(released([&]() -> Result<std::string> {
      const std::lock_guard lock(mutex_);
      EDGEWRIGHT_ASSIGN(const PerplexityReport made, model_.perplexity(text, options));
      return to_json(made);
    }));
  }
  nb::object logits(const std::vector<int>& tokens, bool stepwise) {
    const Tensor values = released([&]() -> Result<Tensor> {
      const std::lock_guard lock(mutex_);
      EDGEWRIGHT_ASSIGN(const auto flat, model_.logits(tokens, stepwise));
      const auto rows = static_cast<int64_t>(tokens.size());
      const Dims dims = {rows, rows == 0 ? 0 : static_cast<int64_t>(flat.size()) / rows};
      return Tensor::of<float>(dims, std::span<const float>(flat));
    });
    return to_array(values);
  }

 private:
  std::mutex mutex_;
  LanguageModel model_;
};

void register_convert(nb::module_& module) {
  using O = LanguageConvertOptions;
  define<O, 2>(
      module, "convert_language_model", {"model", "output"},
      {
          keyword<O>("to", &O::to, "\"ewlm\" or \"gguf\"; empty: from the output's ending"),
          keyword<O>("precision", &O::precision, "\"stored\", fp16, int8, int4, ..."),
          keyword<O>("calibrate", &O::calibrate, "a text file: int4 weights are rounded by it"),
          keyword<O>("tokenizer", &O::tokenizer, "tokenizer.model or tokenizer.json"),
          keyword<O>("threads", &O::threads, "threads of the engine"),
          keyword<O>("progress", &O::progress, "called with stage, done, total"),
      },
      "Packs a language model for the engine (.ewlm) or writes it as GGUF.",
      [](const auto& texts, const O& options) {
        return convert_language_model(texts[0], texts[1], options);
      });
}

void register_bench(nb::module_& module) {
  using O = LanguageBenchOptions;
  define<O, 1>(
      module, "bench_language_model", {"model"},
      {
          keyword<O>(
              "precision", [](O& o) -> std::string& { return o.language.precision; },
              "\"stored\", or round the weights first"),
          keyword<O>(
              "kv_cache", [](O& o) -> std::string& { return o.language.kv_cache; },
              "\"fp16\" or \"int8\""),
          keyword<O>(
              "threads", [](O& o) -> int& { return o.language.threads; }, "threads of the engine"),
          keyword<O>("contexts", &O::contexts, "tokens before the first decoded one"),
          keyword<O>("tokens", &O::tokens, "decoded at each context"),
          keyword<O>("seed", &O::seed, "of the prompts"),
      },
      "Time to the first token and tokens per second at several contexts, measured.",
      [](const auto& texts, const O& options) { return bench_language_model(texts[0], options); });
}

}  // namespace

void register_language_model(nb::module_& module) {
  register_convert(module);
  register_bench(module);
  module.def(
      "is_language_model", [](nb::handle path) { return is_language_model(to_text(path, "path")); },
      nb::sig("def is_language_model(path: str | os.PathLike[str]) -> bool"),
      "A Hugging Face folder, a packed model (.ewlm) or a GGUF file.");
  const auto& generate = generate_keywords();
  const auto& perplexity = perplexity_keywords();
  const auto& open = open_keywords();
  nb::class_<Model>(module, "LanguageModel", "An opened language model.")
      .def(
          "__init__",
          [](Model* self, nb::handle path, const nb::kwargs& named) {
            new (self) Model(to_text(path, "path"), open_keywords().read(named));
          },
          nb::arg("path"), nb::arg("options"),
          nb::sig(keep_for_ever(
              open.signature("__init__", "self, path: str | os.PathLike[str]", "None"))),
          keep_for_ever(open.documentation(
              "Opens a Hugging Face folder, a packed model (.ewlm) or a GGUF file.")))
      .def(
          "generate",
          [](Model& self, const nb::args& prompt, const nb::kwargs& named) {
            GenerateOptions options = generate_keywords().read(named);
            if (prompt.size() > 1) raise(usage_error("generate takes one prompt"));
            if (prompt.size() == 1) options.prompt = to_text(prompt[0], "prompt");
            return self.generate(options);
          },
          nb::sig(keep_for_ever(generate.signature("generate", "self", kReport))),
          keep_for_ever(generate.documentation("Text that goes on from a prompt, and its speed.")))
      .def(
          "perplexity",
          [](Model& self, nb::handle text, const nb::kwargs& named) {
            return self.perplexity(to_text(text, "text"), perplexity_keywords().read(named));
          },
          nb::arg("text"), nb::arg("options"),
          nb::sig(keep_for_ever(perplexity.signature("perplexity", "self, text: str", kReport))),
          keep_for_ever(perplexity.documentation("How well the model predicts a text.")))
      .def("logits", &Model::logits, nb::arg("tokens"), nb::arg("stepwise") = false,
           nb::sig("def logits(self, tokens: collections.abc.Sequence[int], stepwise: bool = False)"
                   " -> numpy.typing.NDArray[numpy.float32]"),
           "The logits after each of the tokens, [tokens, vocabulary].")
      .def(
          "encode",
          [](const Model& self, const std::string& text) { return self.model().encode(text); },
          nb::arg("text"), "The tokens of a text.")
      .def(
          "decode",
          [](const Model& self, const std::vector<int>& tokens) {
            const std::string text = self.model().decode(tokens);
            return nb::steal(
                PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
          },
          nb::arg("tokens"),
          nb::sig("def decode(self, tokens: collections.abc.Sequence[int]) -> str"),
          "The text of tokens.")
      .def_prop_ro(
          "info", [](const Model& self) { return report(to_json(self.model().info())); },
          nb::sig("def info(self) -> edgewright.report.Report"), "Architecture, sizes and types.");
}

}  // namespace edgewright::python
