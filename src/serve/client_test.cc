#include "serve/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "serve/link_monitor.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

TEST(ServerAddress, TakesAnUrlApart) {
  const auto plain = parse_server_address("http://localhost:8000");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->host, "localhost");
  EXPECT_EQ(plain->port, "8000");
  EXPECT_FALSE(plain->is_encrypted);
  const auto prefixed = parse_server_address("https://models.example/team/a/");
  ASSERT_TRUE(prefixed.ok());
  EXPECT_EQ(prefixed->port, "443");
  EXPECT_EQ(prefixed->prefix, "/team/a");
  const auto six = parse_server_address("http://[::1]:9000");
  ASSERT_TRUE(six.ok());
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, "9000");
  const auto grpc = parse_server_address("grpcs://models.example");
  ASSERT_TRUE(grpc.ok());
  EXPECT_TRUE(grpc->is_grpc && grpc->is_encrypted);
  EXPECT_EQ(grpc->text(), "grpcs://models.example:8001");
}

TEST(ServerAddress, RefusesWhatIsNone) {
  for (const char* url : {"localhost:8000", "ftp://a", "http://", "http://a:0", "http://a:65536",
                          "http://a:80x", "http://:80", ""}) {
    const auto address = parse_server_address(url);
    ASSERT_FALSE(address.ok()) << url;
    EXPECT_EQ(address.error().kind, ErrorKind::kUsage) << url;
  }
}

TEST(Retry, WaitsGrowAndAreRandom) {
  const RetryPolicy policy;
  std::mt19937_64 random(1);
  for (int retry = 1; retry < 12; ++retry) {
    double least = 1e9, most = 0;
    for (int i = 0; i < 1000; ++i) {
      const double wait_us = backoff_us(policy, retry, random);
      least = std::min(least, wait_us);
      most = std::max(most, wait_us);
    }
    const double limit = std::min(policy.longest_us, policy.base_us * std::exp2(retry));
    EXPECT_LE(most, limit);
    EXPECT_GT(most, 0.95 * limit);
    EXPECT_LT(least, 0.05 * limit);
  }
}

// Answers from a list.
class ScriptedClient : public InferenceClient {
 public:
  explicit ScriptedClient(std::vector<RemoteOutcome> outcomes) : outcomes_(std::move(outcomes)) {}
  RemoteAnswer infer(const oip::InferRequest&, Deadline) override {
    RemoteAnswer answer;
    answer.outcome = outcomes_.at(calls++);
    answer.retry_after_us = retry_after_us;
    return answer;
  }
  Result<double> ping(Deadline) override { return 1.0; }
  Result<oip::ServerMetadata> server(Deadline) override { return oip::ServerMetadata(); }
  Result<oip::ModelMetadata> model(const std::string&, const std::string&, Deadline) override {
    return unsupported("none");
  }
  Result<std::vector<std::string>> ready_models(Deadline) override { return unsupported("none"); }
  size_t calls = 0;
  double retry_after_us = 0;

 private:
  std::vector<RemoteOutcome> outcomes_;
};

RemoteAnswer retried(ScriptedClient& client, std::chrono::milliseconds time) {
  std::mt19937_64 random(1);
  return infer_with_retries(client, {}, Clock::now() + time, {4, 10, 100}, random);
}

TEST(Retry, OnlyWhatMayHelpIsRepeated) {
  using enum RemoteOutcome;
  ScriptedClient busy({kBusy, kUnreachable, kAnswered});
  EXPECT_TRUE(retried(busy, std::chrono::seconds(10)).ok());
  EXPECT_EQ(busy.calls, 3U);
  ScriptedClient refused({kRefused});
  EXPECT_EQ(retried(refused, std::chrono::seconds(10)).outcome, kRefused);
  EXPECT_EQ(refused.calls, 1U);
  ScriptedClient late({kTimedOut});
  EXPECT_EQ(retried(late, std::chrono::seconds(10)).outcome, kTimedOut);
  ScriptedClient gone({kUnreachable, kUnreachable, kUnreachable, kUnreachable});
  const RemoteAnswer answer = retried(gone, std::chrono::seconds(10));
  EXPECT_EQ(answer.outcome, kUnreachable);
  EXPECT_EQ(answer.attempts, 4);
}

TEST(Retry, NobodyWaitsBeyondTheDeadline) {
  ScriptedClient busy({RemoteOutcome::kBusy});
  busy.retry_after_us = 60e6;
  EXPECT_EQ(retried(busy, std::chrono::seconds(1)).outcome, RemoteOutcome::kBusy);
  EXPECT_EQ(busy.calls, 1U);
}

TEST(Connection, AClosedPortIsUnreachable) {
  const auto address = parse_server_address("http://127.0.0.1:1");
  auto client = open_http_client(*address);
  ASSERT_TRUE(client.ok());
  const auto answer = (*client)->infer({}, Clock::now() + std::chrono::seconds(10));
  EXPECT_EQ(answer.outcome, RemoteOutcome::kUnreachable);
  EXPECT_NE(answer.message.find("127.0.0.1:1"), std::string::npos) << answer.message;
}

TEST(LinkMonitor, GoesDownAndComesBack) {
  LinkMonitor monitor;
  EXPECT_FALSE(monitor.wants_assessment(0, true));
  monitor.failed(RemoteOutcome::kTimedOut);
  EXPECT_TRUE(monitor.is_up());
  EXPECT_TRUE(monitor.wants_assessment(0, true));
  monitor.failed(RemoteOutcome::kTimedOut);
  EXPECT_FALSE(monitor.is_up());
  monitor.assessment_begins(1e6);
  EXPECT_FALSE(monitor.wants_assessment(9e6, true));
  monitor.assessment_ended(2e6, false);
  EXPECT_FALSE(monitor.is_up());
  EXPECT_FALSE(monitor.wants_assessment(2e6, true));
  EXPECT_TRUE(monitor.wants_assessment(2.3e6, true));
  monitor.assessment_begins(2.3e6);
  monitor.assessment_ended(2.4e6, true);
  EXPECT_TRUE(monitor.is_up());
  EXPECT_FALSE(monitor.wants_assessment(2.5e6, true));
}

TEST(LinkMonitor, AnUnusedLinkIsLookedAtNowAndThen) {
  const LinkMonitor monitor;
  EXPECT_FALSE(monitor.wants_assessment(0.9e6, false));
  EXPECT_TRUE(monitor.wants_assessment(1.1e6, false));
  EXPECT_FALSE(monitor.wants_assessment(9e6, true));
}

TEST(LinkMonitor, AnswersThatTakeLongerWantANewLook) {
  LinkMonitor monitor;
  monitor.answered(10, 10);
  EXPECT_FALSE(monitor.wants_assessment(0, true));
  monitor.answered(30, 10);
  monitor.answered(30, 10);
  EXPECT_TRUE(monitor.wants_assessment(0, true));
  EXPECT_TRUE(monitor.is_up());
}

}  // namespace
}  // namespace edgewright
