#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "serve/http/routes.h"

// /metrics in Prometheus' text form.
namespace edgewright {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric labelled(Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  return metric;
}

class Families {
 public:
  explicit Families(std::vector<MetricFamily>& families) : families_(families) {}

  MetricFamily& family(const char* name, const char* help, MetricType type) {
    for (MetricFamily& known : families_) {
      if (known.name == name) return known;
    }
    MetricFamily made;
    made.name = name;
    made.help = help;
    made.type = type;
    families_.push_back(std::move(made));
    return families_.back();
  }
  void counter(const char* name, const char* help, Labels labels, double value) {
    ClientMetric metric = labelled(std::move(labels));
    metric.counter.value = value;
    family(name, help, MetricType::Counter).metric.push_back(std::move(metric));
  }
  void gauge(const char* name, const char* help, Labels labels, double value) {
    ClientMetric metric = labelled(std::move(labels));
    metric.gauge.value = value;
    family(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
  }

 private:
  std::vector<MetricFamily>& families_;
};

double seconds(uint64_t total_ns) { return static_cast<double>(total_ns) / 1e9; }

void add_latency(Families& families, const Labels& labels, const ModelCounts& counts) {
  ClientMetric metric = labelled(labels);
  uint64_t below = 0;
  for (size_t i = 0; i < counts.latency_buckets.size(); ++i) {
    below += counts.latency_buckets[i];
    const double bound = i < kLatencyBoundsUs.size()
                             ? static_cast<double>(kLatencyBoundsUs[i]) / 1e6
                             : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({below, bound});
  }
  metric.histogram.sample_count = counts.success.count;
  metric.histogram.sample_sum = seconds(counts.success.total_ns);
  families
      .family("edgewright_inference_duration_seconds", "from a request's arrival to its answer",
              MetricType::Histogram)
      .metric.push_back(std::move(metric));
}

void add_version(Families& families, ModelVersion& version) {
  const ModelCounts counts = version.statistics().counts();
  const Labels labels = {{"model", version.name()}, {"version", std::to_string(version.number())}};
  Labels success = labels, failure = labels;
  success.push_back({"outcome", "success"});
  failure.push_back({"outcome", "failure"});
  const char* const requests = "edgewright_inference_requests_total";
  families.counter(requests, "requests by outcome", success,
                   static_cast<double>(counts.success.count));
  families.counter(requests, "requests by outcome", failure,
                   static_cast<double>(counts.failure.count));
  families.counter("edgewright_inference_rows_total", "rows computed", labels,
                   static_cast<double>(counts.inferences));
  families.counter("edgewright_inference_executions_total",
                   "runs of the model, a batch counts once", labels,
                   static_cast<double>(counts.executions));
  families.counter("edgewright_inference_queue_seconds_total", "time that requests waited", labels,
                   seconds(counts.queue.total_ns));
  families.counter("edgewright_inference_run_seconds_total", "time that requests were computed",
                   labels, seconds(counts.run.total_ns));
  families.counter("edgewright_generated_tokens_total", "tokens made by language models", labels,
                   static_cast<double>(counts.tokens));
  families.counter("edgewright_generation_energy_joules_total",
                   "the machine's energy that texts were charged with", labels,
                   counts.text_energy_j);
  families.counter("edgewright_inference_energy_joules_total",
                   "the machine's energy that requests of tensors were charged with", labels,
                   version.energy_j());
  families.gauge("edgewright_inference_waiting", "requests that wait now", labels,
                 static_cast<double>(version.waiting()));
  add_latency(families, labels, counts);
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

HttpReply metrics(const HttpContext& context, const RoutedRequest& /*request*/) {
  std::vector<MetricFamily> list;
  Families families(list);
  for (const auto& version : context.service.versions()) add_version(families, *version);
  families.counter("edgewright_requests_answered_total", "requests answered as asked", {},
                   static_cast<double>(context.service.answered()));
  families.counter("edgewright_requests_refused_total", "requests refused or failed", {},
                   static_cast<double>(context.service.refused()));
  families.gauge("edgewright_requests_under_way", "requests that are being answered", {},
                 static_cast<double>(context.service.under_way()));
  families.gauge("edgewright_http_connections", "open HTTP connections", {},
                 context.connections ? context.connections() : 0);
  if (const MeterState meter = context.service.meter(); meter.energy_j) {
    families.counter("edgewright_energy_joules_total", "energy of the machine since the start", {},
                     *meter.energy_j);
  }
  families.gauge("process_resident_memory_bytes", "resident memory", {}, resident_bytes());
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4";
  reply.body = prometheus::TextSerializer().Serialize(list);
  return reply;
}

}  // namespace

std::vector<Route> metrics_routes() { return {{"GET", "metrics", metrics}}; }

}  // namespace edgewright
