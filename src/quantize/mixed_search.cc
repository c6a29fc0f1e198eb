#include "quantize/mixed_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace edgewright {
namespace {

constexpr size_t kPopulation = 48;
constexpr size_t kGenerations = 20;
// So many times without a promising candidate end the search.
constexpr size_t kDryRounds = 3;

class MixedSearch {
 public:
  MixedSearch(const MixedProblem& problem, const MixedOptions& options)
      : problem_(problem), options_(options), random_(options.seed) {}

  Result<MixedResult> run() {
    EDGEWRIGHT_ASSIGN(const bool sound, judge(Assignment(problem_.layers, 0)));
    if (!sound) return internal_error("the original itself is not allowed by the constraint");
    EDGEWRIGHT_TRY(greedy());
    EDGEWRIGHT_TRY(evolve());
    result_.found = cheapest_point();
    if (options_.exhaustive) EDGEWRIGHT_TRY(judge_the_rest());
    result_.front = pareto_front(result_.judged);
    result_.knee = knee_of(result_.judged, result_.front);
    result_.chosen = cheapest_point();
    return std::move(result_);
  }

 private:
  bool exhausted() const {
    return result_.judged.size() >= options_.judgements ||
           (options_.out_of_time && options_.out_of_time());
  }

  // The cheapest allowed point; the original, which is the first, is allowed.
  size_t cheapest_point() const {
    size_t best = 0;
    for (size_t i = 0; i < result_.judged.size(); ++i) {
      const MixedPoint& point = result_.judged[i];
      if (point.allowed && point.cost < result_.judged[best].cost) best = i;
    }
    return best;
  }

  Status judge_the_rest() {
    const std::vector<Assignment> all = whole_space();
    if (all.empty()) {
      return usage_error(
          "found {} layers of {} types, expected at most {} mixes for an exhaustive search",
          problem_.layers, problem_.types, kSmallSpace);
    }
    for (const Assignment& one : all) {
      if (options_.out_of_time && options_.out_of_time()) return {};
      EDGEWRIGHT_TRY(judge(one));
    }
    result_.proved = true;
    return {};
  }

  // Whether the assignment is allowed; judged once.
  Result<bool> judge(const Assignment& assignment) {
    const auto it = known_.find(assignment);
    if (it != known_.end()) return result_.judged[it->second].allowed;
    EDGEWRIGHT_ASSIGN(const MixedProblem::Verdict verdict, problem_.judge(assignment));
    known_[assignment] = result_.judged.size();
    result_.judged.push_back(
        {assignment, problem_.cost(assignment), verdict.error, verdict.allowed});
    const double predicted = squared_error(assignment);
    if (!verdict.allowed) least_refused_ = std::min(least_refused_, predicted);
    if (verdict.allowed) most_allowed_ = std::max(most_allowed_, predicted);
    if (options_.progress) {
      options_.progress("try mixes", result_.judged.size(), options_.judgements);
    }
    return verdict.allowed;
  }

  double squared_error(const Assignment& assignment) const {
    double sum = 0;
    for (size_t l = 0; l < assignment.size(); ++l) {
      sum += problem_.sensitivity[l * problem_.types + assignment[l]];
    }
    return sum;
  }

  // Changes single layers for as long as that lowers the cost.
  Assignment cheapened(Assignment assignment) const {
    double cost = problem_.cost(assignment);
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t l = 0; l < assignment.size(); ++l) {
        const uint8_t before = assignment[l];
        uint8_t best = before;
        for (size_t type = 0; type < problem_.types; ++type) {
          assignment[l] = static_cast<uint8_t>(type);
          const double candidate = problem_.cost(assignment);
          if (candidate >= cost) continue;
          cost = candidate;
          best = assignment[l];
          changed = true;
        }
        assignment[l] = best;
      }
    }
    return assignment;
  }

  // The cheapest assignment that single changes reach, from the original and from each type
  // everywhere: types that pay only together with their neighbours need the latter.
  Assignment cheapest() const {
    Assignment best = cheapened(Assignment(problem_.layers, 0));
    for (size_t type = 1; type < problem_.types; ++type) {
      Assignment other = cheapened(Assignment(problem_.layers, static_cast<uint8_t>(type)));
      if (problem_.cost(other) < problem_.cost(best)) best = std::move(other);
    }
    return best;
  }

  double sensitivity(size_t layer, size_t type) const {
    return type == 0 ? 0 : problem_.sensitivity[layer * problem_.types + type];
  }

  // Of the types that add less error to the layer the one that adds most; else the original.
  uint8_t next_finer(size_t layer, uint8_t type) const {
    uint8_t best = 0;
    for (size_t other = 1; other < problem_.types; ++other) {
      const double error = sensitivity(layer, other);
      if (error >= sensitivity(layer, type) || error <= sensitivity(layer, best)) continue;
      best = static_cast<uint8_t>(other);
    }
    return best;
  }

  // From the cheapest assignment step by step to the original: every step gives the layer that adds
  // most error for the cost that it saves the next finer type, or the original one.
  std::vector<Assignment> path_back(Assignment assignment) const {
    std::vector<Assignment> path = {assignment};
    while (std::ranges::any_of(assignment, [](uint8_t type) { return type != 0; })) {
      const double cost = problem_.cost(assignment);
      double best = -1;
      size_t layer = 0;
      uint8_t changed = 0;
      for (size_t l = 0; l < assignment.size(); ++l) {
        const uint8_t type = assignment[l];
        if (type == 0) continue;
        const uint8_t finer = next_finer(l, type);
        for (const uint8_t other : {uint8_t{0}, finer}) {
          assignment[l] = other;
          const double lost = std::max(problem_.cost(assignment) - cost, 1e-9 * cost);
          const double gain = (sensitivity(l, type) - sensitivity(l, other)) / lost;
          if (gain > best) {
            best = gain;
            layer = l;
            changed = other;
          }
          if (finer == 0) break;
        }
        assignment[l] = type;
      }
      assignment[layer] = changed;
      path.push_back(assignment);
    }
    return path;
  }

  // The first allowed place on the path, by halving; errors fall along it.
  Status greedy() {
    const std::vector<Assignment> path = path_back(cheapest());
    size_t low = 0, high = path.size() - 1;
    EDGEWRIGHT_ASSIGN(const bool cheapest_allowed, judge(path[0]));
    if (cheapest_allowed) high = 0;
    while (low < high && !exhausted()) {
      const size_t middle = (low + high) / 2;
      EDGEWRIGHT_ASSIGN(const bool allowed, judge(path[middle]));
      if (allowed) high = middle;
      if (!allowed) low = middle + 1;
    }
    population_.assign(path.begin(), path.end());
    return spread(path);
  }

  // Some more places on the path, so that the front shows what error costs.
  Status spread(const std::vector<Assignment>& path) {
    constexpr size_t kParts = 8;
    for (size_t part = 1; part < kParts && !exhausted(); ++part) {
      EDGEWRIGHT_TRY(judge(path[part * (path.size() - 1) / kParts]));
    }
    return {};
  }

  // The predicted squared error that is taken to be allowed: between the largest known to be so
  // and the smallest known not to be.
  double limit() const {
    if (least_refused_ == kInfinity) return kInfinity;
    return std::max(most_allowed_, (most_allowed_ + least_refused_) / 2);
  }

  double cost_of(const Assignment& assignment) const {
    const auto [it, fresh] = costs_.try_emplace(assignment, 0);
    if (fresh) it->second = problem_.cost(assignment);
    return it->second;
  }

  double fitness(const Assignment& assignment) const {
    const double predicted = squared_error(assignment);
    const double over = limit() == kInfinity ? 0 : std::max(predicted / limit() - 1, 0.0);
    return cost_of(assignment) * (1 + 10 * over);
  }

  Assignment child() {
    const auto pick = [&]() -> const Assignment& {
      const size_t a = random_() % population_.size(), b = random_() % population_.size();
      return population_[std::min(a, b)];  // sorted by fitness
    };
    Assignment result = pick();
    const Assignment& other = pick();
    const size_t from = random_() % result.size(), to = from + random_() % result.size();
    for (size_t l = from; l < to; ++l) result[l % result.size()] = other[l % result.size()];
    const size_t mutations = random_() % 3;
    for (size_t i = 0; i < mutations; ++i) {
      result[random_() % result.size()] = static_cast<uint8_t>(random_() % problem_.types);
    }
    return result;
  }

  void sort_population() {
    std::ranges::sort(population_);
    population_.erase(std::unique(population_.begin(), population_.end()), population_.end());
    std::vector<std::pair<double, Assignment>> ranked;
    ranked.reserve(population_.size());
    for (Assignment& one : population_) ranked.emplace_back(fitness(one), std::move(one));
    std::ranges::stable_sort(ranked, {}, &std::pair<double, Assignment>::first);
    population_.clear();
    for (size_t i = 0; i < std::min(ranked.size(), kPopulation); ++i) {
      population_.push_back(std::move(ranked[i].second));
    }
  }

  // Generations on predictions, then a judgement of the best that was not judged; what it shows
  // moves the limit of the next generations.
  Status evolve() {
    if (problem_.layers == 0) return {};
    if (const auto all = whole_space(); !all.empty()) return judge_in_order(all);
    size_t dry_rounds = 0;
    while (!exhausted()) {
      for (size_t generation = 0; generation < kGenerations; ++generation) {
        sort_population();
        const size_t parents = population_.size();
        std::vector<Assignment> children;
        children.reserve(kPopulation);
        for (size_t i = 0; i < kPopulation; ++i) children.push_back(child());
        population_.insert(population_.end(), children.begin(), children.end());
        if (parents == 0) break;
      }
      sort_population();
      const Assignment* next = most_promising();
      if (next == nullptr && ++dry_rounds >= kDryRounds) return {};
      if (next != nullptr) EDGEWRIGHT_TRY(judge(Assignment(*next)));
    }
    return {};
  }

  // Every assignment, where there are few; else none.
  std::vector<Assignment> whole_space() const {
    const double size =
        std::pow(static_cast<double>(problem_.types), static_cast<double>(problem_.layers));
    if (size > static_cast<double>(kSmallSpace)) return {};
    std::vector<Assignment> all;
    all.reserve(static_cast<size_t>(size));
    for (size_t number = 0; number < static_cast<size_t>(size); ++number) {
      Assignment assignment;
      for (size_t rest = number, l = 0; l < problem_.layers; ++l, rest /= problem_.types) {
        assignment.push_back(static_cast<uint8_t>(rest % problem_.types));
      }
      all.push_back(std::move(assignment));
    }
    return all;
  }

  Status judge_in_order(const std::vector<Assignment>& all) {
    while (!exhausted()) {
      const double bound = cheapest_allowed();
      const Assignment* next = nullptr;
      for (const Assignment& one : all) {
        if (known_.contains(one) || cost_of(one) >= bound) continue;
        if (next == nullptr || fitness(one) < fitness(*next)) next = &one;
      }
      if (next == nullptr) return {};
      EDGEWRIGHT_TRY(judge(*next));
    }
    return {};
  }

  // The fittest that was not judged and would be the cheapest if it were allowed.
  const Assignment* most_promising() const {
    const double bound = cheapest_allowed();
    for (const Assignment& one : population_) {
      if (!known_.contains(one) && cost_of(one) < bound) return &one;
    }
    return nullptr;
  }

  double cheapest_allowed() const {
    double cost = kInfinity;
    for (const MixedPoint& point : result_.judged) {
      if (point.allowed) cost = std::min(cost, point.cost);
    }
    return cost;
  }

  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const MixedProblem& problem_;
  const MixedOptions& options_;
  std::mt19937_64 random_;
  MixedResult result_;
  std::map<Assignment, size_t> known_;
  mutable std::map<Assignment, double> costs_;  // asked before
  std::vector<Assignment> population_;
  double least_refused_ = kInfinity, most_allowed_ = 0;
};

}  // namespace

std::vector<size_t> pareto_front(const std::vector<MixedPoint>& points) {
  std::vector<size_t> order(points.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    return std::pair(points[a].cost, points[a].error) < std::pair(points[b].cost, points[b].error);
  });
  std::vector<size_t> front;
  for (const size_t i : order) {
    if (front.empty() || points[i].error < points[front.back()].error) front.push_back(i);
  }
  return front;
}

size_t knee_of(const std::vector<MixedPoint>& points, const std::vector<size_t>& front) {
  if (front.empty()) return 0;
  const MixedPoint& first = points[front.front()];
  const MixedPoint& last = points[front.back()];
  const double width = last.cost - first.cost, height = first.error - last.error;
  size_t knee = front.front();
  double farthest = 0;
  for (const size_t i : front) {
    if (width <= 0 || height <= 0) break;
    // On the line both shares sum to one; a knee lies below it.
    const double below =
        1 - (points[i].cost - first.cost) / width - (points[i].error - last.error) / height;
    if (below <= farthest) continue;
    farthest = below;
    knee = i;
  }
  return knee;
}

Result<MixedResult> search_mixed(const MixedProblem& problem, const MixedOptions& options) {
  EDGEWRIGHT_CHECK(problem.sensitivity.size() == problem.layers * problem.types);
  return MixedSearch(problem, options).run();
}

}  // namespace edgewright
