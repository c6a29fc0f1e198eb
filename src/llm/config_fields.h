#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// Typed reads of an untrusted JSON object. A field that is absent or null gives the default; one of
// another type or out of range makes status() an error that names it, and gives the default.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}

  bool has(std::string_view name) const;
  // A count between 1 and 2^26.
  int count(std::string_view name, std::optional<int> otherwise = std::nullopt);
  int integer(std::string_view name, int otherwise);
  float number(std::string_view name, float otherwise);
  bool flag(std::string_view name, bool otherwise);
  std::string text(std::string_view name, const std::string& otherwise);
  std::vector<float> numbers(std::string_view name, size_t limit);
  // One integer or a list of them.
  std::vector<int> integers(std::string_view name, size_t limit);
  // The tokens that end a text, in config.json and generation_config.json alike.
  std::vector<int> end_tokens() { return integers("eos_token_id", 64); }
  const Json& at(std::string_view name) const;

  const Status& status() const { return status_; }
  void fail(Error error);

 private:
  const Json* find(std::string_view name) const;
  void wrong(std::string_view name, std::string_view expected);
  const Json& json_;
  Status status_;
};

// Letters, digits and these marks only, as names are written.
bool is_plain_name(std::string_view name, std::string_view marks);
// Why a name is not read: `others` are those that the format has and that are not computed here
// (not supported); any other is damage (bad input).
Error unread_name(std::string_view what, std::string_view name,
                  std::initializer_list<std::string_view> others);

}  // namespace edgewright
