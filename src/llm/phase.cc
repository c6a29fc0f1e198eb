#include "llm/phase.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void overwrite(const std::string& text) {
    // Longer than any hint, so that nothing of the last one is left behind.
    constexpr size_t kWidth = 48;
    std::string line = text;
    line.resize(kWidth - 1, ' ');
    line += '\n';
    // A hint that is lost costs energy and nothing else.
    (void)!::pwrite(descriptor_, line.data(), line.size(), 0);
  }

 private:
  int descriptor_;
};

}  // namespace

bool EnginePhase::alike(const EnginePhase& other) const {
  constexpr double kContextStep = 256;
  return kind == other.kind && batch == other.batch && tokens == other.tokens &&
         static_cast<int64_t>(context / kContextStep) ==
             static_cast<int64_t>(other.context / kContextStep);
}

std::string phase_text(const EnginePhase& phase) {
  switch (phase.kind) {
    case EnginePhase::Kind::kIdle: return "idle";
    case EnginePhase::Kind::kPrefill: return fmt::format("prefill {}", phase.tokens);
    case EnginePhase::Kind::kDecode:
      return fmt::format("decode {} {:.0f}", phase.batch, phase.context);
  }
  return "";
}

Result<std::function<void(const EnginePhase&)>> phase_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return bad_input("cannot write the phase to {}: {}", path, std::strerror(errno));
  }
  auto file = std::make_shared<OpenFile>(descriptor);
  return std::function<void(const EnginePhase&)>(
      [file](const EnginePhase& phase) { file->overwrite(phase_text(phase)); });
}

Result<EngineAdvice> parse_advice(const std::string& text) {
  std::istringstream words(text);
  EngineAdvice advice;
  for (std::string word; words >> word;) {
    constexpr double kLeastDuty = 0.05;
    constexpr int kMostSequences = 4096, kMostThreads = 1024, kMostBeside = 4096;
    if (word == "stages" && words >> word) {
      auto stages = parse_stages(word);
      if (!stages.ok()) return bad_input("advice: {}", stages.error().message);
      advice.stages = *std::move(stages);
      continue;
    }
    const auto beside = [&](int& tokens) {
      return words >> tokens && tokens >= 0 && tokens <= kMostBeside;
    };
    const bool sound =
        word == "batch"
            ? words >> advice.batch && advice.batch >= 0 && advice.batch <= kMostSequences
        : word == "duty" ? words >> advice.duty && advice.duty >= kLeastDuty && advice.duty <= 1
        : word == "threads"
            ? words >> advice.threads && advice.threads >= 0 && advice.threads <= kMostThreads
        : word == "beside" ? beside(advice.beside.emplace())
                           : false;
    if (!sound) {
      return bad_input(
          "advice '{}', expected 'batch 0 to {} duty {} to 1 threads 0 to {} beside 0 to {} stages "
          "CPUS/CPUS'",
          text.substr(0, 40), kMostSequences, kLeastDuty, kMostThreads, kMostBeside);
    }
  }
  return advice;
}

std::function<EngineAdvice()> advice_file(const std::string& path) {
  struct Last {
    EngineAdvice advice;
    Clock::time_point read;
  };
  return [path, last = std::make_shared<Last>()] {
    constexpr std::chrono::milliseconds kPeriod{50};
    const auto now = Clock::now();
    if (last->read != Clock::time_point() && now - last->read < kPeriod) return last->advice;
    last->read = now;
    std::ifstream file(path);
    std::string line;
    if (std::getline(file, line)) {
      const auto advice = parse_advice(line);
      if (advice.ok()) last->advice = *advice;
    }
    return last->advice;
  };
}

}  // namespace edgewright
