#include "targets/device_runtimes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgewright {
namespace {

using testing::ElementsAre;

std::vector<std::string> formats_of(const std::string& name) {
  const auto device = load_device(name);
  EXPECT_TRUE(device.ok()) << name;
  return runtimes_of(*device).network_formats;
}

TEST(DeviceRuntimes, FollowTheMaker) {
  EXPECT_THAT(formats_of("sdm845"), ElementsAre("tflite", "ncnn"));
  EXPECT_THAT(formats_of("rk3588"), ElementsAre("tflite", "ncnn"));
  EXPECT_THAT(formats_of("jetson-nano"), ElementsAre("tensorrt"));
  EXPECT_THAT(formats_of("m1"), ElementsAre("coreml"));
}

TEST(DeviceRuntimes, OthersAreX86) {
  Device device;
  device.name = "here";
  EXPECT_THAT(runtimes_of(device).network_formats, ElementsAre("openvino"));
  EXPECT_FALSE(runtimes_of(device).why.empty());
}

}  // namespace
}  // namespace edgewright
