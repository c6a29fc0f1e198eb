// TfIdfVectorizer: counts of n-grams, weighted.
#include "kernels/strings/tfidf.h"

#include <algorithm>
#include <map>
#include <string>

#include "kernels/reference/arguments.h"

namespace edgewright::reference {
namespace {

struct TfIdf {
  bool counts = true;  // false: an n-gram counts once
  bool weighted = false;
  int64_t shortest, longest, most_skips;
  int64_t columns = 0;          // of the result
  std::vector<int64_t> places;  // ngram_indexes: the column of each n-gram of the pool
  std::vector<float> weights;   // per n-gram of the pool
};

// An n-gram as numbers: items of the pool are numbered, others are -1.
using Gram = std::vector<int64_t>;

Result<TfIdf> read_settings(const Attributes& attributes) {
  TfIdf settings{};
  const std::string mode = attributes.get_string("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    return bad_input("TfIdfVectorizer: mode \"{}\" is none of TF, IDF, TFIDF", mode);
  }
  settings.counts = mode != "IDF";
  settings.weighted = mode != "TF";
  settings.shortest = attributes.get_int("min_gram_length", 0);
  settings.longest = attributes.get_int("max_gram_length", 0);
  settings.most_skips = attributes.get_int("max_skip_count", 0);
  settings.places = attributes.get_ints("ngram_indexes");
  const std::vector<float> ones(settings.places.size(), 1);
  settings.weights = attributes.get_floats("weights", ones);
  if (settings.shortest < 1 || settings.longest < settings.shortest || settings.most_skips < 0 ||
      settings.weights.size() != settings.places.size()) {
    return bad_input("TfIdfVectorizer: {} to {}-grams, {} skips, {} places, {} weights",
                     settings.shortest, settings.longest, settings.most_skips,
                     settings.places.size(), settings.weights.size());
  }
  for (const int64_t place : settings.places) {
    if (place < 0 || place >= (int64_t{1} << 31)) {
      return bad_input("TfIdfVectorizer: an n-gram at column {}", place);
    }
    settings.columns = std::max(settings.columns, place + 1);
  }
  return settings;
}

// The pool holds all 1-grams, then all 2-grams, ...; ngram_counts says where each kind starts.
Result<std::map<Gram, size_t>> read_pool(const Attributes& attributes, const Gram& items,
                                         const TfIdf& settings) {
  const std::vector<int64_t> starts = attributes.get_ints("ngram_counts");
  std::map<Gram, size_t> pool;
  size_t number = 0;
  for (size_t kind = 0; kind < starts.size(); ++kind) {
    const int64_t end = kind + 1 < starts.size() ? starts[kind + 1] : std::ssize(items);
    const auto length = static_cast<int64_t>(kind) + 1;
    if (starts[kind] < 0 || end < starts[kind] || end > std::ssize(items) ||
        (end - starts[kind]) % length != 0) {
      return bad_input("TfIdfVectorizer: {}-grams from {} to {} of a pool of {}", length,
                       starts[kind], end, items.size());
    }
    for (int64_t at = starts[kind]; at < end; at += length, ++number) {
      if (number >= settings.places.size()) {
        return bad_input("TfIdfVectorizer: more n-grams than the {} in ngram_indexes",
                         settings.places.size());
      }
      pool.emplace(Gram(items.begin() + at, items.begin() + at + length), number);
    }
  }
  return pool;
}

// Adds the n-grams of one row to its counts, per n-gram of the pool. 1-grams have no skips.
void count_row(std::span<const int64_t> row, const TfIdf& settings,
               const std::map<Gram, size_t>& pool, std::vector<int64_t>& counts) {
  const int64_t size = std::ssize(row);
  for (int64_t length = settings.shortest; length <= std::min(settings.longest, size); ++length) {
    const int64_t skips = length == 1 ? 0 : std::min(settings.most_skips, size);
    for (int64_t step = 1; step <= skips + 1 && (length - 1) * step < size; ++step) {
      for (int64_t at = 0; at + (length - 1) * step < size; ++at) {
        Gram gram;
        for (int64_t i = 0; i < length; ++i) {
          gram.push_back(row[static_cast<size_t>(at + i * step)]);
        }
        const auto found = pool.find(gram);
        if (found != pool.end()) ++counts[found->second];
      }
    }
  }
}

// Input and pool as numbers: int64 items stand for themselves, strings are numbered.
struct Items {
  Gram input, pool;
};

Result<Items> read_items(const OpCall& call, const Tensor& x) {
  Items items;
  if (x.dtype() != DType::kString) {
    EDGEWRIGHT_ASSIGN(items.input, x.to_int64s());
    items.pool = call.attributes->get_ints("pool_int64s");
    return items;
  }
  std::map<std::string, int64_t> numbers;
  for (const std::string& item : call.attributes->get_strings("pool_strings")) {
    items.pool.push_back(numbers.emplace(item, std::ssize(numbers)).first->second);
  }
  for (const std::string& item : x.string_elements()) {
    const auto found = numbers.find(item);
    items.input.push_back(found == numbers.end() ? -1 : found->second);
  }
  return items;
}

}  // namespace

Status tfidf_vectorizer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (x->rank() < 1 || x->rank() > 2) {
    return bad_input("TfIdfVectorizer: shape {}, expected [C] or [N, C]", dims_text(x->dims()));
  }
  EDGEWRIGHT_ASSIGN(const TfIdf settings, read_settings(*call.attributes));
  EDGEWRIGHT_ASSIGN(const Items items, read_items(call, *x));
  EDGEWRIGHT_ASSIGN(const auto pool, read_pool(*call.attributes, items.pool, settings));
  const int64_t rows = x->rank() == 2 ? x->dim(0) : 1;
  Dims dims = {settings.columns};
  if (x->rank() == 2) dims.insert(dims.begin(), rows);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kFloat32, std::move(dims)));
  float* to = out->mutable_data<float>();
  std::fill_n(to, out->element_count(), 0.0f);
  const auto length = static_cast<size_t>(x->dims().back());
  for (int64_t row = 0; row < rows; ++row, to += settings.columns) {
    std::vector<int64_t> counts(settings.places.size(), 0);
    count_row(std::span(items.input).subspan(static_cast<size_t>(row) * length, length), settings,
              pool, counts);
    for (size_t i = 0; i < counts.size(); ++i) {
      const int64_t count = settings.counts ? counts[i] : std::min<int64_t>(counts[i], 1);
      const float weight = settings.weighted ? settings.weights[i] : 1.0f;
      to[settings.places[i]] += static_cast<float>(count) * weight;
    }
  }
  return {};
}

}  // namespace edgewright::reference
