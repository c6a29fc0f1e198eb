#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Rows of equal length.
using Rows = std::vector<std::vector<float>>;

// How alike two images are. `range`: the difference between the largest and smallest value they may
// have. Planes (channels) of height x width lie after each other.
double psnr_db(std::span<const float> a, std::span<const float> b, double range);
// Mean structural similarity over windows of 8 x 8 (Wang et al., IEEE TIP 2004, with uniform
// windows), constants (0.01 range)^2 and (0.03 range)^2.
double ssim(std::span<const float> a, std::span<const float> b, size_t height, size_t width,
            double range);

// A decoder that an attacker learns from pairs of what he sees and what it came from: kernel ridge
// regression, with the linear kernel or a Gaussian one of the median distance as width.
enum class DecoderKernel : uint8_t { kLinear, kGaussian };
class LearnedDecoder {
 public:
  static Result<LearnedDecoder> train(const Rows& seen, const Rows& inputs, DecoderKernel kernel,
                                      double ridge);
  std::vector<float> decode(std::span<const float> seen) const;

 private:
  double kernel_of(std::span<const float> a, std::span<const float> b) const;
  DecoderKernel kernel_ = DecoderKernel::kLinear;
  double width_ = 1;
  Rows seen_;
  std::vector<std::vector<double>> coefficients_;  // [input element][training row]
  std::vector<double> mean_;
};

// Looks for an input whose image under `model` is what was seen: Gauss-Newton steps over the
// principal components of known inputs (an attacker's idea of what inputs look like), derivatives
// by differences. `model` gives what is seen of an input, without the random part of a defence.
using SeenOf = std::function<Result<std::vector<float>>(std::span<const float> input)>;
struct InputPrior {
  std::vector<float> mean;
  Rows components;  // orthonormal, strongest first
  std::vector<double> deviations;
};
InputPrior input_prior(const Rows& inputs, size_t components);
Result<std::vector<float>> reconstruct(const SeenOf& model, std::span<const float> seen,
                                       const InputPrior& prior, int steps);

}  // namespace edgewright
