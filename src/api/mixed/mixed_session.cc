#include "api/mixed/mixed_session.h"

#include <algorithm>
#include <chrono>

namespace edgewright {

Result<std::unique_ptr<MixedSession>> MixedSession::create(std::vector<Session::Port> inputs,
                                                           std::vector<Session::Port> outputs,
                                                           std::vector<OpenedModel> parts) {
  std::unique_ptr<MixedSession> session(new MixedSession);
  session->inputs_ = std::move(inputs);
  session->outputs_ = std::move(outputs);
  EDGEWRIGHT_TRY(session->link(std::move(parts)));
  return session;
}

Status MixedSession::link(std::vector<OpenedModel> parts) {
  std::map<std::string, size_t> places;
  for (const Session::Port& input : inputs_) places.emplace(input.name, places.size());
  for (OpenedModel& model : parts) {
    Part part;
    for (const Session::Port& port : model->inputs()) {
      const auto it = places.find(port.name);
      if (it == places.end()) return unsupported("nobody makes '{}' of a part", port.name);
      part.inputs.push_back(it->second);
    }
    for (const Session::Port& port : model->outputs()) {
      part.outputs.push_back(places.emplace(port.name, places.size()).first->second);
    }
    figures_.load_us += model->figures().load_us;
    part.model = std::move(model);
    parts_.push_back(std::move(part));
  }
  for (const Session::Port& output : outputs_) {
    const auto it = places.find(output.name);
    if (it == places.end()) return unsupported("no part makes the output '{}'", output.name);
    output_places_.push_back(it->second);
  }
  values_.resize(places.size());
  return {};
}

Result<std::vector<Datum>> MixedSession::run(std::span<const Datum> inputs,
                                             const ValueObserver& observer) {
  if (inputs.size() != inputs_.size()) {
    return bad_input("the model takes {} inputs, {} were given", inputs_.size(), inputs.size());
  }
  const auto start = std::chrono::steady_clock::now();
  std::ranges::copy(inputs, values_.begin());
  for (size_t i = 0; i < parts_.size(); ++i) EDGEWRIGHT_TRY(run_part(i, observer));
  std::vector<Datum> outputs;
  outputs.reserve(output_places_.size());
  for (const size_t place : output_places_) outputs.push_back(values_[place]);
  if (figures_.first_inference_us == 0) {
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    figures_.first_inference_us = time.count();
    for (const Part& part : parts_) {
      figures_.arena_bytes += part.model.session->figures().arena_bytes;
      figures_.live_set_bytes =
          std::max(figures_.live_set_bytes, part.model.session->figures().live_set_bytes);
    }
  }
  return outputs;
}

Status MixedSession::run_part(size_t index, const ValueObserver& observer) {
  Part& part = parts_[index];
  EDGEWRIGHT_ASSIGN(auto made, part.model.session->run(part_inputs(index), observer));
  for (size_t o = 0; o < made.size(); ++o) values_[part.outputs[o]] = std::move(made[o]);
  return {};
}

Result<std::vector<double>> MixedSession::time_parts(std::span<const Datum> inputs,
                                                     double budget_us) {
  constexpr size_t kLeastRounds = 3;
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> times(parts_.size());
  EDGEWRIGHT_TRY(run(inputs, nullptr));
  double spent_us = 0;
  while (times[0].size() < kLeastRounds || spent_us < budget_us) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const auto start = Clock::now();
      EDGEWRIGHT_TRY(run_part(i, nullptr));
      const std::chrono::duration<double, std::micro> time = Clock::now() - start;
      times[i].push_back(time.count());
      spent_us += time.count();
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& part : times) {
    const auto middle = part.begin() + std::ssize(part) / 2;
    std::ranges::nth_element(part, middle);
    medians.push_back(*middle);
  }
  return medians;
}

std::vector<Datum> MixedSession::part_inputs(size_t part) const {
  std::vector<Datum> data;
  data.reserve(parts_[part].inputs.size());
  for (const size_t place : parts_[part].inputs) data.push_back(values_[place]);
  return data;
}

double MixedSession::bytes_moved() const {
  double bytes = 0;
  for (const Part& part : parts_) {
    for (const size_t place : part.inputs) {
      if (place < inputs_.size() || !values_[place].is_tensor()) continue;
      bytes += static_cast<double>(values_[place].tensor().size_bytes());
    }
  }
  return bytes;
}

}  // namespace edgewright
