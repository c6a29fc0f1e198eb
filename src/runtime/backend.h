#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/session.h"

namespace edgewright {

// A model opened by some engine. One run at a time.
class BackendSession {
 public:
  // Every value that the engine makes under a name, in the plain layout; valid during the call.
  using ValueObserver = std::function<void(const std::string& name, const Datum& datum)>;

  virtual ~BackendSession() = default;
  // Inputs that are constants in the graph are not listed and not given.
  virtual const std::vector<Session::Port>& inputs() const = 0;
  virtual const std::vector<Session::Port>& outputs() const = 0;
  virtual Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                         const ValueObserver& observer = nullptr) = 0;
  virtual const SessionFigures& figures() const = 0;
};

// An engine that runs graphs. The same calls for all of them; figures that one cannot know are 0.
struct Backend {
  std::string_view name;     // as --backend takes it
  std::string_view summary;  // one line
  Result<std::unique_ptr<BackendSession>> (*open)(std::unique_ptr<Graph> graph,
                                                  const SessionOptions& options) = nullptr;
};

// native (plans with tuned kernels), reference (the interpreter).
std::span<const Backend> backends();
// A plan that was made before, in the native engine.
Result<std::unique_ptr<BackendSession>> open_plan(std::shared_ptr<const Plan> plan,
                                                  const SessionOptions& options);
// Null when there is none of this name.
const Backend* find_backend(std::string_view name);

}  // namespace edgewright
