#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace edgewright {

// A box by its corners, in any one unit.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};
struct Detection {
  int64_t label = 0;
  double score = 0;
  Box box;
};
struct TrueBox {
  int64_t label = 0;
  Box box;
};
struct DetectionImage {
  std::vector<Detection> found;
  std::vector<TrueBox> expected;
};

// Intersection over union; 0 when both areas are 0.
double intersection_over_union(const Box& a, const Box& b);

// Greedy suppression: of boxes of one label that overlap by more than `limit`, the best stays.
std::vector<Detection> suppress_overlaps(std::vector<Detection> detections, double limit);

// Mean average precision at IoU 0.50, 0.55, ..., 0.95 as COCO reckons it: detections of all images
// by falling score, each matched to the free true box of its label with the highest IoU over the
// threshold; precision made monotone, read at 101 recalls; at most 100 detections an image; mean
// over labels that occur and thresholds. 0 to 1.
double mean_average_precision(std::span<const DetectionImage> images);

}  // namespace edgewright
