#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/language/attention.h"
#include "llm/config.h"

namespace edgewright {

inline constexpr int kPageTokens = 64;

// Keys and values of every layer, in pages of kPageTokens tokens that sequences share by counting:
// a page that several sequences use is never written again. Memory is taken as pages are first
// used, and kept for the next ones.
class KvCache {
 public:
  // At most `max_pages` pages.
  KvCache(const ModelConfig& config, language::CacheType type, int max_pages);

  const language::CacheShape& shape() const { return shape_; }
  size_t page_bytes() const { return page_bytes_; }  // of all layers
  size_t layer_offset(int layer) const { return layer_bytes_ * static_cast<size_t>(layer); }
  std::byte* data(int page) const { return pages_[static_cast<size_t>(page)].data.get(); }
  int max_pages() const { return max_pages_; }
  int free_pages() const { return max_pages_ - used_; }
  // Bytes of memory held, used or kept.
  size_t held_bytes() const { return page_bytes_ * held_; }

  // A page used once; -1 when all are in use.
  int take();
  void share(int page) { ++pages_[static_cast<size_t>(page)].uses; }
  void release(int page);
  int uses(int page) const { return pages_[static_cast<size_t>(page)].uses; }
  // Gives the memory of pages that nobody uses back to the system.
  void trim();

 private:
  struct FreeAligned {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  struct Page {
    std::unique_ptr<std::byte[], FreeAligned> data;
    int uses = 0;
  };
  language::CacheShape shape_;
  size_t layer_bytes_ = 0, page_bytes_ = 0, held_ = 0;
  int max_pages_ = 0, used_ = 0;
  std::vector<Page> pages_;
  std::vector<int> unused_;
};

// The cache of one sequence: which page holds each run of kPageTokens tokens.
class SequenceCache {
 public:
  explicit SequenceCache(KvCache& cache) : cache_(&cache) {}
  ~SequenceCache() { clear(); }
  SequenceCache(SequenceCache&& other) noexcept;
  SequenceCache& operator=(SequenceCache&& other) noexcept;
  SequenceCache(const SequenceCache&) = delete;
  SequenceCache& operator=(const SequenceCache&) = delete;

  // Tokens whose keys and values are there.
  int length() const { return length_; }
  // The first token that is still there; earlier ones were evicted.
  int begin() const { return begin_; }
  // Pages that growing to `length` tokens takes.
  int pages_wanted(int length) const;
  // Makes room for tokens up to `length`; false, changing nothing, when pages run out.
  bool reserve(int length);
  // After the model has written them.
  void set_length(int length) { length_ = length; }
  // Forgets the tokens from `length` on.
  void truncate(int length);
  // Gives back pages that lie wholly before `token`.
  void evict_before(int token);
  // Shares the first whole pages of another sequence's first `tokens` tokens; returns how many
  // tokens that gave. Only for an empty sequence.
  int adopt(const SequenceCache& other, int tokens);
  void clear();
  const language::CacheShape& shape() const { return cache_->shape(); }
  size_t layer_offset(int layer) const { return cache_->layer_offset(layer); }
  // The pages' addresses by place, null where there is none.
  std::span<std::byte* const> pages() const { return addresses_; }

 private:
  KvCache* cache_;
  std::vector<int> pages_;  // -1: evicted
  std::vector<std::byte*> addresses_;
  int length_ = 0, begin_ = 0;
};

}  // namespace edgewright
