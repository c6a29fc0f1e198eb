#include "device/device.h"

#include <gtest/gtest.h>

#include "device/catalogue.h"

namespace edgewright {
namespace {

constexpr std::string_view kSmall = R"(name = "board"
[[clusters]]
name = "arm,cortex-a55"
cpus = [0, 1]
operating_points = [{ frequency_khz = 300000, power_uw = 12 }, { frequency_khz = 600000 }]
)";

TEST(DeviceFile, WritesWhatItReads) {
  const auto device = parse_device(kSmall, "board.toml");
  ASSERT_TRUE(device.ok()) << device.error().message;
  EXPECT_EQ(device->clusters.at(0).operating_points.at(0).power_uw, 12);
  const std::string text = device_to_toml(*device);
  const auto again = parse_device(text, "again.toml");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(device_to_toml(*again), text);
}

struct Bad {
  std::string from, to, message;  // an edit of kSmall and a part of what is said about it
};
class DeviceFileRefuses : public testing::TestWithParam<Bad> {};
TEST_P(DeviceFileRefuses, WithPlaceAndRemedy) {
  std::string text(kSmall);
  text.replace(text.find(GetParam().from), GetParam().from.size(), GetParam().to);
  const auto device = parse_device(text, "board.toml");
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(device.error().message.find(GetParam().message), std::string::npos)
      << device.error().message;
}
INSTANTIATE_TEST_SUITE_P(
    , DeviceFileRefuses,
    testing::Values(
        Bad{"name = \"board\"", "name = \"board", "board.toml:1:"},
        Bad{"name = \"board\"", "nmae = \"board\"", "the key 'name' is missing"},
        Bad{"power_uw = 12", "power = 12",
            "clusters[0].operating_points[0]: found the key 'power'"},
        Bad{"power_uw = 12", "power_uw = \"12\"", "operating_points[0].power_uw: found \"12\""},
        Bad{"power_uw = 12", "power_uw = 1.5", "a whole number"},
        Bad{"power_uw = 12", "power_uw = -1", "found -1"}, Bad{"300000", "700000", "ascending"},
        Bad{"[0, 1]", "[0, 0]", "CPU 0 stands twice"}, Bad{"[0, 1]", "[]", "has no CPUs"}));

TEST(DeviceFile, RefusesFilesThatAreTooLong) {
  const auto device = parse_device(std::string(kMaxDeviceFileBytes + 1, '#'), "board.toml");
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().kind, ErrorKind::kBadInput);
}

TEST(DeviceFile, RefusesLinksToNowhere) {
  std::string text(kSmall);
  text +=
      "[thermal_network]\nnodes = [{ name = \"die\", capacity_j_per_k = 1.0 }]\n"
      "links = [{ from = \"die\", to = \"case\", conductance_w_per_k = 1.0 }]\n";
  const auto device = parse_device(text, "board.toml");
  ASSERT_FALSE(device.ok());
  EXPECT_NE(device.error().message.find("'case'"), std::string::npos) << device.error().message;
}

TEST(Catalogue, EveryDeviceReadsAndWritesItsFile) {
  const auto names = catalogue_names("devices");
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    const auto device = load_device(name);
    ASSERT_TRUE(device.ok()) << device.error().message;
    EXPECT_EQ(device->name, name);
    const auto again = parse_device(device_to_toml(*device), name);
    ASSERT_TRUE(again.ok()) << again.error().message;
  }
}

TEST(Catalogue, NamesTheKnownDevicesForAnUnknownOne) {
  const auto device = load_device("nokia-3310");
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().kind, ErrorKind::kUsage);
  EXPECT_NE(device.error().message.find(catalogue_names("devices").front()), std::string::npos);
}

}  // namespace
}  // namespace edgewright
