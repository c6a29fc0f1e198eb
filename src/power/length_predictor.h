#pragma once

namespace edgewright {

// How many tokens a request will still make, learnt from those that have finished: smoothed lengths
// of answers, and of answers over prompts; whichever of the two has erred less is believed.
class LengthPredictor {
 public:
  // `expected`: of an answer, before any has been seen.
  explicit LengthPredictor(double expected = 128) : length_(expected) {}

  void finished(double prompt_tokens, double output_tokens);
  // At least one. An answer that has grown past what was expected of it is taken to go on by a
  // quarter of that.
  double left(double prompt_tokens, double made_tokens) const;

 private:
  double expected(double prompt_tokens) const;
  double length_, ratio_ = 0;
  double length_error_ = 0, ratio_error_ = 0;
  bool begun_ = false;
};

}  // namespace edgewright
