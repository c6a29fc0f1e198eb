// A network link in user space: carries TCP connections to a target through a rate (a token bucket
// of one packet), a delay, losses and recorded traces.
//
// usage: link_emulator TARGET_PORT [up-mbit-s=N] [down-mbit-s=N] [delay-ms=N] [loss=P]
//                      [trace-up=FILE] [trace-down=FILE] [seed=N]
//
// Listens on a port of its own and prints "ready PORT". `delay-ms` is one way. Further settings
// come as lines on the standard input, also "state=down" (nothing passes, nothing is refused) and
// "state=up"; its end ends the program. A lost packet delays all that follow as TCP would: by a
// round trip when three packets follow it (fast retransmission, RFC 5681), else by a timeout of
// 200 ms, twice as much each time it is lost again (RFC 6298, with Linux's least timeout).

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <deque>
#include <iostream>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "device/link_trace.h"

namespace edgewright {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr size_t kPacketBytes = 1500;
// What waits for the link is at most this far ahead of it; the sender keeps the rest.
constexpr auto kMostAhead = std::chrono::milliseconds(20);

struct Settings {
  double mbit_s[2] = {0, 0};  // up, down; 0: no limit
  double delay_ms = 0, loss = 0;
  std::optional<LinkTrace> traces[2];
  bool is_up = true;
};

// Both directions of the link; all connections share them.
class Link {
 public:
  explicit Link(uint64_t seed) : random_(seed) {}
  Settings settings;

  // When the last packet so far has left the queue.
  Clock::time_point free(int direction) const { return at(free_ms_[direction]); }
  // When a packet that is ready now has crossed, `following` others being behind it.
  Clock::time_point delivered(int direction, size_t bytes, size_t following) {
    const double now_ms = milliseconds(Clock::now());
    double& free_ms = free_ms_[direction];
    const double begin_ms = std::max(now_ms, free_ms);
    if (settings.traces[direction]) {
      // Packets that follow each other share one busy time, or they would share opportunities.
      if (now_ms >= free_ms) busy_[direction] = {now_ms, 0};
      auto& [busy_ms, busy_bytes] = busy_[direction];
      busy_bytes += static_cast<double>(bytes);
      free_ms = delivered_ms(*settings.traces[direction], busy_ms, busy_bytes);
    } else if (settings.mbit_s[direction] > 0) {
      free_ms = begin_ms + static_cast<double>(bytes) * 8e-3 / settings.mbit_s[direction];
    } else {
      free_ms = begin_ms;
    }
    const double crossed_ms = free_ms + settings.delay_ms + retransmission_ms(following);
    // TCP delivers in order.
    last_ms_[direction] = std::max(last_ms_[direction], crossed_ms);
    return at(last_ms_[direction]);
  }

 private:
  Clock::time_point at(double time_ms) const {
    return start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double, std::milli>(time_ms));
  }
  double milliseconds(Clock::time_point time) const {
    return std::chrono::duration<double, std::milli>(time - start_).count();
  }
  double retransmission_ms(size_t following) {
    double lost_ms = 0, timeout_ms = std::max(200.0, 4 * settings.delay_ms);
    std::bernoulli_distribution is_lost(settings.loss);
    for (bool first = true; is_lost(random_); first = false) {
      if (first && following >= 3) {
        lost_ms += 2 * settings.delay_ms;
        continue;
      }
      lost_ms += timeout_ms;
      timeout_ms *= 2;
    }
    return lost_ms;
  }

  Clock::time_point start_ = Clock::now();
  std::mt19937_64 random_;
  double free_ms_[2] = {0, 0}, last_ms_[2] = {0, 0};
  std::pair<double, double> busy_[2];  // since when a direction has not been idle; bytes since then
};

// One direction of one connection.
class Flow : public std::enable_shared_from_this<Flow> {
 public:
  Flow(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to, Link& link,
       int direction)
      : from_(std::move(from)),
        to_(std::move(to)),
        link_(link),
        direction_(direction),
        timer_(from_->get_executor()),
        room_(from_->get_executor()) {}

  void start() { read(); }

 private:
  struct Packet {
    std::vector<char> bytes;
    Clock::time_point due;
  };

  void read() {
    if (is_reading_ || is_closed_) return;
    is_reading_ = true;
    auto self = shared_from_this();
    room_.expires_at(link_.free(direction_) - kMostAhead);
    room_.async_wait([this, self](auto) { read_some(); });
  }

  void read_some() {
    auto self = shared_from_this();
    from_->async_read_some(asio::buffer(buffer_), [this, self](auto error, size_t count) {
      is_reading_ = false;
      if (error) {
        is_closed_ = true;
      } else {
        enqueue(count);
      }
      write();
      read();
    });
  }

  void enqueue(size_t count) {
    for (size_t begin = 0; begin < count; begin += kPacketBytes) {
      const size_t size = std::min(kPacketBytes, count - begin);
      const size_t following = (count - begin - size) / kPacketBytes;
      Packet& packet = packets_.emplace_back();
      packet.bytes.assign(buffer_.data() + begin, buffer_.data() + begin + size);
      packet.due = link_.delivered(direction_, size, following);
    }
  }

  void write() {
    if (is_writing_) return;
    if (packets_.empty()) {
      if (is_closed_) close();
      return;
    }
    is_writing_ = true;
    auto self = shared_from_this();
    timer_.expires_at(packets_.front().due);
    timer_.async_wait([this, self](auto) {
      if (!link_.settings.is_up) {
        // Looked at again until the link is back.
        packets_.front().due = Clock::now() + std::chrono::milliseconds(5);
        is_writing_ = false;
        write();
        return;
      }
      asio::async_write(*to_, asio::buffer(packets_.front().bytes),
                        [this, self](auto error, size_t) {
                          is_writing_ = false;
                          packets_.pop_front();
                          if (error) {
                            is_closed_ = true;
                            packets_.clear();
                          }
                          write();
                          read();
                        });
    });
  }

  void close() {
    boost::system::error_code ignored;
    to_->shutdown(tcp::socket::shutdown_send, ignored);
  }

  std::shared_ptr<tcp::socket> from_, to_;
  Link& link_;
  int direction_;
  asio::steady_timer timer_, room_;
  std::array<char, 16 * kPacketBytes> buffer_{};
  std::deque<Packet> packets_;
  bool is_reading_ = false, is_writing_ = false, is_closed_ = false;
};

class Emulator {
 public:
  Emulator(asio::io_context& context, uint16_t target, uint64_t seed)
      : context_(context),
        acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        target_(asio::ip::address_v4::loopback(), target),
        link_(seed) {}

  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  Link& link() { return link_; }

  void accept() {
    acceptor_.async_accept([this](auto error, tcp::socket socket) {
      if (!error) connect(std::make_shared<tcp::socket>(std::move(socket)));
      accept();
    });
  }

 private:
  void connect(std::shared_ptr<tcp::socket> client) {
    auto server = std::make_shared<tcp::socket>(context_);
    // The handshake crosses the link too.
    auto timer = std::make_shared<asio::steady_timer>(context_);
    const auto trip = std::chrono::duration<double, std::milli>(2 * link_.settings.delay_ms);
    timer->expires_after(std::chrono::duration_cast<Clock::duration>(trip));
    timer->async_wait([this, client, server, timer](auto) {
      server->async_connect(target_, [this, client, server](auto error) {
        boost::system::error_code ignored;
        if (error) {
          // Refused at the other end: so it is here.
          client->set_option(tcp::socket::linger(true, 0), ignored);
          client->close(ignored);
          return;
        }
        client->set_option(tcp::no_delay(true), ignored);
        server->set_option(tcp::no_delay(true), ignored);
        std::make_shared<Flow>(client, server, link_, 0)->start();
        std::make_shared<Flow>(server, client, link_, 1)->start();
      });
    });
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  tcp::endpoint target_;
  Link link_;
};

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return value;
}

// False when the setting is not known or its value is none.
bool set(Settings& settings, const std::string& line) {
  const size_t equals = line.find('=');
  const std::string name = line.substr(0, equals);
  const std::string text = equals == std::string::npos ? "" : line.substr(equals + 1);
  if (name == "state") {
    settings.is_up = text == "up";
    return text == "up" || text == "down";
  }
  if (name == "trace-up" || name == "trace-down") {
    auto trace = read_link_trace(text);
    if (!trace.ok()) return false;
    settings.traces[name == "trace-up" ? 0 : 1] = *std::move(trace);
    return true;
  }
  const auto value = number_of(text);
  double* const place = name == "up-mbit-s"     ? &settings.mbit_s[0]
                        : name == "down-mbit-s" ? &settings.mbit_s[1]
                        : name == "delay-ms"    ? &settings.delay_ms
                        : name == "loss"        ? &settings.loss
                                                : nullptr;
  if (place == nullptr || !value || (name == "loss" && *value >= 1)) return false;
  *place = *value;
  return true;
}

// Settings that come while it runs.
void listen_to(asio::posix::stream_descriptor& input, asio::streambuf& buffer, Link& link,
               asio::io_context& context) {
  asio::async_read_until(input, buffer, '\n', [&](auto error, size_t) {
    if (error) {
      context.stop();
      return;
    }
    std::istream lines(&buffer);
    std::string line;
    std::getline(lines, line);
    std::printf("%s %s\n", set(link.settings, line) ? "ok" : "unknown", line.c_str());
    std::fflush(stdout);
    listen_to(input, buffer, link, context);
  });
}

int run(const std::vector<std::string>& arguments) {
  const auto port = arguments.empty() ? std::nullopt : number_of(arguments[0]);
  if (!port || *port < 1 || *port > 65535) return 2;
  asio::io_context context(1);
  Emulator emulator(context, static_cast<uint16_t>(*port), 1);
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (!set(emulator.link().settings, arguments[i])) {
      std::fprintf(stderr, "link_emulator: cannot set %s\n", arguments[i].c_str());
      return 2;
    }
  }
  emulator.accept();
  asio::posix::stream_descriptor input(context, ::dup(0));
  asio::streambuf buffer;
  listen_to(input, buffer, emulator.link(), context);
  std::printf("ready %d\n", emulator.port());
  std::fflush(stdout);
  context.run();
  return 0;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  return edgewright::run(std::vector<std::string>(argv + 1, argv + argc));
}
