// Layers that OpenVINO's own converter writes and ours does not: read, they compute their
// definition.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "edgewright/verify.h"

namespace edgewright {
namespace {

std::string temporary(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / name).string();
}

// A port of float32[1,2,3,4].
std::string port(int id, const std::string& name) {
  return fmt::format(
      R"(<port id="{}" precision="FP32"{}><dim>1</dim><dim>2</dim><dim>3</dim><dim>4</dim></port>)",
      id, name.empty() ? "" : fmt::format(R"( names="{}")", name));
}

std::string attention_ir(bool causal) {
  std::string layers, edges;
  const char* names[] = {"q", "k", "v"};
  for (int i = 0; i < 3; ++i) {
    layers += fmt::format(
        R"(<layer id="{}" name="{}" type="Parameter" version="opset1"><data shape="1,2,3,4" )"
        R"(element_type="f32" /><output>{}</output></layer>)",
        i, names[i], port(0, names[i]));
    edges +=
        fmt::format(R"(<edge from-layer="{}" from-port="0" to-layer="3" to-port="{}" />)", i, i);
  }
  layers += fmt::format(
      R"(<layer id="3" name="attention" type="ScaledDotProductAttention" version="opset13">)"
      R"(<data causal="{}" /><input>{}{}{}</input><output>{}</output></layer>)",
      causal, port(0, ""), port(1, ""), port(2, ""), port(3, "y"));
  layers += fmt::format(
      R"(<layer id="4" name="y/sink" type="Result" version="opset1"><input>{}</input></layer>)",
      port(0, ""));
  edges += R"(<edge from-layer="3" from-port="3" to-layer="4" to-port="0" />)";
  return fmt::format(
      R"(<?xml version="1.0"?><net name="attention" version="11"><layers>{}</layers><edges>{}</edges></net>)",
      layers, edges);
}

TEST(Read, AttentionOfOpenvino) {
  const std::string xml = temporary("attention.xml"), graph = temporary("attention.txt");
  ASSERT_TRUE(write_file(temporary("attention.bin"), "").ok());
  for (const bool causal : {false, true}) {
    ASSERT_TRUE(write_file(xml, attention_ir(causal)).ok());
    // Added to the scores: nothing, or what lies behind the diagonal is far off.
    const char* mask =
        causal ? "{0, -1e9, -1e9, 0, 0, -1e9, 0, 0, 0}" : "{0, 0, 0, 0, 0, 0, 0, 0, 0}";
    ASSERT_TRUE(
        write_file(
            graph,
            fmt::format(
                R"(graph %main(%q: float32[1,2,3,4], %k: float32[1,2,3,4], %v: float32[1,2,3,4]) -> (%y) {{
  %mask: float32[3,3] = {}
  %half: float32[] = {{0.5}}
  %t: float32[1,2,4,3] = Transpose(%k) {{perm=[0, 1, 3, 2]}}
  %s: float32[1,2,3,3] = MatMul(%q, %t)
  %h: float32[1,2,3,3] = Mul(%s, %half)
  %m: float32[1,2,3,3] = Add(%h, %mask)
  %p: float32[1,2,3,3] = Softmax(%m) {{axis=-1}}
  %y: float32[1,2,3,4] = MatMul(%p, %v)
}})",
                mask))
            .ok());
    const auto report = verify(graph, xml, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->outputs.size(), 1u);
    EXPECT_LE(report->outputs[0].relative_l2, 1e-6) << causal;
  }
  for (const char* name : {"attention.xml", "attention.bin", "attention.txt"}) {
    std::filesystem::remove(temporary(name));
  }
}

}  // namespace
}  // namespace edgewright
