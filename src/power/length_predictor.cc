#include "power/length_predictor.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

constexpr double kWeight = 0.2;  // of the newest request

double smooth(double old, double seen) { return old + kWeight * (seen - old); }

}  // namespace

double LengthPredictor::expected(double prompt_tokens) const {
  return begun_ && ratio_error_ < length_error_ ? ratio_ * prompt_tokens : length_;
}

void LengthPredictor::finished(double prompt_tokens, double output_tokens) {
  const double ratio = output_tokens / std::max(1.0, prompt_tokens);
  if (!begun_) {
    length_ = output_tokens;
    ratio_ = ratio;
    begun_ = true;
    return;
  }
  length_error_ = smooth(length_error_, std::fabs(length_ - output_tokens));
  ratio_error_ = smooth(ratio_error_, std::fabs(ratio_ * prompt_tokens - output_tokens));
  length_ = smooth(length_, output_tokens);
  ratio_ = smooth(ratio_, ratio);
}

double LengthPredictor::left(double prompt_tokens, double made_tokens) const {
  const double whole = expected(prompt_tokens);
  return std::max({1.0, whole - made_tokens, made_tokens > whole ? whole / 4 : 0.0});
}

}  // namespace edgewright
