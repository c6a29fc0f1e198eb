#include "llm/layer_pipeline.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/work_shares.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  // A machine without that CPU computes it elsewhere.
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

// The calling thread is on one CPU for a while.
class PinnedHere {
 public:
  explicit PinnedHere(int cpu)
      : known_(pthread_getaffinity_np(pthread_self(), sizeof(before_), &before_) == 0) {
    pin_to(cpu);
  }
  ~PinnedHere() {
    if (known_) pthread_setaffinity_np(pthread_self(), sizeof(before_), &before_);
  }
  PinnedHere(const PinnedHere&) = delete;
  PinnedHere& operator=(const PinnedHere&) = delete;

 private:
  cpu_set_t before_{};
  bool known_;
};

// Hands pieces from one thread to another.
class Channel {
 public:
  void put(std::unique_ptr<PipelinePiece> piece) {
    {
      const std::lock_guard lock(mutex_);
      pieces_.push_back(std::move(piece));
    }
    came_.fetch_add(1);
    ready_.notify_one();
  }
  // Null once closed and empty.
  std::unique_ptr<PipelinePiece> take() {
    // The stages of a small model take as long as waking a thread, about fifty microseconds:
    // whoever waits looks for so long before it sleeps.
    constexpr std::chrono::microseconds kLook{200};
    const auto until = Clock::now() + kLook;
    while (came_.load() == taken_ && Clock::now() < until) {
    }
    ++taken_;
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return !pieces_.empty() || closed_; });
    if (pieces_.empty()) return nullptr;
    auto piece = std::move(pieces_.front());
    pieces_.pop_front();
    return piece;
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<PipelinePiece>> pieces_;
  bool closed_ = false;
  std::atomic<size_t> came_{0};
  size_t taken_ = 0;  // of the thread that takes
};

double stack_bytes(const PackedStack& stack) {
  double bytes = 0;
  for (const language::PackedMatrix& matrix : stack) {
    bytes += static_cast<double>(language::packed_bytes(matrix.type, matrix.rows, matrix.columns));
  }
  return bytes;
}

std::vector<double> layer_costs(const PackedModel& model) {
  std::vector<double> costs;
  for (int layer = 0; layer < model.config.layers; ++layer) {
    double bytes = 0;
    for (const char* matrix : {"qkv", "output", "gate_up", "down"}) {
      bytes += stack_bytes(model.matrices.at(fmt::format("layers.{}.{}", layer, matrix)));
    }
    costs.push_back(bytes);
  }
  costs.back() += stack_bytes(model.matrices.at(model.config.tied ? "embedding" : "head"));
  return costs;
}

}  // namespace

std::vector<int> divide_layers(std::span<const double> costs, std::span<const double> speeds) {
  const size_t layers = costs.size(), stages = speeds.size();
  EDGEWRIGHT_CHECK(stages >= 1 && layers >= stages);
  // least[s][l]: the time of the slowest of the first s stages that share the first l layers.
  std::vector<std::vector<double>> least(stages + 1, std::vector<double>(layers + 1, HUGE_VAL));
  std::vector<std::vector<size_t>> from(stages + 1, std::vector<size_t>(layers + 1, 0));
  least[0][0] = 0;
  for (size_t stage = 1; stage <= stages; ++stage) {
    for (size_t end = stage; end <= layers; ++end) {
      double cost = 0;
      for (size_t begin = end; begin-- > stage - 1;) {
        cost += costs[begin];
        const double slowest = std::max(least[stage - 1][begin], cost / speeds[stage - 1]);
        if (slowest < least[stage][end]) {
          least[stage][end] = slowest;
          from[stage][end] = begin;
        }
      }
    }
  }
  std::vector<int> bounds(stages + 1);
  size_t end = layers;
  for (size_t stage = stages; stage > 0; --stage) {
    bounds[stage] = static_cast<int>(end);
    end = from[stage][end];
  }
  return bounds;
}

struct LayerPipeline::Speeds {
  explicit Speeds(size_t stages) : shares(stages), done(stages) {}
  WorkShares shares;
  std::mutex mutex;
  std::vector<WorkShares::Done> done;  // since the last division
};

struct LayerPipeline::Stage {
  Stage(const std::shared_ptr<const PackedModel>& model, const std::vector<int>& cpus)
      : pool(static_cast<int>(cpus.size()), cpus), decoder(model, pool), cpu(cpus[0]) {}

  ThreadPool pool;
  Decoder decoder;
  int cpu;
  Channel input;
  std::thread thread;  // none for the last one, which is whoever takes
};

LayerPipeline::LayerPipeline(const std::shared_ptr<const PackedModel>& model,
                             const StageCpus& stages)
    : cpus_(stages),
      logit_columns_(static_cast<size_t>(model->config.vocabulary)),
      state_columns_(static_cast<size_t>(model->config.hidden)),
      costs_(layer_costs(*model)),
      speeds_(std::make_unique<Speeds>(stages.size())) {
  divide();
  bounds_ = next_bounds_;
  for (const std::vector<int>& cpus : stages) {
    stages_.push_back(std::make_unique<Stage>(model, cpus));
  }
  for (size_t i = 0; i + 1 < stages_.size(); ++i) {
    stages_[i]->thread = std::thread([this, i] {
      pin_to(stages_[i]->cpu);
      while (auto piece = stages_[i]->input.take()) {
        compute(i, *piece);
        stages_[i + 1]->input.put(std::move(piece));
      }
    });
  }
}

LayerPipeline::~LayerPipeline() {
  while (under_way_ > 0) take();
  for (const auto& stage : stages_) stage->input.close();
  for (const auto& stage : stages_) {
    if (stage->thread.joinable()) stage->thread.join();
  }
}

void LayerPipeline::compute(size_t stage, PipelinePiece& piece) {
  const auto begin = Clock::now();
  const bool last = stage + 1 == stages_.size();
  stages_[stage]->decoder.run_layers(piece.runs, piece.phase, piece.bounds[stage],
                                     piece.bounds[stage + 1], piece.states,
                                     last ? std::span(piece.logits) : std::span<float>());
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::lock_guard lock(speeds_->mutex);
  WorkShares::Done& done = speeds_->done[stage];
  for (int layer = piece.bounds[stage]; layer < piece.bounds[stage + 1]; ++layer) {
    done.items += static_cast<size_t>(costs_[static_cast<size_t>(layer)]);
  }
  done.seconds += seconds;
}

void LayerPipeline::divide() { next_bounds_ = divide_layers(costs_, speeds()); }

std::vector<double> LayerPipeline::speeds() const { return speeds_->shares.speeds(); }

bool LayerPipeline::has_room() const {
  return under_way_ == 0 || (under_way_ < stages_.size() && next_bounds_ == bounds_);
}

// What stages did is weighed every so many pieces, so that one that was disturbed weighs little.
void LayerPipeline::learn() {
  constexpr size_t kPieces = 32;
  if (++since_learnt_ < kPieces) return;
  since_learnt_ = 0;
  {
    const std::lock_guard lock(speeds_->mutex);
    speeds_->shares.learn(speeds_->done);
    speeds_->done.assign(stages_.size(), {});
  }
  divide();
}

void LayerPipeline::add(std::unique_ptr<PipelinePiece> piece) {
  if (under_way_ == 0) bounds_ = next_bounds_;
  piece->bounds = bounds_;
  size_t rows = 0, logits = 0;
  for (const DecoderRun& run : piece->runs) {
    EDGEWRIGHT_CHECK(run.first >= 0);
    rows += run.tokens.size();
    logits += static_cast<size_t>(run.logits);
  }
  piece->states.resize(rows * state_columns_);
  piece->logits.resize(logits * logit_columns_);
  ++under_way_;
  stages_.front()->input.put(std::move(piece));
}

std::unique_ptr<PipelinePiece> LayerPipeline::take() {
  EDGEWRIGHT_CHECK(under_way_ > 0);
  auto piece = stages_.back()->input.take();
  {
    const PinnedHere pinned(stages_.back()->cpu);
    compute(stages_.size() - 1, *piece);
  }
  --under_way_;
  learn();
  return piece;
}

}  // namespace edgewright
