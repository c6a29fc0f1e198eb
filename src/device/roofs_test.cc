#include "device/roofs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probe.h"
#include "device/roofs_file.h"

namespace edgewright {
namespace {

Roofs sample() {
  Roofs roofs;
  roofs.device = "a machine";
  roofs.source = "measured";
  roofs.cores = 2;
  roofs.is_measured = true;
  MemoryRoof cache;
  cache.name = "L1";
  cache.size_bytes = 32768;
  cache.read_gb_s = {300, 0.01};
  cache.read_all_gb_s = {600, 0.02};
  MemoryRoof main;
  main.name = "DRAM";
  main.is_shared = true;
  main.read_gb_s = {16, 0.01};
  main.read_all_gb_s = {30, 0.01};
  roofs.memory = {cache, main};
  roofs.compute = {{"float32", "vector", {240, 0.01}, {480, 0.01}},
                   {"int8", "vector", {960, 0.01}, {1900, 0.01}},
                   {"int8", "tile", {7000, 0.01}, {14000, 0.01}}};
  roofs.dispatch = {{2, {0.7, 0.1}}};
  return roofs;
}

TEST(Roofs, TheQuickestUnitOfATypeCounts) {
  const Roofs roofs = sample();
  EXPECT_EQ(find_compute_roof(roofs, "int8")->unit, "tile");
  EXPECT_EQ(find_compute_roof(roofs, "float16")->type, "float32");
  EXPECT_EQ(find_compute_roof(Roofs(), "float32"), nullptr);
}

TEST(Roofs, ComeBackFromTheirFileAsTheyWere) {
  const Roofs roofs = sample();
  const auto read = parse_roofs_json(roofs_to_json(roofs), "roofs.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(roofs_to_json(*read), roofs_to_json(roofs));
  EXPECT_EQ(parse_roofs_json("{}", "f").error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(parse_roofs_json(R"({"schema": "edgewright.roofs/1"})", "f").error().kind,
            ErrorKind::kBadInput);
}

TEST(Roofs, AProbedMachineIsADeviceWithTheSameRoofs) {
  ProbeResult probed;
  probed.roofs = sample();
  probed.topology.cpu_model = "a machine";
  probed.topology.memory_bytes = 1 << 30;
  probed.topology.features = {"avx2", "fma"};
  probed.frequency_mhz = {3000, 0};
  const Device device = device_of(probed, "host");
  const auto status = check_device(device);
  ASSERT_TRUE(status.ok()) << status.error().message;
  const auto parsed = parse_device(device_to_toml(device), "host.toml");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto roofs = roofs_of(*parsed);
  ASSERT_TRUE(roofs.ok()) << roofs.error().message;
  EXPECT_DOUBLE_EQ(find_compute_roof(*roofs, "float32")->all_gop_s.value, 480);
  EXPECT_DOUBLE_EQ(roofs->memory.back().read_all_gb_s.value, 30);
  EXPECT_EQ(roofs->memory.front().name, "L1");
  for (size_t i = 0; i < roofs->memory.size(); ++i) {
    const MemoryRoof &read = roofs->memory[i], &made = probed.roofs.memory[i];
    EXPECT_DOUBLE_EQ(read.write_all_gb_s.value, made.write_all_gb_s.value);
    EXPECT_DOUBLE_EQ(read.copy_all_gb_s.value, made.copy_all_gb_s.value);
  }
  ASSERT_EQ(roofs->dispatch.size(), 1U);
  EXPECT_DOUBLE_EQ(roofs->dispatch[0].dispatch_us.value, 0.7);
  EXPECT_EQ(parsed->clusters[0].instruction_sets, probed.topology.features);
}

TEST(Roofs, ADeviceWithoutPeaksHasNoRoofline) {
  Device device;
  device.name = "mute";
  device.clusters.push_back({"core", {0}});
  const auto roofs = roofs_of(device);
  ASSERT_FALSE(roofs.ok());
  EXPECT_EQ(roofs.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(roofs.error().message, testing::HasSubstr("clusters.peaks"));
}

// Loops that do nothing but count: the probe has to come to an end with any timing.
float no_read(const float*, size_t, int, size_t) { return 0; }
void no_write(float*, size_t, bool, size_t) {}
void no_copy(const float*, float*, size_t, size_t) {}
void no_work(size_t rounds) {
  for (size_t i = 0; i < rounds; ++i) asm volatile("");
}

TEST(Probe, RefusesANoisyMachine) {
  const ProbeKernels kernels{no_read, no_write, no_copy, {{"float32", "vector", 1, no_work}}};
  ProbeOptions options;
  options.seconds = 0.05;
  options.repetitions = 3;
  options.main_memory_bytes = 1 << 20;
  options.largest_compute_spread = -1;
  const auto probed = probe_host(kernels, options);
  ASSERT_FALSE(probed.ok());
  EXPECT_EQ(probed.error().kind, ErrorKind::kCheckFailed);
  EXPECT_THAT(probed.error().message, testing::HasSubstr("too noisy"));
  options.largest_compute_spread = options.largest_memory_spread = 1e9;
  const auto accepted = probe_host(kernels, options);
  ASSERT_TRUE(accepted.ok()) << accepted.error().message;
  EXPECT_EQ(accepted->roofs.memory.back().name, "DRAM");
  EXPECT_FALSE(accepted->roofs.compute.empty());
}

}  // namespace
}  // namespace edgewright
