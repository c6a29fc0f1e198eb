#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edgewright/session.h"

namespace edgewright {

// Where to cut a computation between a device and a server, and what that costs. The computation is
// one of `model` and `profile`, the link one of `link` and `bandwidth_mbit_s`.
struct SplitOptions {
  // An ONNX model, or "transformer:layers=20,width=768,tokens=197" for one by its shape.
  std::string model;
  InputShapes shapes;  // of the model's inputs, where they are open
  // A measured chain (columns layer,edge_s,cloud_s,out_MB) instead of a model.
  std::string profile;
  // With a model: "0.5TFLOP/s", "500GFLOP/s,25GB/s", "peak=5e11,bandwidth=25e9,cores=4", a device
  // of the catalogue or of a file, or "host" (measured; `roofs_cache` keeps that between runs).
  std::string device, server, roofs_cache;
  // Tiers between them, nearest first: "SPEED@LINK", the link being the one from the tier before;
  // `link` is then the last one, to the server.
  std::vector<std::string> tiers;
  std::string link;  // of the catalogue, FILE.toml, or a recorded uplink FILE.up or FILE.down
  std::optional<double> bandwidth_mbit_s;
  double latency_ms = 0;  // the round trip that a request pays once
  // "latency", "throughput" (the slowest stage of a pipeline), "p90", "p95" or "p99" of latency
  // over the states that the link may be in.
  std::string objective = "latency";
  // Bounds by name: device-weights-mb, device-energy-mj, server-ms, sent-mb, price, latency-ms.
  std::map<std::string, double> limits;  // and agreement, see `codecs`
  // How the model's input is sent: "tensor", "raw", "jpeg", or a number of bytes.
  std::string input_as = "tensor";
  double sent_bits = 0;  // of each sent float by a codec that is only thought of; 0: as it is
  // "fp16", "int8", "int4": forms in which activations may be sent, beside float32. What they do
  // to the answers is measured on DATA (empty: random inputs); `limits` has "agreement", the share
  // of top answers that must stay (0.99 where it is missing).
  std::vector<std::string> codecs;
  std::string data;
  double server_price_per_hour = 0;  // in the currency of the link's price per GB
  bool map = false;                  // also the best cut over bandwidth x latency
  // Folder for both halves and a repository of server halves for `split run`; empty: none.
  std::string output;
  uint64_t seed = 0;
};

// Latency over the states that a link may be in.
struct LatencyPercentiles {
  double mean_us = 0, p50_us = 0, p90_us = 0, p95_us = 0, p99_us = 0;
};

// One way to cut.
struct SplitCut {
  std::string cut;  // the last layer on the device; "input": none, "output": all
  double latency_us = 0;
  double bottleneck_us = 0;               // of a pipeline of many requests
  std::vector<double> tier_us;            // device first
  std::vector<double> hop_us;             // latency and results included
  std::vector<double> sent_bytes;         // over each hop
  std::vector<std::string> sent_tensors;  // over the first hop
  double device_weight_bytes = 0, device_energy_mj = 0, price = 0;
  std::optional<LatencyPercentiles> percentiles;  // absent when the link is fixed
  std::vector<std::string> broken_limits;
};

// Where the best cut changes as the bandwidth grows.
struct SplitCrossing {
  double bandwidth_mbit_s = 0;
  std::string from, to;
};

// The best cut at every pair of a bandwidth and a round trip.
struct SplitMap {
  std::vector<double> bandwidth_mbit_s, latency_ms;
  std::vector<std::vector<std::string>> cuts;  // [latency][bandwidth]
  std::vector<std::vector<double>> latency_us;
};

// The best cut for a form of sent activations, and what the form does to the answers there.
struct SplitCodecFigures {
  std::string codec;  // "none": float32
  std::string cut;
  double latency_us = 0, sent_bytes = 0;
  std::optional<double> agreement;  // absent where it was not measured
  double relative_l2 = 0, output_relative_l2 = 0;
  size_t samples = 0;
  bool keeps_floor = true;
};

struct SplitReport {
  SplitCut best;
  std::string codec = "none";             // that `best` and everything below are for
  std::vector<SplitCodecFigures> codecs;  // where some were asked for
  std::optional<SplitCut> runner_up;      // the best that sends other tensors
  SplitCut all_on_device, all_on_server;
  std::map<std::string, SplitCut> heuristics;  // rules of thumb, to compare with
  std::vector<SplitCrossing> crossings;
  std::optional<SplitMap> map;
  std::string objective;
  bool is_exact = true;
  double lower_bound_us = 0;
  std::vector<std::string> assumptions;
  std::vector<std::string> files;  // that were written
  bool passed = true;              // false: no cut keeps the limits, `best` comes nearest
  std::vector<std::string> warnings;
};

std::string to_json(const SplitReport& report);
Result<SplitReport> plan_split(const SplitOptions& options);

// A network link as data (docs/formats/link.md) and what a message over it takes.
struct LinkDelayReport {
  double size_bytes = 0;
  double propagation_ms = 0, access_ms = 0, transmission_ms = 0, queueing_ms = 0, processing_ms = 0,
         total_ms = 0;
  double energy_mj = 0;                       // of the device's radio; 0: not known
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  // over the states that the link may be in
};
struct LinkReport {
  std::string name, summary, source;
  std::vector<std::string> notes;
  double uplink_mbit_s = 0, downlink_mbit_s = 0, round_trip_ms = 0;
  // How the effective uplink rate comes about: theoretical, protocol, congestion, signal, floor.
  std::vector<std::pair<std::string, double>> uplink_factors;
  LinkDelayReport send, receive;
  std::string toml;  // the same as a link file
  std::vector<std::string> warnings;
};
std::string to_json(const LinkReport& report);
// A link of the catalogue, or of a file. Percentiles come from `seed`.
Result<LinkReport> show_link(const std::string& name_or_path, double size_bytes, uint64_t seed);

// What activation codecs do to a model that is cut: bytes, time, error, and what the server half
// then answers.
struct CodecOptions {
  std::string model, cut;  // the last layer (or value) on the device
  InputShapes shapes;
  std::string data;               // samples; empty: seeded random inputs
  std::vector<std::string> only;  // codecs; empty: all known ones
  size_t samples = 100;
  std::string link;  // to choose for; or the bandwidth
  double bandwidth_mbit_s = 10;
  // The share of samples whose top answer must stay what it is without a codec.
  double floor = 0.99;
  int threads = 1;
  uint64_t seed = 0;
};
struct CodecFigures {
  std::string codec;
  double size_bytes = 0, ratio = 0;  // of one sample; original bytes / size
  double relative_l2 = 0, max_abs = 0;
  double encode_us = 0, decode_us = 0, total_us = 0;  // with the transfer at the link's rate
  double output_relative_l2 = 0, agreement = 0;       // against the outputs without a codec
  std::optional<double> accuracy;                     // where DATA has labels
};
struct CodecReport {
  std::vector<CodecFigures> codecs;
  std::string choice, runner_up;   // of least total time at or above the floor; empty: none
  std::optional<double> accuracy;  // without a codec
  double original_bytes = 0, bandwidth_mbit_s = 0, floor = 0;
  size_t samples = 0;
  std::vector<std::string> sent;
  bool passed = true;  // false: no codec keeps the floor
  std::vector<std::string> warnings;
};
std::string to_json(const CodecReport& report);
Result<CodecReport> compare_codecs(const CodecOptions& options);

// What an attacker who sees the cut's activations learns of the input, before and after defences.
struct ProtectOptions {
  std::string model, cut;
  InputShapes shapes;
  std::string data;      // samples that the attacker knows and others that he attacks
  size_t samples = 600;  // of which a sixth are attacked
  double epsilon = 8, delta = 1e-5;
  double clip = 0;  // L2 bound; 0: the median norm of the activations
  int threads = 1;
  uint64_t seed = 0;
};
struct DefenceFigures {
  std::string defence;
  std::string guarantee;                             // "none", or what holds
  double linear_ssim = 0, linear_psnr_db = 0;        // learned linear decoder
  double kernel_ssim = 0, kernel_psnr_db = 0;        // learned decoder with a Gaussian kernel
  double optimised_ssim = 0, optimised_psnr_db = 0;  // optimisation over likely inputs
  double overhead_us = 0, overhead_share = 0;        // of the device half's time
  std::optional<double> accuracy;
  double agreement = 0;   // of the top answer with the undefended one
  double epsilon = 0;     // 0: no guarantee
  double size_ratio = 1;  // sent bytes / undefended bytes
};
struct ProtectReport {
  std::vector<DefenceFigures> defences;  // the first: none
  double device_us = 0, clip = 0, sigma = 0;
  double blind_ssim = 0, blind_psnr_db = 0;  // of guessing the mean input
  size_t known = 0, attacked = 0;
  std::vector<std::string> warnings;
};
std::string to_json(const ProtectReport& report);
Result<ProtectReport> protect_cut(const ProtectOptions& options);

// Noise of the Gaussian mechanism for a bound, and what many releases of it add up to.
struct PrivacyOptions {
  double epsilon = 1, delta = 1e-5, sensitivity = 1;
  int64_t releases = 1;  // of the noise below
  double sigma = 0;      // of each release; 0: the one for the bound
  // Layers that are released together and share the bound by their weights.
  struct Layer {
    std::string name;
    double sensitivity = 1, weight = 1, sigma = 0;  // sigma: only in the report
  };
  std::vector<Layer> layers;
};
struct PrivacyReport {
  double analytic_sigma = 0;
  std::optional<double> classical_sigma;  // absent from epsilon 1 on, where it is not proven
  double sigma = 0;
  double exact_epsilon = 0, rdp_epsilon = 0, zcdp_epsilon = 0;  // of all releases, at delta
  std::vector<PrivacyOptions::Layer> layers;
  std::vector<std::string> warnings;
};
std::string to_json(const PrivacyReport& report);
Result<PrivacyReport> reckon_privacy(const PrivacyOptions& options);

// Whether drafting tokens on the device for a model behind the link pays, and how many.
struct SpeculateOptions {
  double draft_ms = 10, target_ms = 30, check_ms = 0;  // per token; per pass; each further token
  double acceptance = 0.7;
  double latency_ms = 0;  // round trip; or that of `link`
  std::string link;
};
struct SpeculateReport {
  int length = 0;  // tokens a round; 0: off
  double speedup = 1, ms_per_token = 0, plain_ms_per_token = 0;
  int best_length = 0;  // above 0, used or not
  double best_speedup = 0, round_trip_ms = 0;
  // The highest round trip at which it still pays, and the best length at some round trips.
  double break_even_ms = 0;
  std::vector<std::pair<double, int>> lengths;
  std::vector<std::string> warnings;
};
std::string to_json(const SpeculateReport& report);
Result<SpeculateReport> plan_speculation(const SpeculateOptions& options);

// Linear layers of a model for two servers that each see only random numbers (additive secret
// sharing with Beaver's triples): writes FOLDER/first and FOLDER/second, repositories of the two
// servers, and FOLDER/device with the rest of the model and masks that serve for one request each.
struct ShareOptions {
  std::string model;
  InputShapes shapes;
  std::vector<std::string> layers;  // nodes or their values: Conv, Gemm or MatMul
  int64_t requests = 100;           // that masks are drawn for
  int fraction_bits = 24;           // of the fixed-point numbers
  std::string output;
};
struct SharedLayerFigures {
  std::string layer;
  uint64_t macs = 0;                          // multiply-adds of the plain layer
  double sent_bytes = 0, received_bytes = 0;  // of one request, both servers together
  double largest_value = 0;                   // of an input for which no sum overflows
};
struct ShareReport {
  std::vector<SharedLayerFigures> layers;
  int64_t requests = 0;
  int fraction_bits = 0;
  std::vector<std::string> files, warnings;
};
std::string to_json(const ShareReport& report);
// kUsage naming the model's linear layers when one of `layers` is none of them.
Result<ShareReport> share_model(const ShareOptions& options);

// How policies that choose per request between device, server and both fare on a recorded link.
struct OffloadOptions {
  std::string trace, downlink;  // recorded; the downlink carries answers and may be empty
  double local_ms = 150, head_ms = 40, server_ms = 15, tail_ms = 10, latency_ms = 50;
  double input_kb = 60, cut_kb = 15, answer_kb = 0;
  double patience_ms = 200;  // then the device does all of the work after all
  double interval_ms = 400;
  double per_energy_mj = 0, per_device_ms = 0;  // weights beside 1 for each ms of latency
  int64_t requests = 2500;
  std::string state;  // file of the lin-ucb policy's state; read if it exists, written at the end
  uint64_t seed = 0;
};
struct OffloadFigures {
  std::string policy;
  double mean_cost = 0, regret_share = 0;  // after 500 requests, against the per-step oracle
  std::vector<int64_t> chosen;             // device, server, both
};
struct OffloadReport {
  std::vector<OffloadFigures> policies;
  double oracle_cost = 0, mean_mbit_s = 0;
  std::vector<std::string> warnings;
};
std::string to_json(const OffloadReport& report);
Result<OffloadReport> compare_offloading(const OffloadOptions& options);

}  // namespace edgewright
