#include "profile/compare_runs.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

struct Document {
  std::string model;
  double wall_us = 0;
  std::vector<double> wall_samples_us;
  struct Row {
    double time_us = 0;
    std::vector<double> samples_us;
  };
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
};

Result<Document> read(std::string_view text, std::string_view which) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() ||
      json.value("schema", "") != "edgewright.profile/1" || !json.contains("operators")) {
    return bad_input("{} is no document of profile --json", which);
  }
  Document document;
  try {
    document.model = json.at("model").get<std::string>();
    document.wall_us = json.at("wall_us").get<double>();
    document.wall_samples_us = json.value("wall_samples_us", std::vector<double>());
    for (const Json& op : json.at("operators")) {
      const auto name = op.at("name").get<std::string>();
      if (!document.rows.contains(name)) document.order.push_back(name);
      Document::Row& row = document.rows[name];
      row.time_us += op.at("time_us").get<double>();
      const auto samples = op.value("samples_us", std::vector<double>());
      row.samples_us.insert(row.samples_us.end(), samples.begin(), samples.end());
    }
  } catch (const Json::exception& error) {
    return bad_input("{}: {}", which, error.what());
  }
  return document;
}

// The same program in two processes differs by a few per cent: its memory lies elsewhere, and the
// machine has another pace. No number of runs within one process shows that.
constexpr double kSmallestDifference = 0.05;

ProfileDifference difference_of(const std::string& name, const Document::Row& first,
                                const Document::Row& second) {
  const auto has_runs = [](const Document::Row& row) {
    return row.samples_us.size() >= kFewestSamples;
  };
  return {name,
          first.time_us,
          second.time_us,
          mann_whitney_p(first.samples_us, second.samples_us),
          has_runs(first) && has_runs(second),
          false};
}

bool is_shown(const ProfileDifference& row) {
  return row.p_value < kSignificance && row.first_us > 0 &&
         std::abs(row.second_us / row.first_us - 1) >= kSmallestDifference;
}

// Multiplies the smallest p by their number, the next by one less, and keeps them in order.
void correct(std::vector<ProfileDifference>& rows) {
  std::vector<size_t> order;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].judged) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](size_t i) { return rows[i].p_value; });
  double least = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    double& p = rows[order[rank]].p_value;
    p = least = std::max(least, std::min(1.0, p * static_cast<double>(order.size() - rank)));
  }
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  if (a.size() < kFewestSamples || b.size() < kFewestSamples) return 1;
  struct Sample {
    double value;
    bool is_first;
  };
  std::vector<Sample> all;
  all.reserve(a.size() + b.size());
  for (const double value : a) all.push_back({value, true});
  for (const double value : b) all.push_back({value, false});
  std::ranges::sort(all, {}, &Sample::value);
  double rank_sum = 0, ties = 0;
  for (size_t i = 0; i < all.size();) {
    size_t end = i;
    while (end < all.size() && all[end].value == all[i].value) ++end;
    const double rank = (static_cast<double>(i) + static_cast<double>(end) + 1) / 2;
    for (size_t j = i; j < end; ++j) rank_sum += all[j].is_first ? rank : 0;
    const auto tied = static_cast<double>(end - i);
    ties += tied * tied * tied - tied;
    i = end;
  }
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size()), total = n + m;
  const double u = rank_sum - n * (n + 1) / 2;
  const double variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
  if (variance <= 0) return 1;
  const double distance = std::max(0.0, std::abs(u - n * m / 2) - 0.5);
  return std::erfc(distance / std::sqrt(variance) / std::sqrt(2.0));
}

Result<ProfileComparison> compare_profiles_text(std::string_view a, std::string_view b) {
  EDGEWRIGHT_ASSIGN(const Document first, read(a, "the first file"));
  EDGEWRIGHT_ASSIGN(const Document second, read(b, "the second file"));
  ProfileComparison comparison;
  comparison.first = first.model;
  comparison.second = second.model;
  comparison.total = difference_of("total", {first.wall_us, first.wall_samples_us},
                                   {second.wall_us, second.wall_samples_us});
  comparison.total.significant = is_shown(comparison.total);
  if (first.model != second.model) {
    comparison.warnings.push_back(
        fmt::format("the two are of different models: {} and {}", first.model, second.model));
  }
  if (!comparison.total.judged) {
    comparison.warnings.push_back(fmt::format(
        "nothing can be said about chance: expected two documents with at least {} runs each, and "
        "modelled times (--device) have none",
        kFewestSamples));
  }
  for (const std::string& name : first.order) {
    const auto other = second.rows.find(name);
    if (other == second.rows.end()) {
      comparison.only_in_first.push_back(name);
      continue;
    }
    comparison.operators.push_back(difference_of(name, first.rows.at(name), other->second));
  }
  for (const std::string& name : second.order) {
    if (!first.rows.contains(name)) comparison.only_in_second.push_back(name);
  }
  correct(comparison.operators);
  for (ProfileDifference& row : comparison.operators) {
    row.significant = is_shown(row);
  }
  std::ranges::stable_sort(comparison.operators, std::greater<>(), [](const ProfileDifference& d) {
    return std::abs(d.second_us - d.first_us);
  });
  return comparison;
}

}  // namespace edgewright
