#include "verify/detection.h"

#include <algorithm>
#include <set>

namespace edgewright {
namespace {

constexpr size_t kMaxDetections = 100;
constexpr int kThresholds = 10;
constexpr int kRecalls = 101;

struct Scored {
  double score;
  bool hit;
};

double area(const Box& box) {
  return std::max(0.0, box.right - box.left) * std::max(0.0, box.bottom - box.top);
}

// Detections of one label in one image, best first.
std::vector<Detection> best_of_label(const DetectionImage& image, int64_t label) {
  std::vector<Detection> found;
  std::ranges::copy_if(image.found, std::back_inserter(found),
                       [&](const Detection& d) { return d.label == label; });
  std::ranges::stable_sort(found, std::greater(), &Detection::score);
  if (found.size() > kMaxDetections) found.resize(kMaxDetections);
  return found;
}

// Matches one image; returns how many true boxes of the label it has.
size_t match_image(const DetectionImage& image, int64_t label, double threshold,
                   std::vector<Scored>& scored) {
  std::vector<Box> expected;
  for (const TrueBox& box : image.expected) {
    if (box.label == label) expected.push_back(box.box);
  }
  std::vector<bool> taken(expected.size(), false);
  for (const Detection& detection : best_of_label(image, label)) {
    double best = threshold;
    size_t best_box = expected.size();
    for (size_t i = 0; i < expected.size(); ++i) {
      const double overlap = intersection_over_union(detection.box, expected[i]);
      if (!taken[i] && overlap >= best) {
        best = overlap;
        best_box = i;
      }
    }
    const bool hit = best_box < expected.size();
    if (hit) taken[best_box] = true;
    scored.push_back({detection.score, hit});
  }
  return expected.size();
}

double average_precision(std::span<const DetectionImage> images, int64_t label, double threshold) {
  std::vector<Scored> scored;
  size_t expected = 0;
  for (const DetectionImage& image : images) {
    expected += match_image(image, label, threshold, scored);
  }
  std::ranges::stable_sort(scored, std::greater(), &Scored::score);
  std::vector<double> precision, recall;
  double hits = 0;
  for (size_t i = 0; i < scored.size(); ++i) {
    hits += scored[i].hit ? 1 : 0;
    precision.push_back(hits / static_cast<double>(i + 1));
    recall.push_back(hits / static_cast<double>(expected));
  }
  for (size_t i = precision.size(); i-- > 1;) {
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  }
  double sum = 0;
  for (int r = 0; r < kRecalls; ++r) {
    // 0.01 * r, not r / 100: recalls are often such fractions, and COCO rounds them this way.
    const auto at = std::ranges::lower_bound(recall, 0.01 * r);
    if (at != recall.end()) sum += precision[static_cast<size_t>(at - recall.begin())];
  }
  return sum / kRecalls;
}

}  // namespace

double intersection_over_union(const Box& a, const Box& b) {
  const Box common = {std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
                      std::min(a.bottom, b.bottom)};
  const double inside = area(common);
  const double all = area(a) + area(b) - inside;
  return all > 0 ? inside / all : 0;
}

std::vector<Detection> suppress_overlaps(std::vector<Detection> detections, double limit) {
  std::ranges::stable_sort(detections, std::greater(), &Detection::score);
  std::vector<Detection> kept;
  for (const Detection& detection : detections) {
    const bool overlaps = std::ranges::any_of(kept, [&](const Detection& better) {
      return better.label == detection.label &&
             intersection_over_union(better.box, detection.box) > limit;
    });
    if (!overlaps) kept.push_back(detection);
  }
  return kept;
}

double mean_average_precision(std::span<const DetectionImage> images) {
  std::set<int64_t> labels;
  for (const DetectionImage& image : images) {
    for (const TrueBox& box : image.expected) labels.insert(box.label);
  }
  if (labels.empty()) return 0;
  double sum = 0;
  for (const int64_t label : labels) {
    for (int step = 0; step < kThresholds; ++step) {
      sum += average_precision(images, label, 0.5 + 0.05 * step);
    }
  }
  return sum / static_cast<double>(labels.size()) / kThresholds;
}

}  // namespace edgewright
