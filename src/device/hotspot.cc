#include "device/hotspot.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace edgewright {
namespace {

constexpr double kCapacityFactor = 0.333;
constexpr size_t kMaxBlocks = 256;
constexpr double kSame = 1e-9;  // metres; edges this close touch

struct Block {
  std::string name;
  double width = 0, height = 0, left = 0, bottom = 0;
};
struct Config {
  std::map<std::string, double, std::less<>> values;
  double operator[](std::string_view name) const { return values.find(name)->second; }
};

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return out;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

bool read_number(std::string_view text, double& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size() && std::isfinite(out);
}

template <class Line>
Status for_each_line(std::string_view text, Line line) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto parts = words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!parts.empty() && !parts[0].starts_with('#')) EDGEWRIGHT_TRY(line(number, parts));
  }
  return {};
}

constexpr std::array<std::string_view, 15> kPositive = {
    "t_chip",     "k_chip",     "p_chip",     "r_convec",    "c_convec",
    "s_sink",     "t_sink",     "k_sink",     "p_sink",      "s_spreader",
    "t_spreader", "k_spreader", "p_spreader", "t_interface", "k_interface"};

Result<Config> read_config(std::string_view text, std::string_view file) {
  Config config;
  EDGEWRIGHT_TRY(for_each_line(text, [&](size_t, const auto& parts) -> Status {
    double value = 0;
    if (parts.size() == 2 && parts[0].starts_with('-') && read_number(parts[1], value)) {
      config.values[std::string(parts[0].substr(1))] = value;
    }
    return {};
  }));
  config.values.try_emplace("p_interface", 4e6);  // HotSpot's default
  for (const std::string_view name : kPositive) {
    const auto found = config.values.find(name);
    if (found == config.values.end() || found->second <= 0) {
      return bad_input("{}: expected a line '-{} VALUE' with a value above 0", file, name);
    }
  }
  return config;
}

Result<std::vector<Block>> read_floorplan(std::string_view text, std::string_view file) {
  std::vector<Block> blocks;
  EDGEWRIGHT_TRY(for_each_line(text, [&](size_t number, const auto& parts) -> Status {
    Block block;
    if (parts.size() < 5 || blocks.size() == kMaxBlocks || !read_number(parts[1], block.width) ||
        !read_number(parts[2], block.height) || !read_number(parts[3], block.left) ||
        !read_number(parts[4], block.bottom) || block.width <= 0 || block.height <= 0) {
      return bad_input(
          "{}:{}: expected 'name width height left bottom' in metres, at most {} blocks", file,
          number, kMaxBlocks);
    }
    block.name = parts[0];
    blocks.push_back(std::move(block));
    return {};
  }));
  if (blocks.empty()) return bad_input("{}: no blocks", file);
  return blocks;
}

double resistance(double conductivity, double length, double area) {
  return length / (conductivity * area);
}
double capacity(double heat_per_volume, double thickness, double area) {
  return kCapacityFactor * heat_per_volume * thickness * area;
}

double shared(double a_low, double a_size, double b_low, double b_size) {
  return std::min(a_low + a_size, b_low + b_size) - std::max(a_low, b_low);
}

// North, south, east, west of the die.
constexpr std::array<const char*, 4> kSides = {"north", "south", "east", "west"};
bool along_x(size_t side) { return side >= 2; }

class Builder {
 public:
  Builder(const Config& config, const std::vector<Block>& blocks)
      : config_(config), blocks_(blocks) {
    for (const Block& block : blocks) {
      width_ = std::max(width_, block.left + block.width);
      height_ = std::max(height_, block.bottom + block.height);
    }
  }

  double width() const { return width_; }
  double height() const { return height_; }

  ThermalNetwork build() {
    network_.source = "HotSpot block model";
    for (const Block& block : blocks_) add_block(block);
    for (size_t a = 0; a < blocks_.size(); ++a) {
      for (size_t b = a + 1; b < blocks_.size(); ++b) add_lateral(blocks_[a], blocks_[b]);
    }
    for (size_t side = 0; side < kSides.size(); ++side) add_rim(side);
    return std::move(network_);
  }

 private:
  static constexpr std::array<const char*, 4> kLayers = {"", "iface_", "hsp_", "hsink_"};

  struct Layer {
    double thickness, conductivity, heat;
  };
  Layer layer(size_t index) const {
    const std::array<std::array<std::string_view, 3>, 4> names = {
        {{"t_chip", "k_chip", "p_chip"},
         {"t_interface", "k_interface", "p_interface"},
         {"t_spreader", "k_spreader", "p_spreader"},
         {"t_sink", "k_sink", "p_sink"}}};
    return {config_[names[index][0]], config_[names[index][1]], config_[names[index][2]]};
  }

  void link(const std::string& from, const std::string& to, double resistance_k_per_w) {
    network_.links.push_back({from, to, 1 / resistance_k_per_w});
  }
  // The sink's convection falls to each part by its area.
  double convection(double area) const {
    return config_["r_convec"] * config_["s_sink"] * config_["s_sink"] / area;
  }
  double convection_capacity(double area) const {
    return kCapacityFactor * config_["c_convec"] / (config_["s_sink"] * config_["s_sink"]) * area;
  }

  void add_block(const Block& block) {
    const double area = block.width * block.height;
    for (size_t i = 0; i < kLayers.size(); ++i) {
      const Layer l = layer(i);
      const double c =
          capacity(l.heat, l.thickness, area) + (i == 3 ? convection_capacity(area) : 0);
      network_.nodes.push_back({kLayers[i] + block.name, c});
      const double r = resistance(l.conductivity, l.thickness, area);
      if (i < 3) {
        link(kLayers[i] + block.name, kLayers[i + 1] + block.name, r);
      } else {
        link(kLayers[i] + block.name, "ambient", r + convection(area));
      }
    }
    network_.inlets.push_back({block.name, block.name});
  }

  // Through half of each of two touching blocks, over the edge that they share.
  void add_lateral(const Block& a, const Block& b) {
    const bool beside = std::fabs(a.left + a.width - b.left) < kSame ||
                        std::fabs(b.left + b.width - a.left) < kSame;
    const bool above = std::fabs(a.bottom + a.height - b.bottom) < kSame ||
                       std::fabs(b.bottom + b.height - a.bottom) < kSame;
    const double edge = beside  ? shared(a.bottom, a.height, b.bottom, b.height)
                        : above ? shared(a.left, a.width, b.left, b.width)
                                : 0;
    if (edge < kSame) return;
    const double length = beside ? (a.width + b.width) / 2 : (a.height + b.height) / 2;
    for (size_t i = 0; i < kLayers.size(); ++i) {
      const Layer l = layer(i);
      link(kLayers[i] + a.name, kLayers[i] + b.name,
           resistance(l.conductivity, length, edge * l.thickness));
    }
  }

  bool on_border(const Block& block, size_t side) const {
    const std::array<double, 4> distance = {height_ - block.bottom - block.height, block.bottom,
                                            width_ - block.left - block.width, block.left};
    return std::fabs(distance[side]) < kSame;
  }

  // From a block's centre through half of it and its share of the rim's resistance.
  void link_to_rim(size_t index, size_t side, const std::string& rim, double rim_resistance) {
    const Layer l = layer(index);
    double total = 0;
    const auto half = [&](const Block& block) {
      return along_x(side)
                 ? resistance(l.conductivity, block.width / 2, block.height * l.thickness)
                 : resistance(l.conductivity, block.height / 2, block.width * l.thickness);
    };
    for (const Block& block : blocks_) {
      if (on_border(block, side)) total += 1 / half(block);
    }
    for (const Block& block : blocks_) {
      if (!on_border(block, side)) continue;
      link(kLayers[index] + block.name, rim, half(block) + rim_resistance * total * half(block));
    }
  }

  void add_rim(size_t side) {
    const double s_sp = config_["s_spreader"], s_sink = config_["s_sink"];
    const double along = along_x(side) ? width_ : height_;
    const double across = along_x(side) ? height_ : width_;
    const Layer spreader = layer(2), sink = layer(3);
    const double inner = (s_sp + across) * (s_sp - along) / 4;  // area below the spreader's rim
    const double outer = (s_sink * s_sink - s_sp * s_sp) / 4;
    const std::string name = kSides[side];
    const std::string rim = "hsp_" + name, middle = "hsink_inner_" + name;
    const std::string edge = "hsink_outer_" + name;
    network_.nodes.push_back({rim, capacity(spreader.heat, spreader.thickness, inner)});
    network_.nodes.push_back(
        {middle, capacity(sink.heat, sink.thickness, inner) + convection_capacity(inner)});
    network_.nodes.push_back(
        {edge, capacity(sink.heat, sink.thickness, outer) + convection_capacity(outer)});
    const double reach = (s_sp - along) / 4, mouth = (s_sp + 3 * across) / 4;
    link_to_rim(2, side, rim, resistance(spreader.conductivity, reach, mouth * spreader.thickness));
    link_to_rim(3, side, middle, resistance(sink.conductivity, reach, mouth * sink.thickness));
    link(rim, middle, resistance(spreader.conductivity, spreader.thickness, inner));
    const double far =
        resistance(sink.conductivity, reach, (3 * s_sp + across) / 4 * sink.thickness);
    const double ring = resistance(sink.conductivity, (s_sink - s_sp) / 4,
                                   (s_sink + 3 * s_sp) / 4 * sink.thickness);
    link(middle, edge, far + ring);
    link(middle, "ambient",
         resistance(sink.conductivity, sink.thickness, inner) + convection(inner));
    link(edge, "ambient", resistance(sink.conductivity, sink.thickness, outer) + convection(outer));
  }

  const Config& config_;
  const std::vector<Block>& blocks_;
  double width_ = 0, height_ = 0;
  ThermalNetwork network_;
};

}  // namespace

Result<ThermalNetwork> hotspot_network(std::string_view config_text, std::string_view config_file,
                                       std::string_view floorplan,
                                       std::string_view floorplan_file) {
  EDGEWRIGHT_ASSIGN(const Config config, read_config(config_text, config_file));
  EDGEWRIGHT_ASSIGN(const std::vector<Block> blocks, read_floorplan(floorplan, floorplan_file));
  Builder builder(config, blocks);
  const double spreader = config["s_spreader"];
  if (builder.width() >= spreader || builder.height() >= spreader || spreader >= config["s_sink"]) {
    return bad_input(
        "{}: die {:g} x {:g} m, spreader {:g} m, sink {:g} m; expected each inside the "
        "next",
        floorplan_file, builder.width(), builder.height(), spreader, config["s_sink"]);
  }
  return builder.build();
}

}  // namespace edgewright
