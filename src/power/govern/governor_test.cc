#include "power/govern/governor.h"

#include <gtest/gtest.h>

#include "power/govern/fake_files_for_test.h"

namespace edgewright {
namespace {

constexpr LanguageShape kSmall{.hidden = 256,
                               .layers = 8,
                               .heads = 4,
                               .kv_heads = 2,
                               .head_size = 64,
                               .feed_forward = 704,
                               .vocabulary = 6144};

// Changes its mind every time, so that every round writes.
class Alternating : public Policy {
 public:
  explicit Alternating(const Machine& machine) : setting_(machine.big_cores()) {}
  std::string_view name() const override { return "alternating"; }
  Decision decide(const Observation& /*seen*/) override {
    for (ClusterSetting& used : setting_.clusters) used = {1, used.point == 0 ? 3U : 0U};
    return {.setting = setting_};
  }

 private:
  Setting setting_;
};

class GovernorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = load_device("sm8250");
    ASSERT_TRUE(device.ok()) << device.error().message;
    device_ = std::move(*device);
    auto machine = Machine::create(device_);
    ASSERT_TRUE(machine.ok()) << machine.error().message;
    machine_ = std::move(*machine);
    load_ = *language_load(kSmall, "int8");
    context_ = {.machine = &*machine_,
                .load = &load_,
                .network = &device_.thermal_network,
                .skin_limit_c = 43};
  }

  // Every write was to a file of the allow-list and within what stands beside it.
  void expect_within_bounds(const FakeFiles& fake, const FakeFiles& before) {
    for (const auto& [path, text] : fake.writes) {
      EXPECT_TRUE(is_knob(path)) << path;
      const std::string folder = path.substr(0, path.rfind('/') + 1);
      if (path.ends_with("/disable")) {
        EXPECT_TRUE(text == "0" || text == "1") << path << " " << text;
        continue;
      }
      if (path.ends_with("/cur_state")) {
        EXPECT_GE(std::stoll(text), 0);
        EXPECT_LE(std::stoll(text), std::stoll(before.files.at(folder + "max_state")));
        continue;
      }
      const bool memory = path.find("devfreq") != std::string::npos;
      const char* low = memory ? "min_freq" : "cpuinfo_min_freq";
      const char* high = memory ? "max_freq" : "cpuinfo_max_freq";
      EXPECT_GE(std::stoll(text), std::stoll(before.files.at(folder + low)));
      EXPECT_LE(std::stoll(text), std::stoll(before.files.at(folder + high)));
    }
  }

  Device device_;
  std::optional<Machine> machine_;
  LanguageLoad load_;
  PolicyContext context_;
};

TEST_F(GovernorTest, ReachesItsSetPointAndPutsEverythingBack) {
  FakeFiles fake = FakeFiles::phone();
  const auto before = fake.files;
  {
    Knobs knobs(fake);
    const auto policy = phase_aware_policy(context_, {.slack = 1.2});
    Governor governor(fake, knobs, *policy, *machine_, device_, nullptr);
    governor.step(0, {.phase = Phase::kDecode});
    governor.step(1, {.phase = Phase::kDecode});
    EXPECT_TRUE(governor.reached());
    for (size_t i = 0; i < 3; ++i) {
      const int first[] = {0, 4, 7};
      const ClusterSetting& used = governor.setting().clusters[i];
      const std::string file =
          fmt::format("sys/devices/system/cpu/cpufreq/policy{}/scaling_max_freq", first[i]);
      EXPECT_EQ(fake.files[file],
                fmt::format("{}", machine_->frequency_khz(i, used.cores > 0 ? used.point : 0)));
    }
    EXPECT_NE(fake.files, before);
    EXPECT_TRUE(knobs.restore().ok());
  }
  EXPECT_EQ(fake.files, before);
}

TEST_F(GovernorTest, KeepsMemoryQuickWhileDecodingAndClosesDeepStatesBeforeShortRests) {
  FakeFiles fake = FakeFiles::phone();
  const auto before = fake.files;
  const std::string memory = "sys/class/devfreq/ddr/min_freq";
  const std::string deep = "sys/devices/system/cpu/cpu4/cpuidle/state2/disable";
  {
    Knobs knobs(fake);
    const auto policy = phase_aware_policy(context_, {.slack = 1.2});
    Governor governor(fake, knobs, *policy, *machine_, device_, nullptr);
    governor.step(0, {.phase = Phase::kDecode});
    EXPECT_EQ(fake.files[memory], "2133000000");
    EXPECT_EQ(fake.files[deep], "0");
    // Rests of a microsecond: no deep state pays.
    for (int i = 1; i < 30; ++i) {
      governor.step(i, {.phase = Phase::kIdle});
      governor.step(i + 1e-6, {.phase = Phase::kDecode});
    }
    governor.step(31, {.phase = Phase::kIdle});
    EXPECT_EQ(fake.files[memory], "200000000");
    EXPECT_EQ(fake.files[deep], "1");
    // And of an hour.
    for (int i = 1; i < 30; ++i) {
      governor.step(3600 * i, {.phase = Phase::kDecode});
      governor.step(3600 * i + 1, {.phase = Phase::kIdle});
    }
    EXPECT_EQ(fake.files[deep], "0");
    EXPECT_EQ(fake.files["sys/class/devfreq/gpu/min_freq"], "100");
  }
  EXPECT_EQ(fake.files, before);
}

// A process that only remembers what it was told.
class ToldProcess : public ProcessControl {
 public:
  Status set_affinity(const std::vector<int>& cpus) override {
    told.push_back(cpus);
    return {};
  }
  Status set_clamps(int /*lowest*/, int /*highest*/) override { return {}; }
  std::vector<std::vector<int>> told;
};

class TwoBigCores : public Policy {
 public:
  explicit TwoBigCores(const Machine& machine)
      : setting_{.clusters = std::vector<ClusterSetting>(machine.clusters())} {
    setting_.clusters[1].cores = 2;
  }
  std::string_view name() const override { return "two"; }
  Decision decide(const Observation& /*seen*/) override { return {.setting = setting_}; }

 private:
  Setting setting_;
};

TEST_F(GovernorTest, MovesOnToOtherCoresWhereItIsHot) {
  FakeFiles fake = FakeFiles::phone();
  Knobs knobs(fake);
  TwoBigCores policy(*machine_);
  ToldProcess process;
  Governor governor(fake, knobs, policy, *machine_, device_, &process);
  for (int second = 0; second < 20; ++second) governor.step(second, {});
  EXPECT_EQ(process.told, (std::vector<std::vector<int>>{{4, 5}}));
  fake.files["sys/class/thermal/thermal_zone0/temp"] = "75000";
  for (int second = 20; second < 32; ++second) governor.step(second, {});
  const std::vector<std::vector<int>> expected = {{4, 5}, {5, 6}, {6, 4}, {4, 5}};
  EXPECT_EQ(process.told, expected);
}

// Files that vanish, fail or hold nonsense at every access, once or from then on.
class Faults : public GovernorTest, public testing::WithParamInterface<FakeFiles::Fault> {};
TEST_P(Faults, AtEveryStepAreSurvived) {
  FakeFiles sound = FakeFiles::phone();
  int64_t accesses = 0;
  for (int64_t step = -1; step <= accesses; ++step) {
    for (const bool ever_after : {false, true}) {
      FakeFiles fake = FakeFiles::phone();
      fake.fault = GetParam();
      fake.fail_at = step;
      fake.fail_ever_after = ever_after;
      {
        Knobs knobs(fake);
        Alternating policy(*machine_);
        Governor governor(fake, knobs, policy, *machine_, device_, nullptr);
        for (int round = 0; round < 5; ++round) {
          governor.step(round, {.phase = round % 2 == 0 ? Phase::kDecode : Phase::kPrefill});
        }
        accesses = std::max(accesses, fake.accesses);
        // What failed for a while works again at the end.
        fake.fail_at = -1;
      }
      expect_within_bounds(fake, sound);
      for (const auto& [path, text] : sound.files) {
        EXPECT_EQ(fake.files[path], text) << path << " after a fault at access " << step;
      }
    }
  }
  EXPECT_GT(accesses, 50);
}
INSTANTIATE_TEST_SUITE_P(, Faults,
                         testing::Values(FakeFiles::Fault::kVanish, FakeFiles::Fault::kIo,
                                         FakeFiles::Fault::kPermission,
                                         FakeFiles::Fault::kGarbage));

TEST_F(GovernorTest, SaysWhatIsMissingAndGoesOn) {
  FakeFiles fake;
  Knobs knobs(fake);
  const auto policy = phase_aware_policy(context_, {});
  Governor governor(fake, knobs, *policy, *machine_, device_, nullptr);
  for (int round = 0; round < 5; ++round) governor.step(round, {});
  std::string all;
  for (const std::string& warning : governor.warnings()) all += warning + "\n";
  for (const char* part : {"no cpufreq", "no thermal zones", "no energy counter", "no cpuidle"}) {
    EXPECT_NE(all.find(part), std::string::npos) << all;
  }
  EXPECT_EQ(governor.writes(), 0);
}

// A device whose case warms with what the governor lets through: 24 hours in which the temperature
// stays at its limit, nothing creeps, and nothing is written without need.
TEST_F(GovernorTest, HoldsForADayWithoutDrift) {
  FakeFiles fake = FakeFiles::phone();
  const auto before = fake.files;
  Knobs knobs(fake);
  const LanguageLoad load = *language_load({.hidden = 2048,
                                            .layers = 22,
                                            .heads = 32,
                                            .kv_heads = 4,
                                            .head_size = 64,
                                            .feed_forward = 5632,
                                            .vocabulary = 32000},
                                           "int8");
  context_.load = &load;
  context_.skin_limit_c = 38;
  const auto policy = phase_aware_policy(context_, {.can_rest = false});
  Governor governor(fake, knobs, *policy, *machine_, device_, nullptr);
  auto model = ThermalModel::create(device_.thermal_network);
  ASSERT_TRUE(model.ok());
  std::vector<double> temperatures(model->size(), 25), power(model->size(), 0);
  const StepWork work = step_work(load, 1, 128);
  double first_hour_c = 0, last_hour_c = 0, hottest_c = 0;
  constexpr int kRounds = 24 * 3600;
  for (int round = 0; round < kRounds; ++round) {
    governor.step(round, {.phase = Phase::kDecode});
    double watts =
        machine_->memory_j(work.bytes) / machine_->step_s(work, load.dtype, governor.setting());
    for (size_t i = 0; i < 3; ++i) {
      if (governor.setting().clusters[i].cores > 0) {
        watts += machine_->busy_w(i, governor.setting().clusters[i], temperatures[0]);
      }
    }
    power[0] = watts;
    power[1] = machine_->platform_w();
    model->step(temperatures, power, 25, 1);
    fake.files["sys/class/thermal/thermal_zone0/temp"] =
        fmt::format("{}", std::lround(temperatures[0] * 1000));
    fake.files["sys/class/thermal/thermal_zone1/temp"] =
        fmt::format("{}", std::lround(temperatures[2] * 1000));
    hottest_c = std::max(hottest_c, temperatures[2]);
    if (round >= 3600 && round < 7200) first_hour_c += temperatures[2] / 3600;
    if (round >= kRounds - 3600) last_hour_c += temperatures[2] / 3600;
  }
  EXPECT_LE(hottest_c, 38.5);
  EXPECT_NEAR(last_hour_c, first_hour_c, 0.2);
  EXPECT_TRUE(governor.reached());
  for (const auto& [path, text] : before) {
    if (!path.ends_with("temp")) continue;
    fake.files[path] = text;
  }
  EXPECT_TRUE(knobs.restore().ok());
  EXPECT_EQ(fake.files, before);
}

// A kernel without cpufreq's files, but with its cooling devices: they slow the clusters down.
TEST_F(GovernorTest, SlowsDownByCoolingDevicesWhereFrequenciesCannotBeSet) {
  FakeFiles fake = FakeFiles::phone();
  std::erase_if(fake.files,
                [](const auto& file) { return file.first.find("cpufreq/") != std::string::npos; });
  const auto cooler = [&fake](int index, const char* type, int most) {
    const std::string folder = fmt::format("sys/class/thermal/cooling_device{}/", index);
    fake.files[folder + "type"] = type;
    fake.files[folder + "cur_state"] = "0";
    fake.files[folder + "max_state"] = fmt::format("{}", most);
    return folder + "cur_state";
  };
  const std::string little = cooler(0, "cpufreq-cpu0", 15), fan = cooler(1, "pwm-fan", 3),
                    prime = cooler(2, "thermal-cpufreq-2", 19);
  const auto before = fake.files;
  Alternating policy(*machine_);
  Knobs knobs(fake);
  Governor governor(fake, knobs, policy, *machine_, device_, nullptr);
  governor.step(0, {});
  EXPECT_GT(std::stoi(fake.files[little]), 0);
  EXPECT_GT(std::stoi(fake.files[prime]), std::stoi(fake.files[little]) - 8);
  EXPECT_EQ(fake.files[fan], "0");
  // The cluster between has neither frequencies nor a cooling device.
  EXPECT_FALSE(governor.reached());
  expect_within_bounds(fake, FakeFiles{fake});
  EXPECT_TRUE(knobs.restore().ok());
  EXPECT_EQ(fake.files, before);
}

class Obedient : public ProcessControl {
 public:
  Status set_affinity(const std::vector<int>& cpus) override {
    affinity = cpus;
    return {};
  }
  Status set_clamps(int /*lowest*/, int /*highest*/) override { return {}; }
  std::vector<int> affinity;
};

TEST_F(GovernorTest, ConfinesAProcessThatIsAloneInItsControlGroup) {
  FakeFiles fake = FakeFiles::phone();
  const std::string group = "sys/fs/cgroup/apps/engine.scope";
  fake.files["sys/devices/system/cpu/possible"] = "0-7";
  fake.files["proc/4711/cgroup"] = "1:name=x:/\n0::/apps/engine.scope";
  fake.files[group + "/cpuset.cpus"] = "";
  fake.files[group + "/cgroup.procs"] = "4711";
  const auto before = fake.files;
  Obedient process;
  {
    Alternating policy(*machine_);
    Knobs knobs(fake);
    Governor governor(fake, knobs, policy, *machine_, device_, &process, 4711);
    governor.step(0, {});
    EXPECT_EQ(fake.files[group + "/cpuset.cpus"], "0,4,7");
    EXPECT_EQ(process.affinity, (std::vector<int>{0, 4, 7}));
    EXPECT_TRUE(knobs.restore().ok());
  }
  EXPECT_EQ(fake.files, before);
  // With another process in it the group is left alone.
  fake.files[group + "/cgroup.procs"] = "4711\n4712";
  EXPECT_EQ(cpu_list_of(fake, 4711), "");
}

TEST(Knobs, HoldListsOfCpusWithinThoseOfTheMachine) {
  FakeFiles fake;
  const std::string file = "sys/fs/cgroup/engine/cpuset.cpus";
  fake.files["sys/devices/system/cpu/possible"] = "0-3";
  fake.files[file] = "0-3";
  Knobs knobs(fake);
  EXPECT_EQ(knobs.set_cpus("sys/fs/cgroup/engine/cgroup.procs", {0}).error().kind,
            ErrorKind::kUnsupported);
  EXPECT_FALSE(knobs.set_cpus("sys/fs/cgroup/../../cpuset.cpus", {0}).ok());
  EXPECT_FALSE(knobs.set_cpus(file, {4}).ok());
  EXPECT_FALSE(knobs.set_cpus(file, {}).ok());
  EXPECT_TRUE(fake.writes.empty());
  EXPECT_TRUE(knobs.set_cpus(file, {1, 3}).ok());
  EXPECT_EQ(fake.files[file], "1,3");
  EXPECT_TRUE(knobs.restore().ok());
  EXPECT_EQ(fake.files[file], "0-3");
}

// The kernel may offer more than the device file allows: the narrower bound holds.
TEST(Knobs, KeepFrequenciesWithinTheDeviceFile) {
  FakeFiles fake = FakeFiles::phone();
  const std::string folder = "sys/devices/system/cpu/cpufreq/policy4/";
  fake.files[folder + "cpuinfo_max_freq"] = "9999999";
  const auto device = load_device("sm8250");
  ASSERT_TRUE(device.ok());
  Knobs free(fake), bound(fake, frequency_bounds(*device));
  EXPECT_TRUE(free.set(folder + "scaling_max_freq", 5'000'000).ok());
  EXPECT_EQ(bound.set(folder + "scaling_max_freq", 5'000'000).error().kind, ErrorKind::kBadInput);
  EXPECT_TRUE(bound.set(folder + "scaling_max_freq", 2'419'200).ok());
  // Another machine than the device file is of.
  fake.files[folder + "related_cpus"] = "40-43";
  Knobs stranger(fake, frequency_bounds(*device));
  EXPECT_FALSE(stranger.set(folder + "scaling_max_freq", 2'419'200).ok());
}

TEST(Knobs, RefuseWhatIsNotOnTheListOrOutOfBounds) {
  FakeFiles fake = FakeFiles::phone();
  Knobs knobs(fake);
  EXPECT_EQ(knobs.set("sys/class/thermal/thermal_zone0/temp", 1).error().kind,
            ErrorKind::kUnsupported);
  EXPECT_EQ(
      knobs.set("sys/devices/system/cpu/cpufreq/policy0/../x/scaling_max_freq", 1).error().kind,
      ErrorKind::kUnsupported);
  const std::string file = "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq";
  EXPECT_EQ(knobs.set(file, 2'419'201).error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(knobs.set(file, 710'399).error().kind, ErrorKind::kBadInput);
  EXPECT_TRUE(fake.writes.empty());
  EXPECT_TRUE(knobs.set(file, 710'400).ok());
  EXPECT_TRUE(knobs.set("sys/class/thermal/cooling_device0/cur_state", 16).ok());
  EXPECT_FALSE(knobs.set("sys/class/thermal/cooling_device0/cur_state", 17).ok());
  EXPECT_TRUE(knobs.restore().ok());
  EXPECT_EQ(fake.files[file], "2419200");
}

TEST(EnergyMeter, CountsAcrossWrapsAndSaysHow) {
  FakeFiles fake = FakeFiles::phone();
  const std::string counter = "sys/class/powercap/intel-rapl:0/energy_uj";
  fake.files["sys/class/powercap/intel-rapl:0/max_energy_range_uj"] = "10000000";
  EnergyMeter meter(fake, take_inventory(fake).sources);
  int64_t total = 9'000'000;
  for (int second = 0; second < 10; ++second) {
    fake.files[counter] = fmt::format("{}", total % 10'000'000);
    meter.sample(second);
    total += 3'000'000;
  }
  EXPECT_NEAR(meter.energy_j(), 27, 1e-9);
  EXPECT_EQ(meter.doubtful(), 0);
  EXPECT_NEAR(meter.safe_gap_s(5), 2, 1e-9);
  EXPECT_NE(meter.method().find("energy counter of intel-rapl:0, 1 samples/s over 9 s"),
            std::string::npos)
      << meter.method();
  // 3 W for 4 s exceed 10 J: the counter may have wrapped unseen.
  meter.sample(13);
  EXPECT_EQ(meter.doubtful(), 1);
}

TEST(EnergyMeter, IntegratesVoltsAndAmperes) {
  FakeFiles fake;
  const std::string folder = "sys/class/hwmon/hwmon3/";
  fake.files[folder + "name"] = "ina3221";
  fake.files[folder + "in1_input"] = "5000";
  fake.files[folder + "curr1_input"] = "400";
  EnergyMeter meter(fake, take_inventory(fake).sources);
  meter.sample(0);
  meter.sample(2);
  EXPECT_NEAR(meter.energy_j(), 4, 1e-9);
}

TEST(PhaseHint, ReadsWhatAnEngineWrites) {
  EXPECT_EQ(parse_phase_hint("idle")->phase, Phase::kIdle);
  EXPECT_EQ(parse_phase_hint("prefill 128")->tokens, 128);
  EXPECT_EQ(parse_phase_hint("decode 4 300")->batch, 4);
  EXPECT_FALSE(parse_phase_hint("decode 0").ok());
  EXPECT_FALSE(parse_phase_hint("").ok());
}

TEST(CpuList, ReadsRangesAndNothingElse) {
  EXPECT_EQ(parse_cpu_list("0-2,5"), (std::vector<int>{0, 1, 2, 5}));
  EXPECT_TRUE(parse_cpu_list("3-1").empty());
  EXPECT_TRUE(parse_cpu_list("0-99999999").empty());
}

}  // namespace
}  // namespace edgewright
