#include "quantize/sparsity.h"

#include <algorithm>
#include <cmath>

#include "quantize/cholesky.h"

namespace edgewright {
namespace {

// Unstructured pruning decides for so many rows at a time, with what earlier rows left behind.
constexpr int64_t kDecisionRows = 64;

class Pruner {
 public:
  Pruner(std::span<const float> weights, int64_t rows, int64_t columns,
         const SparsityPattern& pattern, const InputMoments* moments)
      : left_(weights.begin(), weights.end()),
        rows_(rows),
        columns_(columns),
        pattern_(pattern),
        keeps_(weights.size(), true) {
    if (moments != nullptr) factor_ = inverse_cholesky_upper(moments->sums, rows, 0.01);
  }

  std::vector<float> run() {
    const int64_t step = pattern_.share > 0 ? kDecisionRows : pattern_.block;
    for (int64_t from = 0; from < rows_; from += step) {
      const int64_t to = std::min(rows_, from + step);
      if (pattern_.share > 0) {
        choose_share(from, to);
      } else {
        for (int64_t column = 0; column < columns_; ++column) choose_block(from, to, column);
      }
      for (int64_t row = from; row < to; ++row) drop(row);
    }
    return std::move(left_);
  }

 private:
  size_t at(int64_t row, int64_t column) const {
    return static_cast<size_t>(row * columns_ + column);
  }

  // What the loss of a weight costs.
  double saliency(int64_t row, int64_t column) const {
    const double weight = left_[at(row, column)];
    const double diagonal = factor_ ? (*factor_)[static_cast<size_t>(row * rows_ + row)] : 1;
    return weight * weight / (diagonal * diagonal);
  }

  void choose_block(int64_t from, int64_t to, int64_t column) {
    std::vector<std::pair<double, int64_t>> order;
    order.reserve(static_cast<size_t>(to - from));
    for (int64_t row = from; row < to; ++row) order.emplace_back(saliency(row, column), row);
    std::ranges::sort(order);
    const auto dropped = std::max<int64_t>(0, to - from - pattern_.keep);
    for (int64_t i = 0; i < dropped; ++i) {
      keeps_[at(order[static_cast<size_t>(i)].second, column)] = false;
    }
  }

  void choose_share(int64_t from, int64_t to) {
    std::vector<std::pair<double, size_t>> order;
    order.reserve(static_cast<size_t>((to - from) * columns_));
    for (int64_t row = from; row < to; ++row) {
      for (int64_t column = 0; column < columns_; ++column) {
        order.emplace_back(saliency(row, column), at(row, column));
      }
    }
    const auto dropped = static_cast<size_t>(pattern_.share * static_cast<double>(order.size()));
    if (dropped == 0) return;
    std::ranges::nth_element(order, order.begin() + static_cast<std::ptrdiff_t>(dropped - 1));
    for (size_t i = 0; i < dropped; ++i) keeps_[order[i].second] = false;
  }

  // Zeros the row's dropped weights and moves their part to the rows that follow.
  void drop(int64_t row) {
    std::vector<float> lost(static_cast<size_t>(columns_));
    for (int64_t column = 0; column < columns_; ++column) {
      if (keeps_[at(row, column)]) continue;
      lost[static_cast<size_t>(column)] = left_[at(row, column)];
      left_[at(row, column)] = 0;
    }
    if (!factor_) return;
    const double* coefficients = factor_->data() + row * rows_;
    for (int64_t later = row + 1; later < rows_; ++later) {
      const auto share = static_cast<float>(coefficients[later] / coefficients[row]);
      if (share == 0) continue;
      for (int64_t column = 0; column < columns_; ++column) {
        left_[at(later, column)] -= share * lost[static_cast<size_t>(column)];
      }
    }
  }

  std::vector<float> left_;
  int64_t rows_, columns_;
  const SparsityPattern& pattern_;
  std::vector<bool> keeps_;
  std::optional<std::vector<double>> factor_;
};

}  // namespace

std::vector<float> prune(std::span<const float> weights, int64_t rows, int64_t columns,
                         const SparsityPattern& pattern, const InputMoments* moments) {
  return Pruner(weights, rows, columns, pattern, moments).run();
}

double sparsity_of(std::span<const float> weights) {
  const auto zeros = std::ranges::count(weights, 0.0f);
  return weights.empty() ? 0 : static_cast<double>(zeros) / static_cast<double>(weights.size());
}

}  // namespace edgewright
