#include "device/calibrate.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "device/energy_model.h"

namespace edgewright {
namespace {

constexpr size_t kMaxSamples = 100'000;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size();
}

bool plausible(const PowerSample& sample) {
  return sample.cpu >= 0 && sample.cpu < 4096 && sample.frequency_khz > 0 &&
         sample.frequency_khz <= 100'000'000 && std::isfinite(sample.power_mw) &&
         sample.power_mw > 0 && sample.power_mw < 1e6 && std::isfinite(sample.speed) &&
         sample.speed >= 0;
}

struct Measured {
  double power_uw, frequency_v2, volts;  // MHz V^2
  int64_t frequency_khz;
};

double mean_relative_error(const std::vector<Measured>& rows, double dynamic, double fixed) {
  double sum = 0;
  for (const Measured& row : rows) {
    const double model = dynamic * row.frequency_v2 + fixed * row.volts;
    sum += std::fabs(model - row.power_uw) / row.power_uw;
  }
  return sum / static_cast<double>(rows.size());
}

using Fit = std::pair<double, double>;  // C, k

// Least absolute relative deviations: the C and k of least mean |C f V^2 + k V - P| / P, not
// negative. An optimum of this linear programme lies where two of its lines meet: two rows that are
// met exactly, or one row and a bound. So every such place is looked at; tables are small. Large
// ones are thinned, which only moves the optimum.
Fit fit_dynamic_and_static(const std::vector<Measured>& rows) {
  constexpr size_t kMostRows = 256;
  const size_t stride = (rows.size() + kMostRows - 1) / kMostRows;
  Fit best{0, 0};
  double least = HUGE_VAL;
  const auto look_at = [&](double dynamic, double fixed) {
    if (!(dynamic >= 0 && fixed >= 0)) return;
    const double error = mean_relative_error(rows, dynamic, fixed);
    if (error < least) {
      least = error;
      best = {dynamic, fixed};
    }
  };
  for (size_t i = 0; i < rows.size(); i += stride) {
    const Measured& a = rows[i];
    look_at(a.power_uw / a.frequency_v2, 0);
    look_at(0, a.power_uw / a.volts);
    for (size_t j = i + stride; j < rows.size(); j += stride) {
      const Measured& b = rows[j];
      const double determinant = a.frequency_v2 * b.volts - b.frequency_v2 * a.volts;
      if (std::fabs(determinant) < 1e-12 * a.frequency_v2 * b.volts) continue;
      look_at((a.power_uw * b.volts - b.power_uw * a.volts) / determinant,
              (b.power_uw * a.frequency_v2 - a.power_uw * b.frequency_v2) / determinant);
    }
  }
  return best;
}

// Far from what all others agree on: something else ran while they were measured.
constexpr double kOutlier = 0.25;

class Calibrator {
 public:
  Calibrator(const VoltageTable& voltages, double suspicious_ratio, const std::string& source)
      : voltages_(voltages), suspicious_ratio_(suspicious_ratio), source_(source) {}

  ClusterFit fit(Cluster& cluster, const std::vector<PowerSample>& samples) {
    ClusterFit fit;
    fit.cluster = cluster.name;
    fit.first_cpu = cluster.cpus.front();
    fit.points = std::ssize(samples);
    fit.stated_coefficient = cluster.dynamic_coefficient;
    for (const PowerSample& sample : samples) insert(cluster, sample);
    const std::vector<Measured> rows = measured_rows(cluster, samples);
    fit.table_only = rows.size() < 2;
    if (fit.table_only) {
      carry_table(cluster, samples);
    } else {
      carry_fit(cluster, rows, fit);
    }
    mark_inefficient(cluster);
    return fit;
  }

 private:
  void insert(Cluster& cluster, const PowerSample& sample) const {
    auto& points = cluster.operating_points;
    auto at =
        std::ranges::lower_bound(points, sample.frequency_khz, {}, &OperatingPoint::frequency_khz);
    if (at == points.end() || at->frequency_khz != sample.frequency_khz) {
      at = points.insert(at, {.frequency_khz = sample.frequency_khz});
    }
    const auto voltage = voltages_.find({sample.cpu, sample.frequency_khz});
    if (voltage != voltages_.end()) at->voltage_uv = voltage->second;
  }

  static const OperatingPoint& point_of(const Cluster& cluster, const PowerSample& sample) {
    return *std::ranges::lower_bound(cluster.operating_points, sample.frequency_khz, {},
                                     &OperatingPoint::frequency_khz);
  }

  static std::vector<Measured> measured_rows(const Cluster& cluster,
                                             const std::vector<PowerSample>& samples) {
    std::vector<Measured> rows;
    for (const PowerSample& sample : samples) {
      const double volts = static_cast<double>(point_of(cluster, sample).voltage_uv) * 1e-6;
      const double megahertz = static_cast<double>(sample.frequency_khz) * 1e-3;
      if (volts > 0) {
        rows.push_back(
            {sample.power_mw * 1e3, megahertz * volts * volts, volts, sample.frequency_khz});
      }
    }
    return rows;
  }

  void carry_table(Cluster& cluster, const std::vector<PowerSample>& samples) const {
    for (const PowerSample& sample : samples) {
      const_cast<OperatingPoint&>(point_of(cluster, sample)).power_uw =
          std::llround(sample.power_mw * 1e3);
    }
    cluster.power_source = "the measured table of " + source_;
  }

  void carry_fit(Cluster& cluster, const std::vector<Measured>& rows, ClusterFit& fit) const {
    for (const Measured& row : rows) fit.coefficient += row.power_uw / row.frequency_v2;
    fit.coefficient /= static_cast<double>(rows.size());
    fit.coefficient_error = mean_relative_error(rows, fit.coefficient, 0);
    std::tie(fit.dynamic_coefficient, fit.static_uw_per_v) = fit_dynamic_and_static(rows);
    fit.error = mean_relative_error(rows, fit.dynamic_coefficient, fit.static_uw_per_v);
    std::vector<Measured> sound;
    for (const Measured& row : rows) {
      if (mean_relative_error({row}, fit.dynamic_coefficient, fit.static_uw_per_v) <= kOutlier) {
        sound.push_back(row);
      } else {
        fit.outliers_khz.push_back(row.frequency_khz);
      }
    }
    if (!sound.empty()) {
      fit.error_without_outliers =
          mean_relative_error(sound, fit.dynamic_coefficient, fit.static_uw_per_v);
    }
    const double ratio = fit.stated_coefficient / fit.coefficient;
    fit.suspicious =
        fit.stated_coefficient > 0 && (ratio > suspicious_ratio_ || ratio < 1 / suspicious_ratio_);
    cluster.dynamic_coefficient = fit.dynamic_coefficient;
    cluster.static_uw_per_v = fit.static_uw_per_v;
    cluster.power_source = "C f V^2 + k V fitted to " + source_;
    for (OperatingPoint& point : cluster.operating_points) {
      if (point.voltage_uv > 0) point.power_uw = std::llround(modelled_power_uw(cluster, point));
    }
  }

  const VoltageTable& voltages_;
  const double suspicious_ratio_;
  const std::string& source_;
};

}  // namespace

Result<std::vector<PowerSample>> parse_power_samples(std::string_view text, std::string_view file) {
  std::vector<PowerSample> samples;
  std::map<std::string, size_t> column;
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto cells = split(line, ',');
    if (column.empty()) {
      for (size_t i = 0; i < cells.size(); ++i) column.emplace(std::string(cells[i]), i);
      for (const char* name : {"CPU", "Frequency (kHz)", "Power (mW)"}) {
        if (!column.contains(name)) {
          return bad_input("{}:{}: no column '{}'; expected a table of freqbench", file, number,
                           name);
        }
      }
      continue;
    }
    const auto cell = [&](const char* name) {
      const auto at = column.find(name);
      return at == column.end() || at->second >= cells.size() ? std::string_view()
                                                              : cells[at->second];
    };
    PowerSample sample;
    const std::string_view speed = cell("CoreMarks (iter/s)");
    const bool read = parse_number(cell("CPU"), sample.cpu) &&
                      parse_number(cell("Frequency (kHz)"), sample.frequency_khz) &&
                      parse_number(cell("Power (mW)"), sample.power_mw) &&
                      (speed.empty() || parse_number(speed, sample.speed));
    if (!read || !plausible(sample)) {
      return bad_input("{}:{}: expected a CPU, a frequency in kHz and a power in mW above 0", file,
                       number);
    }
    if (samples.size() == kMaxSamples) {
      return bad_input("{}:{}: expected at most {} rows", file, number, kMaxSamples);
    }
    samples.push_back(sample);
  }
  if (samples.empty()) return bad_input("{}: no rows", file);
  return samples;
}

Result<VoltageTable> parse_voltages(std::string_view text, std::string_view file) {
  VoltageTable out;
  std::string words(text);
  std::ranges::replace_if(words, [](char letter) { return letter == '\n' || letter == '\t'; }, ' ');
  for (const std::string_view word : split(words, ' ')) {
    if (word.empty()) continue;
    int64_t cpu = 0, frequency_khz = 0, microvolt = 0;
    const size_t dot = word.find('.'), equals = word.find('=');
    const bool read = dot != std::string_view::npos && equals != std::string_view::npos &&
                      dot < equals && parse_number(word.substr(0, dot), cpu) &&
                      parse_number(word.substr(dot + 1, equals - dot - 1), frequency_khz) &&
                      parse_number(word.substr(equals + 1), microvolt);
    if (!read || microvolt <= 0 || microvolt > 10'000'000 || out.size() == kMaxSamples) {
      return bad_input("{}: found '{}', expected CPU.KHZ=UV words such as 1.300000=600000", file,
                       word.substr(0, 40));
    }
    out[{cpu, frequency_khz}] = microvolt;
  }
  return out;
}

Result<Calibration> calibrate(Device device, const std::vector<PowerSample>& samples,
                              const VoltageTable& voltages, double suspicious_ratio,
                              const std::string& source) {
  Calibration out;
  std::vector<std::vector<PowerSample>> of_cluster(device.clusters.size());
  for (const PowerSample& sample : samples) {
    const auto found = std::ranges::find_if(device.clusters, [&](const Cluster& cluster) {
      return std::ranges::find(cluster.cpus, sample.cpu) != cluster.cpus.end();
    });
    if (found == device.clusters.end()) {
      return bad_input("the measurements have CPU {}, which '{}' lacks; is it the same device?",
                       sample.cpu, device.name);
    }
    of_cluster[static_cast<size_t>(found - device.clusters.begin())].push_back(sample);
  }
  Calibrator calibrator(voltages, suspicious_ratio, source);
  for (size_t i = 0; i < device.clusters.size(); ++i) {
    Cluster& cluster = device.clusters[i];
    if (of_cluster[i].empty()) {
      out.warnings.push_back(fmt::format("cluster {} was not measured", cluster.name));
      continue;
    }
    const ClusterFit fit = calibrator.fit(cluster, of_cluster[i]);
    if (fit.suspicious) {
      out.warnings.push_back(fmt::format(
          "cluster {} of CPU {}: the stated coefficient {:g} is suspicious; the measurements give "
          "{:.1f}",
          fit.cluster, fit.first_cpu, fit.stated_coefficient, fit.coefficient));
    }
    if (!fit.outliers_khz.empty()) {
      out.warnings.push_back(fmt::format(
          "cluster {} of CPU {}: {} of {} measurements are more than {:.0f} % off the fit (first "
          "at {} kHz); did something else run meanwhile? the others are met within {:.1f} %",
          fit.cluster, fit.first_cpu, fit.outliers_khz.size(), fit.points, kOutlier * 100,
          fit.outliers_khz.front(), fit.error_without_outliers * 100));
    }
    if (fit.table_only) {
      out.warnings.push_back(fmt::format(
          "cluster {} of CPU {}: no voltages, so nothing is fitted; the device carries the "
          "measured table",
          fit.cluster, fit.first_cpu));
    }
    out.fits.push_back(fit);
  }
  out.device = std::move(device);
  return out;
}

}  // namespace edgewright
