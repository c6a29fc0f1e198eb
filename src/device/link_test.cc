#include "device/link.h"

#include <gtest/gtest.h>

#include <cmath>

#include "device/catalogue.h"
#include "device/link_trace.h"

namespace edgewright {
namespace {

// A spreadsheet's way: 250 x 0.85 x 0.6 x 0.6 = 76.5 Mbit/s up, so a million bytes take 104.575 ms;
// 100 km at 200,000 km/s 0.5 ms; a packet 1,500 x 8 / 76.5 = 0.15686 ms, and 0.4 / 0.6 of it waits.
TEST(Link, MegabyteOver5gIsAsInASpreadsheet) {
  const auto link = load_link("5g");
  ASSERT_TRUE(link.ok()) << link.error().message;
  EXPECT_NEAR(link->uplink.effective_mbit_s(), 76.5, 1e-9);
  const LinkDelay delay = uplink_delay(*link, 1e6);
  EXPECT_NEAR(delay.transmission_ms, 8000 / 76.5, 1e-9);
  EXPECT_NEAR(delay.propagation_ms, 0.5, 1e-12);
  EXPECT_NEAR(delay.queueing_ms, 2.0 / 3 * 12 / 76.5, 1e-9);
  EXPECT_NEAR(delay.access_ms, 4, 1e-12);
  EXPECT_NEAR(delay.processing_ms, 3, 1e-12);
  EXPECT_NEAR(delay.total_ms(), 104.57516 + 0.5 + 0.10458 + 4 + 3, 1e-4);
}

TEST(Link, CatalogueReadsAndWritesBack) {
  const auto names = catalogue_names("links");
  ASSERT_GE(names.size(), 7U);
  for (const std::string& name : names) {
    const auto link = load_link(name);
    ASSERT_TRUE(link.ok()) << link.error().message;
    EXPECT_EQ(link->name, name);
    const std::string text = link_to_toml(*link);
    const auto again = parse_link(text, "again");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(link_to_toml(*again), text);
    EXPECT_EQ(round_trip_ms(*again), round_trip_ms(*link));
  }
}

TEST(Link, GuaranteeIsAFloor) {
  LinkDirection direction;
  direction.theoretical_mbit_s = 100;
  direction.congestion = 0.1;
  EXPECT_DOUBLE_EQ(direction.effective_mbit_s(), 10);
  direction.guaranteed_mbit_s = 25;
  EXPECT_DOUBLE_EQ(direction.effective_mbit_s(), 25);
}

// Huang et al. 2012: sending at r Mbit/s draws 438.39 r + 1288.04 mW.
TEST(Link, RadioEnergyFollowsTheMeasuredLine) {
  const auto link = load_link("4g");
  ASSERT_TRUE(link.ok());
  const double rate = 50 * 0.85 * 0.5 * 0.6;
  EXPECT_NEAR(send_energy_mj(*link, 1e6), (438.39 * rate + 1288.04) * 8 / rate, 1e-6);
  EXPECT_EQ(send_energy_mj(plain_link(10, 0), 1e6), 0);
}

TEST(Link, SamplesHaveTheMeansOfTheLink) {
  const auto link = load_link("4g");
  ASSERT_TRUE(link.ok());
  std::mt19937_64 random(1);
  double rate = 0, square = 0, round_trip = 0;
  const int count = 200000;
  for (int i = 0; i < count; ++i) {
    const LinkState state = sample_state(*link, random);
    rate += state.uplink_mbit_s / count;
    square += state.uplink_mbit_s * state.uplink_mbit_s / count;
    round_trip += state.round_trip_ms / count;
  }
  EXPECT_NEAR(rate, link->uplink.effective_mbit_s(), 0.01 * rate);
  EXPECT_NEAR(std::sqrt(square - rate * rate) / rate, link->bandwidth_cv, 0.01);
  // Queueing time is convex in the rate, so its mean lies a little above that of the mean rate.
  EXPECT_GE(round_trip, round_trip_ms(*link) - 0.1);
  EXPECT_LE(round_trip, 1.05 * round_trip_ms(*link));
}

TEST(Link, RefusesBadFilesWithTheirPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"name = \"a\"\nsource = \"b\"\n", "uplink"},
      {"name = 3\n", "name"},
      {"name = \"a\"\nsource = \"b\"\n[uplink]\ntheoretical_mbit_s = -1.0\n", "theoretical_mbit_s"},
      {"name = \"a\"\nsource = \"b\"\nutilisation = 1.0\n", "utilisation"},
      {"name = \"a\"\nsource = \"b\"\ncolour = 1\n[uplink]\ntheoretical_mbit_s = 1.0\n[downlink]\n"
       "theoretical_mbit_s = 1.0\n",
       "colour"},
  };
  for (const auto& [text, place] : cases) {
    const auto link = parse_link(text, "bad.toml");
    ASSERT_FALSE(link.ok()) << text;
    EXPECT_EQ(link.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(link.error().message.find(place), std::string::npos) << link.error().message;
  }
  const auto unknown = load_link("7g");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUsage);
  EXPECT_NE(unknown.error().message.find("wifi6"), std::string::npos);
}

TEST(LinkTrace, DeliversInOrderAndWrapsRound) {
  const auto trace = parse_link_trace("2\n2\n5\n10\n", "t");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  // Four opportunities in 10 ms.
  EXPECT_DOUBLE_EQ(trace->mean_mbit_s(), 4 * 1500 * 8e-3 / 10);
  EXPECT_EQ(delivered_ms(*trace, 0, 1), 2);
  EXPECT_EQ(delivered_ms(*trace, 0, 3000), 2);
  EXPECT_EQ(delivered_ms(*trace, 0, 3001), 5);
  EXPECT_EQ(delivered_ms(*trace, 3, 1500), 5);
  EXPECT_EQ(delivered_ms(*trace, 6, 3000), 12);
  EXPECT_EQ(delivered_ms(*trace, 25, 1), 25);
  EXPECT_EQ(delivered_ms(*trace, 0, 4 * 1500 * 3), 30);
  EXPECT_DOUBLE_EQ(mbit_s_at(*trace, 0, 10), 3 * 1500 * 8e-3 / 10);
}

TEST(LinkTrace, RefusesWhatIsNoTrace) {
  for (const char* text : {"", "0\n", "1\nx\n", "5\n4\n", "-1\n", "1 2\n"}) {
    const auto trace = parse_link_trace(text, "t");
    ASSERT_FALSE(trace.ok()) << text;
    EXPECT_EQ(trace.error().kind, ErrorKind::kBadInput);
  }
}

}  // namespace
}  // namespace edgewright
