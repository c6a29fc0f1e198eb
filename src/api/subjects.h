#pragma once

#include "api/open_backend.h"
#include "verify/compare.h"

namespace edgewright {

// A backend session as one side of a comparison.
class BackendSubject : public Subject {
 public:
  explicit BackendSubject(OpenedModel session) : session_(std::move(session)) {}

  std::vector<std::string> output_names() const override {
    std::vector<std::string> names;
    for (const auto& port : session_->outputs()) names.push_back(port.name);
    return names;
  }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override {
    return session_->run(inputs, observer);
  }

 private:
  OpenedModel session_;
};

}  // namespace edgewright
