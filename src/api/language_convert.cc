#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/language_open.h"
#include "base/file.h"
#include "edgewright/language.h"
#include "formats/gguf/gguf.h"
#include "llm/decoder.h"
#include "llm/gguf_tensors.h"
#include "llm/packed_file.h"
#include "llm/round_calibrated.h"
#include "llm/sampler.h"

namespace edgewright {
namespace {

// Tokens of the sequence on which original and result are compared.
constexpr int kCheckTokens = 64;
// More than this between distributions of the next token, in nats, is no rounding.
constexpr double kMaxDivergence = 1.0;

Result<std::string> target_of(const std::string& output, const std::string& to) {
  const std::string target = !to.empty()                 ? to
                             : output.ends_with(".ewlm") ? "ewlm"
                             : output.ends_with(".gguf") ? "gguf"
                                                         : "";
  if (target == "ewlm" || target == "gguf") return target;
  return usage_error("found output '{}', expected an ending of .ewlm or .gguf, or --to ewlm,gguf",
                     output);
}

std::vector<float> check_logits(const std::shared_ptr<const PackedModel>& model, ThreadPool& pool) {
  Decoder decoder(model, pool);
  const int vocabulary = model->config.vocabulary;
  std::vector<int> tokens;
  tokens.reserve(kCheckTokens);
  for (int i = 0; i < std::min(kCheckTokens, model->config.context); ++i) {
    tokens.push_back(static_cast<int>(uniform(1, static_cast<uint64_t>(i)) * vocabulary));
  }
  KvCache cache(model->config, language::CacheType::kF16, kCheckTokens / kPageTokens + 1);
  SequenceCache sequence(cache);
  EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(tokens.size())));
  std::vector<float> logits(tokens.size() * static_cast<size_t>(vocabulary));
  const DecoderRun run{&sequence, tokens, static_cast<int>(tokens.size())};
  decoder.run(std::span(&run, 1), language::Phase::kDecode, logits);
  return logits;
}

// Kullback-Leibler divergence of the result's distributions from the original's, and how often
// their likeliest tokens agree.
void compare(const std::vector<float>& original, const std::vector<float>& result, int vocabulary,
             LanguageConvertReport& report) {
  const auto size = static_cast<size_t>(vocabulary);
  const size_t rows = original.size() / size;
  const Sampling plain{.temperature = 1};
  std::vector<float> p(size);
  std::vector<float> q(size);
  size_t agreeing = 0;
  double total = 0;
  for (size_t row = 0; row < rows; ++row) {
    const auto a = std::span(original).subspan(row * size, size);
    const auto b = std::span(result).subspan(row * size, size);
    distribution(a, plain, p);
    distribution(b, plain, q);
    for (size_t i = 0; i < size; ++i) {
      if (p[i] > 0) total += p[i] * std::log(p[i] / std::max(q[i], 1e-30f));
    }
    agreeing += likeliest(a) == likeliest(b) ? 1 : 0;
  }
  report.mean_kl_divergence = total / static_cast<double>(rows);
  report.top1_agreement = static_cast<double>(agreeing) / static_cast<double>(rows);
}

void describe(const PackedModel& model, LanguageConvertReport& report) {
  int64_t elements = 0;
  for (const auto& [name, stack] : model.matrices) {
    for (const language::PackedMatrix& m : stack) {
      std::string& types = report.precision[name];
      types += (types.empty() ? "" : "+") + std::string(language::weight_type_name(m.type));
      elements += static_cast<int64_t>(m.rows * m.columns);
    }
  }
  report.parameters = model.parameters();
  report.bits_per_weight =
      8.0 * static_cast<double>(model.weight_bytes()) / static_cast<double>(elements);
}

Result<PackedModel> pack_as_asked(const LanguageSource& source, const Precision& precision,
                                  const LanguageConvertOptions& options, ThreadPool& pool) {
  if (options.calibrate.empty()) {
    return pack_model(source.config, source.weights, precision, pool, options.progress);
  }
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.calibrate));
  EDGEWRIGHT_ASSIGN(const auto tokenizer,
                    open_tokenizer(source.tokenizer, source.config.vocabulary));
  const std::vector<int> tokens = tokenizer->encode(text, false);
  if (!tokens.empty() && *std::ranges::max_element(tokens) >= source.config.vocabulary) {
    return bad_input("the tokenizer has more tokens than the model");
  }
  return pack_calibrated(source.config, source.weights, precision, tokens, pool, options.progress);
}

Status convert_to_packed(const LanguageSource& source, const std::string& output,
                         const LanguageConvertOptions& options, LanguageConvertReport& report) {
  ThreadPool pool(options.threads);
  EDGEWRIGHT_ASSIGN(const Precision precision, precision_of(options.precision));
  EDGEWRIGHT_ASSIGN(PackedModel packed, pack_as_asked(source, precision, options, pool));
  packed.tokenizer = source.tokenizer;
  describe(packed, report);
  const auto result = std::make_shared<const PackedModel>(std::move(packed));
  if (precision.name != "stored") {
    EDGEWRIGHT_ASSIGN(const Precision stored, precision_of("stored"));
    EDGEWRIGHT_ASSIGN(PackedModel original,
                      pack_model(source.config, source.weights, stored, pool, options.progress));
    compare(check_logits(std::make_shared<const PackedModel>(std::move(original)), pool),
            check_logits(result, pool), source.config.vocabulary, report);
    report.passed = report.mean_kl_divergence < kMaxDivergence;
  }
  if (!report.passed) return {};
  return write_packed_model(output, *result);
}

Status convert_to_gguf(const LanguageSource& source, const std::string& output,
                       const LanguageConvertOptions& options, LanguageConvertReport& report) {
  EDGEWRIGHT_ASSIGN(GgufContents contents, gguf_contents(source.config, source.weights,
                                                         source.tokenizer, options.precision));
  double bits = 0;
  double elements = 0;
  std::vector<GgufTensor> tensors;
  for (GgufWeight& weight : contents.weights) {
    int64_t count = 1;
    for (const int64_t dim : weight.dims) count *= dim;
    if (weight.dims.size() == 2) {
      report.precision[weight.name] = encoding_shape(weight.encoding).name;
      bits += 8.0 * static_cast<double>(encoded_bytes(weight.encoding, count));
      elements += static_cast<double>(count);
    }
    report.parameters += count;
    tensors.push_back({weight.name, weight.encoding, weight.dims, std::move(weight.read_row)});
  }
  report.bits_per_weight = bits / elements;
  return write_gguf(output, contents.metadata, tensors);
}

}  // namespace

Result<LanguageConvertReport> convert_language_model(const std::string& input,
                                                     const std::string& output,
                                                     const LanguageConvertOptions& options) {
  EDGEWRIGHT_ASSIGN(const std::string target, target_of(output, options.to));
  std::error_code error;
  if (std::filesystem::equivalent(input, output, error)) {
    return usage_error("{} is the input itself; choose another name for the output", output);
  }
  EDGEWRIGHT_ASSIGN(LanguageSource source, read_language_source(input));
  if (!options.tokenizer.empty()) {
    EDGEWRIGHT_ASSIGN(source.tokenizer, find_tokenizer(input, options.tokenizer));
  }
  LanguageConvertReport report;
  if (source.tokenizer.kind == TokenizerSource::Kind::kNone) {
    report.warnings.emplace_back("no tokenizer was found; the result takes token numbers");
  }
  EDGEWRIGHT_TRY(target == "gguf" ? convert_to_gguf(source, output, options, report)
                                  : convert_to_packed(source, output, options, report));
  if (report.passed) {
    report.size_bytes = static_cast<int64_t>(std::filesystem::file_size(output, error));
  }
  return report;
}

Result<LanguageInfo> inspect_language_model(const std::string& path) {
  if (language_format(path) == LanguageFormat::kPacked) {
    EDGEWRIGHT_ASSIGN(const PackedModel model, read_packed_model(path));
    return language_info(model);
  }
  EDGEWRIGHT_ASSIGN(const LanguageSource source, read_language_source(path));
  PackedModel model;
  model.config = source.config;
  model.precision = "stored";
  model.tokenizer.kind = source.tokenizer.kind;
  model.vectors = source.weights.vectors;
  for (const auto& [name, parts] : source.weights.matrices) {
    for (const StoredWeight& part : parts) {
      const auto matrix = source_of(part);
      model.matrices[name].push_back(
          {language::exact_weight_type(matrix.type), matrix.rows, matrix.columns, nullptr});
    }
  }
  return language_info(model);
}

}  // namespace edgewright
