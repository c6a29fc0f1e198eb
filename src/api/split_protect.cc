#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/cut_model.h"
#include "edgewright/split.h"
#include "split/privacy/accountant.h"
#include "split/privacy/attack.h"
#include "split/privacy/defence.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// The cut's activations in one row, as an attacker sees them or the server takes them.
std::vector<float> flat(const TensorMap& sent) {
  std::vector<float> row;
  for (const auto& [name, tensor] : sent) {
    const auto values = tensor.elements<float>();
    row.insert(row.end(), values.begin(), values.end());
  }
  return row;
}

TensorMap unflat(const TensorMap& like, std::span<const float> row) {
  TensorMap sent;
  for (const auto& [name, tensor] : like) {
    const auto count = static_cast<size_t>(tensor.element_count());
    sent[name] = Tensor::of<float>(tensor.dims(), row.first(count));
    row = row.subspan(count);
  }
  return sent;
}

std::string guarantee_text(Guarantee guarantee, PrivacyBound bound) {
  std::string promise =
      fmt::format("({:g}, {:g}) differential privacy of each request", bound.epsilon, bound.delta);
  switch (guarantee) {
    case Guarantee::kNone: return "none";
    case Guarantee::kObfuscation: return "none (obfuscation)";
    case Guarantee::kDifferential: return promise;
    case Guarantee::kSecrecy: return "only the server's key opens it; the server sees all";
    case Guarantee::kBoth: return promise + ", and encrypted on the way";
  }
  return "";
}

// Everything that does not change from one defence to the next.
struct Bench {
  CutModel& model;
  const CutSamples& samples;
  std::vector<TensorMap> sent;
  Rows rows, inputs;  // activations and inputs, sample by sample
  std::vector<size_t> answers;
  size_t known = 0;  // the first ones are the attacker's
  double range = 1;  // of input values
  InputPrior prior;
  double device_us = 0;
};

size_t top_answer(const TensorMap& outputs) {
  for (const auto& [name, tensor] : outputs) {
    if (tensor.dtype() != DType::kFloat32 || tensor.element_count() == 0) continue;
    const auto values = tensor.elements<float>();
    return static_cast<size_t>(std::ranges::max_element(values) - values.begin());
  }
  return 0;
}

std::pair<size_t, size_t> image_size(const Dims& dims) {
  if (dims.size() < 2) return {1, static_cast<size_t>(dims.empty() ? 1 : dims.back())};
  return {static_cast<size_t>(dims[dims.size() - 2]), static_cast<size_t>(dims.back())};
}

Result<Bench> make_bench(CutModel& model, const CutSamples& samples) {
  Bench bench{model, samples};
  std::vector<double> times;
  float low = 0, high = 0;
  for (const TensorMap& inputs : samples.inputs) {
    double device_us = 0;
    EDGEWRIGHT_ASSIGN(auto sent, model.run_device(inputs, &device_us));
    times.push_back(device_us);
    for (const auto& [name, tensor] : sent) {
      if (tensor.dtype() != DType::kFloat32) {
        return unsupported("'{}' is sent as {}, and only float32 can be defended; cut elsewhere",
                           name, dtype_name(tensor.dtype()));
      }
    }
    EDGEWRIGHT_ASSIGN(const auto outputs, model.run_server(sent));
    bench.answers.push_back(top_answer(outputs));
    bench.rows.push_back(flat(sent));
    bench.sent.push_back(std::move(sent));
    bench.inputs.push_back(flat({*inputs.begin()}));
    low = std::min(low, std::ranges::min(bench.inputs.back()));
    high = std::max(high, std::ranges::max(bench.inputs.back()));
  }
  std::ranges::sort(times);
  bench.device_us = times[times.size() / 2];
  bench.known = samples.inputs.size() - std::max<size_t>(1, samples.inputs.size() / 6);
  bench.range = static_cast<double>(high - low);
  const Rows known(bench.inputs.begin(), bench.inputs.begin() + std::ptrdiff_t(bench.known));
  bench.prior = input_prior(known, 40);
  return bench;
}

struct Likeness {
  double ssim = 0, psnr_db = 0;
};
template <class Guess>
Result<Likeness> likeness(const Bench& bench, size_t most, Guess&& guess) {
  Likeness mean;
  const auto [height, width] = image_size(bench.model.input_dims(0));
  const size_t count = std::min(most, bench.inputs.size() - bench.known);
  for (size_t i = bench.known; i < bench.known + count; ++i) {
    EDGEWRIGHT_ASSIGN(const std::vector<float> found, guess(i));
    mean.ssim += ssim(bench.inputs[i], found, height, width, bench.range) / double(count);
    mean.psnr_db += psnr_db(bench.inputs[i], found, bench.range) / double(count);
  }
  return mean;
}

Result<Likeness> learned_attack(const Bench& bench, const Rows& seen, DecoderKernel kernel) {
  const Rows known_seen(seen.begin(), seen.begin() + std::ptrdiff_t(bench.known));
  const Rows known(bench.inputs.begin(), bench.inputs.begin() + std::ptrdiff_t(bench.known));
  constexpr double kRidge = 1e-2;
  EDGEWRIGHT_ASSIGN(const LearnedDecoder decoder,
                    LearnedDecoder::train(known_seen, known, kernel, kRidge));
  return likeness(bench, bench.inputs.size(),
                  [&](size_t i) -> Result<std::vector<float>> { return decoder.decode(seen[i]); });
}

// The attacker runs the device half and, where he can, the defence himself; noise he cannot repeat.
Result<Likeness> optimised_attack(const Bench& bench, const Rows& received) {
  constexpr size_t kImages = 4;
  constexpr int kSteps = 5;
  const std::string& name = bench.model.inputs()[0];
  const Dims& dims = bench.model.input_dims(0);
  const SeenOf seen_of = [&](std::span<const float> input) -> Result<std::vector<float>> {
    EDGEWRIGHT_ASSIGN(const auto sent,
                      bench.model.run_device({{name, Tensor::of<float>(dims, input)}}));
    return flat(sent);
  };
  return likeness(bench, kImages,
                  [&](size_t i) { return reconstruct(seen_of, received[i], bench.prior, kSteps); });
}

Result<DefenceFigures> try_defence(const Bench& bench, const Defence& defence,
                                   const DefenceTools& tools, PrivacyBound bound) {
  const double undefended_bytes = 4 * static_cast<double>(bench.rows[0].size());
  DefenceFigures figures{std::string(defence.name), guarantee_text(defence.guarantee, bound)};
  const bool is_private =
      defence.guarantee == Guarantee::kDifferential || defence.guarantee == Guarantee::kBoth;
  figures.epsilon = is_private ? bound.epsilon : 0;
  Rows seen, received;
  std::vector<double> times;
  double bytes = 0, agreeing = 0, right = 0;
  for (size_t i = 0; i < bench.rows.size(); ++i) {
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(const Protected sent, defence.protect(tools, bench.rows[i]));
    times.push_back(since(start));
    bytes += sent.bytes / double(bench.rows.size());
    EDGEWRIGHT_ASSIGN(received.emplace_back(), defence.receive(tools, sent));
    EDGEWRIGHT_ASSIGN(const auto outputs,
                      bench.model.run_server(unflat(bench.sent[i], received.back())));
    const size_t found = top_answer(outputs);
    agreeing += found == bench.answers[i] ? 1 : 0;
    if (!bench.samples.labels.empty()) {
      right += found == static_cast<size_t>(bench.samples.labels[i]) ? 1 : 0;
    }
    seen.push_back(sent.seen());
  }
  std::ranges::sort(times);
  figures.overhead_us = defence.name == "none" ? 0 : times[times.size() / 2];
  figures.overhead_share = figures.overhead_us / bench.device_us;
  figures.size_ratio = undefended_bytes > 0 ? bytes / undefended_bytes : 1;
  figures.agreement = agreeing / double(bench.rows.size());
  if (!bench.samples.labels.empty()) figures.accuracy = right / double(bench.rows.size());
  EDGEWRIGHT_ASSIGN(const auto linear, learned_attack(bench, seen, DecoderKernel::kLinear));
  EDGEWRIGHT_ASSIGN(const auto kernel, learned_attack(bench, seen, DecoderKernel::kGaussian));
  // What is encrypted he cannot put into the optimisation: there he sees numbers without relation.
  Rows as_activation = received;
  for (size_t i = 0; defence.is_sealed && i < seen.size(); ++i) {
    as_activation[i] = seen[i];
    as_activation[i].resize(received[i].size(), 0);
  }
  EDGEWRIGHT_ASSIGN(const auto optimised, optimised_attack(bench, as_activation));
  figures.linear_ssim = linear.ssim;
  figures.linear_psnr_db = linear.psnr_db;
  figures.kernel_ssim = kernel.ssim;
  figures.kernel_psnr_db = kernel.psnr_db;
  figures.optimised_ssim = optimised.ssim;
  figures.optimised_psnr_db = optimised.psnr_db;
  return figures;
}

double median_norm(const Rows& rows) {
  std::vector<double> norms;
  for (const auto& row : rows) {
    double square = 0;
    for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
    norms.push_back(std::sqrt(square));
  }
  std::ranges::sort(norms);
  return norms[norms.size() / 2];
}

}  // namespace

Result<ProtectReport> protect_cut(const ProtectOptions& options) {
  EDGEWRIGHT_ASSIGN(CutModel model,
                    CutModel::open(options.model, options.shapes, options.cut, options.threads));
  if (model.inputs().size() != 1) {
    return unsupported("found {} inputs, and reconstruction is of one", model.inputs().size());
  }
  EDGEWRIGHT_ASSIGN(const CutSamples samples,
                    cut_samples(model, options.data, options.samples, options.seed));
  if (samples.inputs.size() < 12) {
    return usage_error("found {} samples, expected at least 12 to learn from and to attack",
                       samples.inputs.size());
  }
  EDGEWRIGHT_ASSIGN(const Bench bench, make_bench(model, samples));
  ProtectReport report;
  report.device_us = bench.device_us;
  report.known = bench.known;
  report.attacked = bench.inputs.size() - bench.known;
  report.clip = options.clip > 0 ? options.clip : median_norm(bench.rows);
  const PrivacyBound bound{options.epsilon, options.delta};
  // Any two inputs are neighbours: after clipping they are at most two bounds apart.
  EDGEWRIGHT_ASSIGN(report.sigma, analytic_sigma(bound, 2 * report.clip));
  EDGEWRIGHT_ASSIGN(const auto blind,
                    likeness(bench, bench.inputs.size(), [&](size_t) -> Result<std::vector<float>> {
                      return bench.prior.mean;
                    }));
  report.blind_ssim = blind.ssim;
  report.blind_psnr_db = blind.psnr_db;
  constexpr size_t kComponents = 32;
  DefenceTools tools(bench.rows[0].size(), report.clip, report.sigma);
  tools.basis = input_prior({bench.rows.begin(), bench.rows.begin() + std::ptrdiff_t(bench.known)},
                            kComponents);
  for (const Defence& defence : defences()) {
    EDGEWRIGHT_ASSIGN(report.defences.emplace_back(), try_defence(bench, defence, tools, bound));
  }
  if (options.data.empty()) {
    report.warnings.emplace_back("the inputs are random and hold nothing to find; give --data");
  }
  return report;
}

}  // namespace edgewright
