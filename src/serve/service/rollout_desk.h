#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serve/rollout/control.h"
#include "serve/service/catalogue.h"
#include "serve/service/rollout_file.h"

namespace edgewright {

// The rollouts under way: sends copies of requests to candidates, divides requests between versions
// and lets time pass for the checks. One thread does what no client waits for. Thread-safe.
class RolloutDesk {
 public:
  // `on_event` hears of every change of stage, in words; called on any thread.
  RolloutDesk(Catalogue& catalogue, std::function<void(const std::string&)> on_event);
  ~RolloutDesk();
  RolloutDesk(const RolloutDesk&) = delete;
  RolloutDesk& operator=(const RolloutDesk&) = delete;

  Reply<bool> begin_rollout(const std::string& model, const RolloutOrder& order);
  // Nothing to stop is no failure: stopping twice is harmless.
  Reply<bool> stop_rollout(const std::string& model, const std::string& reason);
  // As JSON.
  Reply<std::string> show(const std::string& model) const;

  // Which version answers a request that names none.
  struct Route {
    std::shared_ptr<ModelVersion> version;
    bool is_candidate = false;
    bool wants_copy = false;  // the candidate is to see what came of it (saw_answer's tensors)
  };
  Route route(const std::string& model, std::shared_ptr<ModelVersion> service,
              const std::string& key) const;
  // `inputs` and `outputs` matter where a copy was wanted.
  void saw_answer(const std::string& model, const Route& route, bool failed, double latency_ms,
                  const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs);

 private:
  struct Rollout {
    ControlPlan plan;
    ControlState state;
    std::shared_ptr<ModelVersion> candidate;
  };
  struct Copy {
    std::string model;
    std::shared_ptr<ModelVersion> candidate;
    std::vector<Tensor> inputs, outputs;
    double service_ms = 0;
  };
  void work();
  void run_copy(const Copy& copy);
  // Under the lock: takes over what the control says, records and tells it where the stage changed.
  void become(const std::string& model, Rollout& rollout, ControlState next);

  Catalogue& catalogue_;
  const std::function<void(const std::string&)> on_event_;
  mutable std::mutex mutex_;
  std::map<std::string, Rollout> rollouts_;
  std::atomic<int> under_way_ = 0;  // so that requests without any rollout pay nothing
  std::condition_variable wake_;
  std::deque<Copy> copies_;
  bool stop_ = false;
  std::thread thread_;
};

// What two versions' answers to one request say of each row: scores where the first output is made
// of floating-point numbers, else whether they are equal.
std::vector<std::pair<std::vector<float>, std::vector<float>>> score_pairs(
    const std::vector<Tensor>& service, const std::vector<Tensor>& candidate);

}  // namespace edgewright
