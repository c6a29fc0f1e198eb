#include "llm/kv_cache.h"

#include <algorithm>
#include <new>

namespace edgewright {

KvCache::KvCache(const ModelConfig& config, language::CacheType type, int max_pages)
    : max_pages_(max_pages) {
  shape_.type = type;
  shape_.heads = static_cast<size_t>(config.kv_heads);
  shape_.head_size = static_cast<size_t>(config.head_dim);
  shape_.page_tokens = kPageTokens;
  layer_bytes_ = language::cache_page_bytes(shape_);
  page_bytes_ = layer_bytes_ * static_cast<size_t>(config.layers);
}

int KvCache::take() {
  if (used_ == max_pages_) return -1;
  int page = 0;
  if (unused_.empty()) {
    page = static_cast<int>(pages_.size());
    pages_.emplace_back();
  } else {
    page = unused_.back();
    unused_.pop_back();
  }
  Page& entry = pages_[static_cast<size_t>(page)];
  if (!entry.data) {
    // Zeroed, so that places of a tile that were never written hold finite values.
    auto* memory = static_cast<std::byte*>(::operator new[](page_bytes_, std::align_val_t{64}));
    std::fill_n(memory, page_bytes_, std::byte{0});
    entry.data.reset(memory);
    ++held_;
  }
  entry.uses = 1;
  ++used_;
  return page;
}

void KvCache::release(int page) {
  Page& entry = pages_[static_cast<size_t>(page)];
  EDGEWRIGHT_CHECK(entry.uses > 0);
  if (--entry.uses > 0) return;
  --used_;
  unused_.push_back(page);
}

void KvCache::trim() {
  for (const int page : unused_) {
    Page& entry = pages_[static_cast<size_t>(page)];
    if (entry.data) --held_;
    entry.data.reset();
  }
}

SequenceCache::SequenceCache(SequenceCache&& other) noexcept
    : cache_(other.cache_),
      pages_(std::move(other.pages_)),
      addresses_(std::move(other.addresses_)),
      length_(other.length_),
      begin_(other.begin_) {
  other.pages_.clear();
  other.addresses_.clear();
  other.length_ = other.begin_ = 0;
}

SequenceCache& SequenceCache::operator=(SequenceCache&& other) noexcept {
  if (this == &other) return *this;
  clear();
  cache_ = other.cache_;
  pages_.swap(other.pages_);
  addresses_.swap(other.addresses_);
  std::swap(length_, other.length_);
  std::swap(begin_, other.begin_);
  return *this;
}

int SequenceCache::pages_wanted(int length) const {
  const int pages = (length + kPageTokens - 1) / kPageTokens;
  return std::max(0, pages - static_cast<int>(pages_.size()));
}

bool SequenceCache::reserve(int length) {
  const int wanted = pages_wanted(length);
  if (wanted > cache_->free_pages()) return false;
  for (int i = 0; i < wanted; ++i) {
    pages_.push_back(cache_->take());
    addresses_.push_back(cache_->data(pages_.back()));
  }
  return true;
}

void SequenceCache::truncate(int length) {
  EDGEWRIGHT_CHECK(length <= length_);
  const auto keep = static_cast<size_t>((length + kPageTokens - 1) / kPageTokens);
  while (pages_.size() > keep) {
    if (pages_.back() >= 0) cache_->release(pages_.back());
    pages_.pop_back();
    addresses_.pop_back();
  }
  length_ = length;
  begin_ = std::min(begin_, length);
}

void SequenceCache::evict_before(int token) {
  for (size_t i = 0; i < pages_.size() && static_cast<int>(i + 1) * kPageTokens <= token; ++i) {
    if (pages_[i] < 0) continue;
    cache_->release(pages_[i]);
    pages_[i] = -1;
    addresses_[i] = nullptr;
    begin_ = std::max(begin_, static_cast<int>(i + 1) * kPageTokens);
  }
}

int SequenceCache::adopt(const SequenceCache& other, int tokens) {
  EDGEWRIGHT_CHECK(pages_.empty());
  const int whole = std::min(tokens, other.length()) / kPageTokens;
  for (int i = 0; i < whole; ++i) {
    const int page = other.pages_[static_cast<size_t>(i)];
    if (page < 0) break;
    cache_->share(page);
    pages_.push_back(page);
    addresses_.push_back(cache_->data(page));
  }
  length_ = static_cast<int>(pages_.size()) * kPageTokens;
  return length_;
}

void SequenceCache::clear() {
  for (const int page : pages_) {
    if (page >= 0) cache_->release(page);
  }
  pages_.clear();
  addresses_.clear();
  length_ = begin_ = 0;
}

}  // namespace edgewright
