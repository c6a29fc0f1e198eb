#include "edgewright/split.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const CodecReport& report) {
  Json json = document("split codecs", report.passed, report.warnings);
  json["samples"] = report.samples;
  json["sent"] = report.sent;
  json["original_bytes"] = report.original_bytes;
  json["bandwidth_mbit_s"] = report.bandwidth_mbit_s;
  json["floor"] = report.floor;
  if (report.accuracy) json["accuracy"] = *report.accuracy;
  json["choice"] = report.choice;
  json["runner_up"] = report.runner_up;
  json["codecs"] = Json::array();
  for (const CodecFigures& figures : report.codecs) {
    Json row = {{"codec", figures.codec},
                {"size_bytes", figures.size_bytes},
                {"ratio", figures.ratio},
                {"relative_l2", figures.relative_l2},
                {"max_abs", figures.max_abs},
                {"encode_us", figures.encode_us},
                {"decode_us", figures.decode_us},
                {"total_us", figures.total_us},
                {"output_relative_l2", figures.output_relative_l2},
                {"agreement", figures.agreement}};
    if (figures.accuracy) row["accuracy"] = *figures.accuracy;
    json["codecs"].push_back(row);
  }
  return finish_document(json);
}

std::string to_json(const ProtectReport& report) {
  Json json = document("split protect", true, report.warnings);
  json["known"] = report.known;
  json["attacked"] = report.attacked;
  json["device_us"] = report.device_us;
  json["clip"] = report.clip;
  json["sigma"] = report.sigma;
  json["blind"] = {{"ssim", report.blind_ssim}, {"psnr_db", report.blind_psnr_db}};
  json["defences"] = Json::array();
  for (const DefenceFigures& figures : report.defences) {
    Json row = {
        {"defence", figures.defence},
        {"guarantee", figures.guarantee},
        {"epsilon", figures.epsilon},
        {"linear", {{"ssim", figures.linear_ssim}, {"psnr_db", figures.linear_psnr_db}}},
        {"kernel", {{"ssim", figures.kernel_ssim}, {"psnr_db", figures.kernel_psnr_db}}},
        {"optimised", {{"ssim", figures.optimised_ssim}, {"psnr_db", figures.optimised_psnr_db}}},
        {"overhead_us", figures.overhead_us},
        {"overhead_share", figures.overhead_share},
        {"agreement", figures.agreement},
        {"size_ratio", figures.size_ratio}};
    if (figures.accuracy) row["accuracy"] = *figures.accuracy;
    json["defences"].push_back(row);
  }
  return finish_document(json);
}

}  // namespace edgewright
