#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "profile/roofline.h"

namespace edgewright {

// What a layer's time depends on, as numbers; mostly logarithms, because times multiply.
inline constexpr size_t kFeatures = 32;
using Features = std::array<double, kFeatures>;
struct RunContext {
  // What is moved between two runs of the layer, 0 where it runs alone in a loop. It says how far
  // away its weights and its code lie.
  double others_bytes = 0;
  bool is_generated = false;  // its kernel's code is made when the plan is opened
};
Features features_of(const Operation& operation, const Work& work, const RunContext& context);

struct TimeSample {
  WorkKind kind = WorkKind::kOther;
  Features features{};
  double base_us = 0;  // what the roofs alone would say
  double time_us = 0;  // measured
};

// Gradient-boosted regression trees (Friedman 2001, 2002) on the logarithm of measured over
// roofline time: the roofs carry the large scales, the trees what blocking, padding and caches do
// to them. What is computed in bytes has trees of its own: its times follow other things. Fitting
// is deterministic.
class TimeModel {
 public:
  // `roofs`: from which the samples' base times came. `pace_us`: of the machine, at which their
  // times are (PaceMeter). kUsage with fewer than 40 samples.
  static Result<TimeModel> fit(std::span<const TimeSample> samples, Roofs roofs, double pace_us);

  // Microseconds. `base_us` as in the samples.
  double predict_us(const Features& features, double base_us) const;
  // What base times are to be reckoned from: those of another probe would not fit the trees.
  const Roofs& roofs() const { return roofs_; }
  // At which pace of the machine layers take what is predicted.
  double pace_us() const { return pace_us_; }
  // Whether the fit has seen operations of this kind and type.
  bool knows(WorkKind kind, const Features& features) const;

  std::string to_json() const;
  static Result<TimeModel> parse(std::string_view text, std::string_view file);

 private:
  struct Node {
    int feature = -1;      // -1: a leaf
    double threshold = 0;  // of a leaf: its value
    int left = -1, right = -1;
  };
  using Tree = std::vector<Node>;
  struct Forest {
    double offset = 0;
    uint64_t kinds = 0;  // bits of WorkKind
    std::vector<Tree> trees;
  };
  friend class TreeGrower;

  static double value(const Tree& tree, const Features& features);
  static Forest grow(std::span<const TimeSample> samples);
  static Tree read_tree(const Json& nodes);

  Roofs roofs_;
  double pace_us_ = 1;
  std::array<Forest, 2> forests_;  // of floats, of bytes
};

// The estimate from which the trees start: the roofline's own, and of products of bytes the parts
// that the roofs do not show: whole tiles (16 x 16 x 64, what matrix units and packed weights come
// in), and what is done to every sum in float32.
double base_time_us(const Roofline& roofline, const Work& work, const Features& features);

// The part of the base time that goes as the core does, between 0 and 1; the rest is waiting for
// memory that the core shares with others, whose pace is not the core's (seen: the core a quarter
// quicker, and weights of 3 MB from the third cache as slow as before).
double core_share(const Roofline& roofline, const Work& work, const Features& features);

// Relative errors of predictions: median and 90th percentile of |predicted / measured - 1|.
struct TimeErrors {
  double median = 0, p90 = 0;
  size_t samples = 0;
};
TimeErrors errors_of(const TimeModel& model, std::span<const TimeSample> samples);

}  // namespace edgewright
