#pragma once

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

namespace edgewright {

using Random = std::mt19937_64;

// Changes, cuts, drops or repeats some bytes.
inline void mutate_bytes(std::string& bytes, Random& random) {
  if (bytes.empty()) return;
  const size_t at = random() % bytes.size();
  switch (random() % 4) {
    case 0: bytes[at] = static_cast<char>(random()); break;
    case 1: bytes.resize(at); break;
    case 2: bytes.erase(at, random() % 16); break;
    default: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 32));
  }
}

// Puts another number in the place of one that is written in decimal digits at or after a random
// place.
inline void mutate_number(std::string& text, Random& random) {
  static constexpr std::string_view kNumbers[] = {
      "0",    "1",     "-1",         "2",          "7",           "64",
      "4096", "65536", "2147483647", "4294967295", "99999999999", "99999999999999999999"};
  if (text.empty()) return;
  const size_t digit = text.find_first_of("0123456789", random() % text.size());
  if (digit == std::string::npos) return;
  const size_t end = text.find_first_not_of("0123456789", digit);
  text.replace(digit, end == std::string::npos ? end : end - digit,
               kNumbers[random() % std::size(kNumbers)]);
}

// How many cases a test tries; EDGEWRIGHT_FUZZ_CASES asks for more.
inline uint64_t case_count() {
  const char* text = std::getenv("EDGEWRIGHT_FUZZ_CASES");
  return text == nullptr ? 2000 : std::strtoull(text, nullptr, 10);
}

// The longest of several measured times.
class Slowest {
 public:
  template <class Action>
  void measure(Action&& action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    slowest_ms_ = std::max(slowest_ms_, time.count());
  }
  double ms() const { return slowest_ms_; }

 private:
  double slowest_ms_ = 0;
};

}  // namespace edgewright
