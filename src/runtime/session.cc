#include "runtime/session.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

bool has_open_shape(const Session::Port& port) {
  return port.type.is_tensor() &&
         !(port.type.shape.has_value() && known_dims(*port.type.shape).has_value());
}

bool within(const Dims& dims, const ShapeProfile::Range& range) {
  if (dims.size() != range.min.size() || dims.size() != range.max.size()) return false;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < range.min[i] || dims[i] > range.max[i]) return false;
  }
  return true;
}

std::vector<Session::Port> ports_of(const Plan& plan, const std::vector<int32_t>& values) {
  std::vector<Session::Port> ports;
  for (const int32_t index : values) {
    const PlanValue& value = plan.values[static_cast<size_t>(index)];
    ports.push_back({value.name, type_of(value)});
  }
  return ports;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(std::unique_ptr<Graph> graph,
                                               SessionOptions options) {
  const auto start = Clock::now();
  std::unique_ptr<Session> session(new Session(std::move(options)));
  EDGEWRIGHT_TRY(session->open_graph(std::move(graph)));
  session->figures_.load_us = microseconds_since(start);
  return session;
}

Result<std::unique_ptr<Session>> Session::open(std::shared_ptr<const Plan> plan,
                                               SessionOptions options) {
  const auto start = Clock::now();
  options.threads = std::max(options.threads, 1);
  std::unique_ptr<Session> session(new Session(std::move(options)));
  session->inputs_ = ports_of(*plan, plan->inputs);
  session->outputs_ = ports_of(*plan, plan->outputs);
  EDGEWRIGHT_TRY(session->add_plan(std::move(plan), {}));
  session->figures_.load_us = microseconds_since(start);
  return session;
}

Status Session::open_graph(std::unique_ptr<Graph> graph) {
  graph_ = std::move(graph);
  for (const Value* input : graph_->inputs()) {
    if (!input->is_constant()) inputs_.push_back({input->name, input->type});
  }
  for (const Value* output : graph_->outputs()) outputs_.push_back({output->name, output->type});
  if (is_specialised()) return prepare_profiles();
  return make_plan({});
}

// Plans per shape are made where shapes are open and something can make the graph for them.
bool Session::is_specialised() const {
  return graph_ != nullptr && options_.specialise && std::ranges::any_of(inputs_, has_open_shape);
}

Status Session::prepare_profiles() {
  for (const ShapeProfile& profile : options_.profiles) {
    std::vector<Dims> shapes;
    for (const Port& port : inputs_) {
      const auto it = profile.inputs.find(port.name);
      const auto known = port.type.shape ? known_dims(*port.type.shape) : std::nullopt;
      if (it == profile.inputs.end() && !known.has_value()) break;
      shapes.push_back(it == profile.inputs.end() ? *known : it->second.opt);
    }
    if (shapes.size() == inputs_.size()) EDGEWRIGHT_TRY(make_plan(std::move(shapes)));
  }
  return {};
}

Status Session::make_plan(std::vector<Dims> shapes) {
  const auto start = Clock::now();
  std::unique_ptr<Graph> graph;
  if (shapes.empty()) {
    graph = clone(*graph_);
  } else {
    EDGEWRIGHT_ASSIGN(graph, options_.specialise(*graph_, shapes));
  }
  const CompileOptions options{options_.threads, options_.chooser, options_.expander,
                               options_.tuned_kernels};
  EDGEWRIGHT_ASSIGN(auto plan, compile(*graph, options));
  EDGEWRIGHT_TRY(add_plan(std::move(plan), std::move(shapes)));
  figures_.plan_us += microseconds_since(start);
  return {};
}

Status Session::add_plan(std::shared_ptr<const Plan> plan, std::vector<Dims> shapes) {
  if (plan->threads > pool_.threads()) {
    return usage_error("the plan is made for {} threads, the session has {}; open it with {}",
                       plan->threads, pool_.threads(), plan->threads);
  }
  EDGEWRIGHT_ASSIGN(auto executor, Executor::create(std::move(plan), &pool_));
  plans_.push_front({std::move(shapes), std::move(executor)});
  while (plans_.size() > std::max<size_t>(options_.cached_plans, 1)) plans_.pop_back();
  figures_.plans = plans_.size();
  figures_.arena_bytes = total_arena_bytes(this->plan());
  figures_.live_set_bytes = total_live_set_bytes(this->plan());
  return {};
}

Status Session::check_profiles(std::span<const Dims> shapes) const {
  const auto accepts = [&](const ShapeProfile& profile) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const auto it = profile.inputs.find(inputs_[i].name);
      if (it != profile.inputs.end() && !within(shapes[i], it->second)) return false;
    }
    return true;
  };
  if (options_.profiles.empty() || std::ranges::any_of(options_.profiles, accepts)) return {};
  std::string given;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    given += fmt::format("{}{}={}", i == 0 ? "" : ", ", inputs_[i].name, dims_text(shapes[i]));
  }
  return bad_input("no shape profile of the session covers {}", given);
}

Result<Executor*> Session::executor_for(std::span<const Datum> inputs) {
  if (inputs.size() != inputs_.size()) {
    return bad_input("the model takes {} inputs, {} were given", inputs_.size(), inputs.size());
  }
  if (!is_specialised()) return plans_.front().executor.get();
  std::vector<Dims> shapes;
  for (const Datum& input : inputs) {
    shapes.push_back(input.is_tensor() ? input.tensor().dims() : Dims());
  }
  const auto it = std::ranges::find(plans_, shapes, &Entry::shapes);
  if (it != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, it);
  } else {
    EDGEWRIGHT_TRY(check_profiles(shapes));
    EDGEWRIGHT_TRY(make_plan(std::move(shapes)));
  }
  figures_.arena_bytes = total_arena_bytes(plan());
  figures_.live_set_bytes = total_live_set_bytes(plan());
  return plans_.front().executor.get();
}

Result<std::vector<Datum>> Session::run(std::span<const Datum> inputs, const RunHooks* hooks) {
  const bool is_first = figures_.first_inference_us == 0;
  const auto start = is_first ? Clock::now() : Clock::time_point();
  EDGEWRIGHT_ASSIGN(Executor * executor, executor_for(inputs));
  auto outputs = executor->run(inputs, hooks);
  if (is_first) figures_.first_inference_us = microseconds_since(start);
  return outputs;
}

}  // namespace edgewright
