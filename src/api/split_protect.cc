#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "api/cut_model.h"
#include "edgewright/split.h"
#include "split/codec/codec.h"
#include "split/privacy/accountant.h"
#include "split/privacy/attack.h"
#include "split/privacy/noise.h"
#include "split/privacy/seal.h"

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

// What a defence makes of an activation: what is seen on the way, and what the server works with.
struct Defended {
  std::vector<float> seen, received;
  double bytes = 0;
};
struct Defence {
  std::string name, guarantee;
  double epsilon = 0;
  std::function<Result<Defended>(const std::vector<float>&)> apply;
};

Result<Defended> rounded(const std::vector<float>& row) {
  ActivationEncoder encoder(*parse_codec("int8"));
  ActivationDecoder decoder;
  const Tensor tensor = Tensor::of<float>({static_cast<int64_t>(row.size())}, row);
  EDGEWRIGHT_ASSIGN(const auto bytes, encoder.encode(tensor));
  EDGEWRIGHT_ASSIGN(const Tensor decoded, decoder.decode(bytes));
  const auto values = decoded.elements<float>();
  std::vector<float> received(values.begin(), values.end());
  return Defended{received, received, static_cast<double>(bytes.size())};
}

// Sealed bytes as numbers, so that a decoder can try to learn from them.
std::vector<float> as_numbers(std::span<const std::byte> bytes, size_t count) {
  std::vector<float> numbers(count, 0);
  for (size_t i = 0; i < count && i < bytes.size(); ++i) {
    numbers[i] = std::to_integer<int>(bytes[i]) / 128.0f - 1;
  }
  return numbers;
}

std::vector<Defence> defences(size_t size, double clip, double sigma, PrivacyBound bound) {
  const auto four = [](const std::vector<float>& row) {
    return 4 * static_cast<double>(row.size());
  };
  const auto rotation = std::make_shared<RandomRotation>(size, 8);
  const auto projection = std::make_shared<RandomProjection>(size, std::max<size_t>(1, size / 2));
  const auto key = std::make_shared<SealKey>(random_key());
  const auto noisy = [clip, sigma](std::vector<float> row) {
    clip_norm(row, clip);
    add_noise(row, sigma);
    return row;
  };
  const std::string promise =
      fmt::format("({:g}, {:g}) differential privacy of each request", bound.epsilon, bound.delta);
  std::vector<Defence> list;
  list.push_back({"none", "none", 0, [=](const std::vector<float>& row) -> Result<Defended> {
                    return Defended{row, row, four(row)};
                  }});
  list.push_back({"int8", "none (compression)", 0, rounded});
  list.push_back(
      {"rotation", "none (obfuscation)", 0, [=](const std::vector<float>& row) -> Result<Defended> {
         std::vector<float> seen = row;
         rotation->apply(seen);
         std::vector<float> received = seen;
         rotation->undo(received);
         return Defended{seen, received, four(row)};
       }});
  list.push_back({"projection", "none (obfuscation)", 0,
                  [=](const std::vector<float>& row) -> Result<Defended> {
                    auto seen = projection->apply(row);
                    const double bytes = 4 * static_cast<double>(seen.size());
                    auto received = projection->restore(seen);
                    return Defended{std::move(seen), std::move(received), bytes};
                  }});
  list.push_back(
      {"noise", promise, bound.epsilon, [=](const std::vector<float>& row) -> Result<Defended> {
         const auto seen = noisy(row);
         return Defended{seen, seen, four(row)};
       }});
  list.push_back({"encryption", "only the server's key opens it; the server sees all", 0,
                  [=](const std::vector<float>& row) -> Result<Defended> {
                    const auto sealed = seal(std::as_bytes(std::span(row)), "activation", *key);
                    EDGEWRIGHT_ASSIGN(const auto opened, open_seal(sealed, "activation", *key));
                    return Defended{as_numbers(sealed, row.size()), row,
                                    static_cast<double>(opened.size())};
                  }});
  list.push_back({"projection+noise+encryption", promise + ", and encrypted on the way",
                  bound.epsilon, [=](const std::vector<float>& row) -> Result<Defended> {
                    // Noise first: whatever is done to what is private leaves it private.
                    const auto shrunk = projection->apply(noisy(row));
                    const auto sealed = seal(std::as_bytes(std::span(shrunk)), "activation", *key);
                    return Defended{as_numbers(sealed, shrunk.size()), projection->restore(shrunk),
                                    static_cast<double>(sealed.size())};
                  }});
  return list;
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
  const std::string name = bench.model.inputs()[0];
  const Dims dims = bench.model.input_dims(0);
  const SeenOf seen_of = [&](std::span<const float> input) -> Result<std::vector<float>> {
    EDGEWRIGHT_ASSIGN(const auto sent,
                      bench.model.run_device({{name, Tensor::of<float>(dims, input)}}));
    return flat(sent);
  };
  return likeness(bench, kImages,
                  [&](size_t i) { return reconstruct(seen_of, received[i], bench.prior, kSteps); });
}

Result<DefenceFigures> try_defence(const Bench& bench, const Defence& defence,
                                   double undefended_bytes) {
  DefenceFigures figures{defence.name, defence.guarantee};
  figures.epsilon = defence.epsilon;
  Rows seen, received;
  std::vector<double> times;
  double bytes = 0, agreeing = 0, right = 0;
  for (size_t i = 0; i < bench.rows.size(); ++i) {
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(Defended defended, defence.apply(bench.rows[i]));
    times.push_back(since(start));
    bytes += defended.bytes / double(bench.rows.size());
    EDGEWRIGHT_ASSIGN(const auto outputs,
                      bench.model.run_server(unflat(bench.sent[i], defended.received)));
    const size_t found = top_answer(outputs);
    agreeing += found == bench.answers[i] ? 1 : 0;
    if (!bench.samples.labels.empty()) {
      right += found == static_cast<size_t>(bench.samples.labels[i]) ? 1 : 0;
    }
    seen.push_back(std::move(defended.seen));
    received.push_back(std::move(defended.received));
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
  const bool is_sealed = defence.name.find("encryption") != std::string::npos;
  Rows as_activation = received;
  for (size_t i = 0; is_sealed && i < seen.size(); ++i) {
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
  const auto list = defences(bench.rows[0].size(), report.clip, report.sigma, bound);
  for (const Defence& defence : list) {
    EDGEWRIGHT_ASSIGN(report.defences.emplace_back(),
                      try_defence(bench, defence, 4 * double(bench.rows[0].size())));
  }
  if (options.data.empty()) {
    report.warnings.emplace_back("the inputs are random and hold nothing to find; give --data");
  }
  return report;
}

}  // namespace edgewright
