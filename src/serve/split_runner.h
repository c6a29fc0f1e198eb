#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serve/client.h"
#include "serve/link_monitor.h"
#include "serve/split_schedule.h"
#include "split/codec/coded.h"
#include "split/cut_choice.h"
#include "split/offload/way_choice.h"
#include "tensor/tensor.h"

namespace edgewright {

using NamedValues = std::map<std::string, Tensor>;

// What a device can do of a model that is cut. Called from one thread.
class DeviceParts {
 public:
  virtual ~DeviceParts() = default;
  // The device's part: the values that are sent and the device's share of the model's outputs; for
  // a local cut all outputs.
  virtual Result<NamedValues> run_head(size_t cut, const NamedValues& inputs) = 0;
  // What the server would do, from the values that would have been sent.
  virtual Result<NamedValues> run_rest(size_t cut, const NamedValues& sent) = 0;
};

// A cut that is ready on both sides.
struct RunnableCut {
  ReadyCut times;                       // its name is the cut's, and the form's where there is one
  std::string cut;                      // the layer
  SentForm form;                        // in which `sent` travels
  std::shared_ptr<CodedSender> sender;  // of a coded form
  std::string server_model;
  std::vector<std::string> sent, device_outputs, server_outputs;
  NamedValues sample;  // values to send when the server is only to be looked at
};

struct RunnerOptions {
  ScheduleOptions schedule;
  RetryPolicy retry;
  LinkMonitorOptions monitor;
  std::optional<size_t> fixed_cut;  // else the cut follows the link
  CutGoal goal = CutGoal::kLatency;
  // Where there is one a policy chooses the cut of each request.
  std::shared_ptr<WayChoice> ways;
  // What may leave of the values that a cut sends (may be empty: all, as it is). kCheckFailed: from
  // now on nothing may; any other error: these may not.
  std::function<Result<NamedValues>(const RunnableCut& cut, const NamedValues& values)> guard;
  bool binary = true;             // tensors as bytes, not as JSON numbers
  double assessment_us = 700000;  // that one look at the server may take
  double hysteresis = 0.1;
  uint64_t seed = 0;
};

struct SplitAnswer {
  NamedValues outputs;  // empty when it failed
  AnsweredBy by = AnsweredBy::kNobody;
  std::string failure;
  double arrived_us = 0;   // from the beginning of the run
  double latency_us = 0;   // from its arrival
  double begun_us = 0;     // when the device began it, from the beginning of the run
  double exchange_us = 0;  // of the last attempt at the server
  size_t cut = 0;
  int attempts = 0;
  bool is_late = false;
};

// Something that happened between the requests.
struct RunnerEvent {
  double time_us = 0;  // from the beginning of the run
  std::string what;    // "cut": from one to another; "down", "up", "budget"
  std::string from, to, why;
};

struct RunnerResult {
  std::vector<SplitAnswer> answers;  // one a request, in their order
  std::vector<RunnerEvent> events;
  LinkEstimate link;
  size_t dropped_answers = 0;  // of the server, to requests that had been answered already
  size_t kept_here = 0;        // not sent because the guard did not let them
};

using ClientFactory = std::function<Result<std::unique_ptr<InferenceClient>>()>;

// Measures link and server with an open client: round trip, rate, and how much slower than
// `cut.times.server_us` the server is now. `guess` is the estimate so far.
Result<LinkEstimate> assess_link(InferenceClient& client, const RunnableCut& cut,
                                 const LinkEstimate& guess, bool binary,
                                 InferenceClient::Deadline deadline);
// The request that lets the server do its part. kUnsupported when a value does not fit the form.
// `frame`: its number in the stream of a coded form; absent: it stands alone.
Result<oip::InferRequest> request_for(const RunnableCut& cut, const NamedValues& values,
                                      bool binary, std::optional<uint64_t> frame = std::nullopt);

// Runs requests through a cut model: the device's part here, the rest at the server, several under
// way at once; what the server does not answer in time the device finishes itself. While that goes
// on the link is watched, and another of the cuts is taken when it has become better.
class SplitRunner {
 public:
  // One of the cuts is local when there is a fallback. `connect` opens connections, one a request
  // in flight and one to watch the link.
  SplitRunner(DeviceParts& parts, std::vector<RunnableCut> cuts, ClientFactory connect,
              const LinkEstimate& link, const RunnerOptions& options);
  ~SplitRunner();
  SplitRunner(const SplitRunner&) = delete;
  SplitRunner& operator=(const SplitRunner&) = delete;

  // Answers `count` requests. They come `interval_us` apart, or (0) as soon as the device has room.
  // Each has `deadline_us` from its arrival. `inputs_of` gives the inputs of one.
  Result<RunnerResult> run(size_t count, double interval_us, double deadline_us,
                           const std::function<NamedValues(size_t)>& inputs_of);

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace edgewright
