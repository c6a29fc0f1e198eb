#include "profile/machine_code.h"

#include <capstone/capstone.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>

namespace edgewright {
namespace {

constexpr size_t kWindowBytes = 4096;
constexpr size_t kMaxSamples = 65536;
constexpr long kTickNs = 250'000;
// Fewer ticks than this say nothing about where the time goes.
constexpr size_t kFewestSamples = 8;

class Disassembler {
 public:
  Disassembler() {
#if defined(__x86_64__)
    open_ = cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) == CS_ERR_OK;
#elif defined(__aarch64__)
    open_ = cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &handle_) == CS_ERR_OK;
#endif
    if (open_) cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  }
  ~Disassembler() {
    if (open_) cs_close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  template <class Visit>
  void each(uint64_t address, std::span<const std::byte> bytes, Visit&& visit) {
    if (!open_) return;
    cs_insn* one = cs_malloc(handle_);
    const auto* code = reinterpret_cast<const uint8_t*>(bytes.data());
    size_t left = bytes.size();
    while (cs_disasm_iter(handle_, &code, &left, &address, one)) {
      if (!visit(*one)) break;
    }
    cs_free(one, 1);
  }

  // The target of a direct jump; absent for everything else.
  std::optional<uint64_t> jump_target(const cs_insn& one) const {
    if (!cs_insn_group(handle_, &one, CS_GRP_JUMP)) return std::nullopt;
#if defined(__x86_64__)
    const cs_x86& detail = one.detail->x86;
    if (detail.op_count == 1 && detail.operands[0].type == X86_OP_IMM) {
      return static_cast<uint64_t>(detail.operands[0].imm);
    }
#elif defined(__aarch64__)
    const cs_arm64& detail = one.detail->arm64;
    for (int i = 0; i < detail.op_count; ++i) {
      if (detail.operands[i].type == ARM64_OP_IMM) {
        return static_cast<uint64_t>(detail.operands[i].imm);
      }
    }
#endif
    return std::nullopt;
  }

  void count(const cs_insn& one, LoopCode& loop);

 private:
  int register_bits(uint16_t id) const {
    const char* name = cs_reg_name(handle_, id);
    if (name == nullptr) return 0;
    const std::string_view text = name;
#if defined(__x86_64__)
    if (text.starts_with("zmm")) return 512;
    if (text.starts_with("ymm")) return 256;
    return text.starts_with("xmm") ? 128 : 0;
#else
    const bool is_vector =
        text.size() > 1 && (text[0] == 'v' || text[0] == 'q') && text[1] >= '0' && text[1] <= '9';
    return is_vector ? 128 : 0;
#endif
  }

  void count_memory(const cs_insn& one, LoopCode& loop) const {
#if defined(__x86_64__)
    const cs_x86& detail = one.detail->x86;
    for (int i = 0; i < detail.op_count; ++i) {
      const cs_x86_op& operand = detail.operands[i];
      if (operand.type != X86_OP_MEM || std::string_view(one.mnemonic) == "lea") continue;
      // The first operand of a move is what is written.
      const bool writes = i == 0 && detail.op_count > 1 &&
                          std::string_view(one.mnemonic).find("mov") != std::string_view::npos;
      ++(writes ? loop.stores : loop.loads);
    }
#else
    const std::string_view name = one.mnemonic;
    loop.loads += static_cast<int>(name.starts_with("ld"));
    loop.stores += static_cast<int>(name.starts_with("st"));
#endif
  }

  csh handle_ = 0;
  bool open_ = false;
  std::map<std::string, int> ready_;  // depth of the chain that made each register
  int longest_ = 0;
};

bool is_arithmetic(std::string_view name) {
  for (const char* part : {"fma", "fnma", "mul", "add", "dp", "mla", "sub"}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

void Disassembler::count(const cs_insn& one, LoopCode& loop) {
  ++loop.instructions;
  count_memory(one, loop);
  cs_regs read{}, written{};
  uint8_t read_count = 0, written_count = 0;
  if (cs_regs_access(handle_, &one, read, &read_count, written, &written_count) != CS_ERR_OK)
    return;
  int bits = 0, depth = 0;
  for (int i = 0; i < read_count; ++i) {
    bits = std::max(bits, register_bits(read[i]));
    const char* name = cs_reg_name(handle_, read[i]);
    const auto ready = ready_.find(name == nullptr ? "" : name);
    if (ready != ready_.end()) depth = std::max(depth, ready->second);
  }
  for (int i = 0; i < written_count; ++i) {
    bits = std::max(bits, register_bits(written[i]));
    const char* name = cs_reg_name(handle_, written[i]);
    if (name != nullptr) ready_[name] = depth + 1;
  }
  longest_ = std::max(longest_, depth + 1);
  loop.vector_bits = std::max(loop.vector_bits, bits);
  if (bits > 0) {
    ++loop.vector_instructions;
    loop.arithmetic_vectors += static_cast<int>(is_arithmetic(one.mnemonic));
  }
  loop.parallelism = static_cast<double>(loop.instructions) / longest_;
}

// ---- Sampling ----

std::array<std::atomic<uint64_t>, kMaxSamples> addresses;
std::atomic<size_t> address_count{0};

void note_address(int /*signal*/, siginfo_t* /*info*/, void* context) {
  const auto* user = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  const auto at = static_cast<uint64_t>(user->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  const auto at = static_cast<uint64_t>(user->uc_mcontext.pc);
#else
  const uint64_t at = 0;
#endif
  const size_t index = address_count.fetch_add(1);
  if (index < kMaxSamples) addresses[index] = at;
}

// Bytes of this program, read through the system so that an unmapped page is an error and no fault.
std::vector<std::byte> own_memory(uint64_t address, size_t count) {
  std::vector<std::byte> bytes(count);
  iovec local{bytes.data(), count};
  iovec remote{reinterpret_cast<void*>(address), count};
  const ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

// Up to the end of the page that cannot be read.
std::vector<std::byte> readable(uint64_t address, size_t count) {
  auto bytes = own_memory(address, count);
  if (!bytes.empty()) return bytes;
  constexpr uint64_t kPage = 4096;
  return own_memory(address, kPage - address % kPage);
}

}  // namespace

std::optional<LoopCode> loop_around(
    uint64_t address, std::span<const std::byte> bytes,
    const std::function<std::span<const std::byte>(size_t)>& before) {
  Disassembler code;
  uint64_t start = 0, end = 0;
  code.each(address, bytes.first(std::min(bytes.size(), kWindowBytes)), [&](const cs_insn& one) {
    const auto target = code.jump_target(one);
    // The nearest jump back over the address closes the innermost loop around it.
    if (!target || *target > address || address - *target > kWindowBytes) return true;
    start = *target;
    end = one.address + one.size;
    return false;
  });
  if (end == 0) return std::nullopt;
  const std::span<const std::byte> front = before(address - start);
  if (front.size() != address - start) return std::nullopt;
  std::vector<std::byte> whole(front.begin(), front.end());
  whole.insert(whole.end(), bytes.begin(),
               bytes.begin() + static_cast<std::ptrdiff_t>(end - address));
  LoopCode loop;
  loop.address = start;
  code.each(start, whole, [&](const cs_insn& one) {
    code.count(one, loop);
    return true;
  });
  return loop;
}

Result<std::vector<uint64_t>> sample_addresses(const std::function<void()>& work, double seconds) {
  address_count = 0;
  struct sigaction action{}, previous{};
  action.sa_sigaction = note_address;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGPROF, &action, &previous) != 0) return unsupported("no profiling signal here");
  struct sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  timer_t timer{};
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) {
    sigaction(SIGPROF, &previous, nullptr);
    return unsupported("no timer of a thread's processor time here");
  }
  const itimerspec every{{0, kTickNs}, {0, kTickNs}};
  timer_settime(timer, 0, &every, nullptr);
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() <
         seconds) {
    work();
  }
  timer_delete(timer);
  sigaction(SIGPROF, &previous, nullptr);
  const size_t count = std::min(address_count.load(), kMaxSamples);
  return std::vector<uint64_t>(addresses.begin(),
                               addresses.begin() + static_cast<std::ptrdiff_t>(count));
}

Result<HotLoop> hot_loop(const std::vector<uint64_t>& samples) {
  if (samples.size() < kFewestSamples) {
    return unsupported("only {} samples of where the kernel runs", samples.size());
  }
  std::map<uint64_t, std::pair<LoopCode, size_t>> loops;
  std::map<uint64_t, std::optional<LoopCode>> known;
  for (const uint64_t address : samples) {
    auto [entry, is_first] = known.try_emplace(address);
    if (is_first) {
      const auto bytes = readable(address, kWindowBytes);
      std::vector<std::byte> front;
      entry->second = loop_around(address, bytes, [&](size_t count) {
        front = own_memory(address - count, count);
        return std::span<const std::byte>(front);
      });
    }
    if (!entry->second) continue;
    auto& loop = loops[entry->second->address];
    loop.first = *entry->second;
    ++loop.second;
  }
  if (loops.empty()) return unsupported("the samples lie in no loop");
  const auto best =
      std::ranges::max_element(loops, {}, [](const auto& entry) { return entry.second.second; });
  return HotLoop{best->second.first,
                 static_cast<double>(best->second.second) / static_cast<double>(samples.size()),
                 samples.size()};
}

}  // namespace edgewright
