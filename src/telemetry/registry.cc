// SPDX-License-Identifier: Apache-2.0
#include "telemetry/registry.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/strings.h"

namespace llama_gpu::telemetry {
namespace {

constexpr std::string_view kOther = "other";

// One metric: its family, and a series for each combination of label values that came so far.
template <typename Series>
class Metric {
 public:
  Metric(const MetricInfo& info, prometheus::Family<Series>& family)
      : info_(info), family_(family), known_values_(info.labels.size()) {
    // A metric without labels is exposed from the start, so that nobody takes "never" for "unknown".
    if (info.labels.empty()) series({});
  }

  Series& series(LabelValues values) {
    CHECK(values.size() == info_.labels.size(), "a metric takes the labels that it declares");
    const std::lock_guard lock(mutex_);
    std::vector<std::string> bounded;
    for (std::string_view value : values) bounded.push_back(bound(bounded.size(), value));
    const auto found = series_.find(bounded);
    if (found != series_.end()) return *found->second;
    Series& fresh = add(bounded);
    series_.emplace(std::move(bounded), &fresh);
    return fresh;
  }

 private:
  // The value itself, or "other" once the label has as many as it may.
  std::string bound(size_t label_idx, std::string_view value) {
    std::set<std::string, std::less<>>& known = known_values_[label_idx];
    if (known.contains(value)) return std::string(value);
    if (std::cmp_greater_equal(known.size(), info_.labels[label_idx].max_values)) return std::string(kOther);
    known.emplace(value);
    return std::string(value);
  }

  Series& add(const std::vector<std::string>& values) {
    prometheus::Labels labels;
    for (size_t i = 0; i < values.size(); ++i) {
      labels.emplace(info_.labels[i].name, repair_utf8(utf8_prefix(values[i], 256)));
    }
    if constexpr (std::is_same_v<Series, prometheus::Histogram>) {
      return family_.Add(labels,
                         prometheus::Histogram::BucketBoundaries(info_.buckets.begin(), info_.buckets.end()));
    } else {
      return family_.Add(labels);
    }
  }

  const MetricInfo& info_;
  prometheus::Family<Series>& family_;
  std::mutex mutex_;
  std::vector<std::set<std::string, std::less<>>> known_values_;  // guarded by mutex_, as the next
  std::map<std::vector<std::string>, Series*> series_;
};

template <typename Series, typename Builder, size_t kCount>
std::vector<std::unique_ptr<Metric<Series>>> make_metrics(const std::array<MetricInfo, kCount>& table,
                                                          prometheus::Registry& registry, Builder build) {
  std::vector<std::unique_ptr<Metric<Series>>> metrics;
  for (const MetricInfo& info : table) {
    auto& family = build().Name(std::string(info.name)).Help(std::string(info.help)).Register(registry);
    metrics.push_back(std::make_unique<Metric<Series>>(info, family));
  }
  return metrics;
}

}  // namespace

class Registry::State {
 public:
  prometheus::Registry prometheus;
  std::vector<std::unique_ptr<Metric<prometheus::Counter>>> counters =
      make_metrics<prometheus::Counter>(kCounters, prometheus, prometheus::BuildCounter);
  std::vector<std::unique_ptr<Metric<prometheus::Gauge>>> gauges =
      make_metrics<prometheus::Gauge>(kGauges, prometheus, prometheus::BuildGauge);
  std::vector<std::unique_ptr<Metric<prometheus::Histogram>>> histograms =
      make_metrics<prometheus::Histogram>(kHistograms, prometheus, prometheus::BuildHistogram);

  std::mutex collectors_mutex;
  std::vector<std::function<void(Registry&)>> collectors;  // guarded by collectors_mutex

  std::mutex followed_mutex;
  std::map<const prometheus::Counter*, double> followed;  // last total of each; guarded by followed_mutex
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

void Registry::add(Counter counter, double amount, LabelValues labels) {
  state_->counters[static_cast<size_t>(counter)]->series(labels).Increment(amount);
}

void Registry::follow(Counter counter, double total, LabelValues labels) {
  prometheus::Counter& series = state_->counters[static_cast<size_t>(counter)]->series(labels);
  const std::lock_guard lock(state_->followed_mutex);
  double& last = state_->followed[&series];
  series.Increment(total >= last ? total - last : total);
  last = total;
}

void Registry::set(Gauge gauge, double value, LabelValues labels) {
  state_->gauges[static_cast<size_t>(gauge)]->series(labels).Set(value);
}

void Registry::add(Gauge gauge, double difference, LabelValues labels) {
  state_->gauges[static_cast<size_t>(gauge)]->series(labels).Increment(difference);
}

void Registry::observe(Histogram histogram, double value, LabelValues labels) {
  state_->histograms[static_cast<size_t>(histogram)]->series(labels).Observe(value);
}

void Registry::expose_early(Counter counter, LabelValues labels) {
  state_->counters[static_cast<size_t>(counter)]->series(labels);
}

void Registry::expose_early(Histogram histogram, LabelValues labels) {
  state_->histograms[static_cast<size_t>(histogram)]->series(labels);
}

void Registry::on_collect(std::function<void(Registry&)> collect) {
  const std::lock_guard lock(state_->collectors_mutex);
  state_->collectors.push_back(std::move(collect));
}

std::string Registry::expose() {
  {
    const std::lock_guard lock(state_->collectors_mutex);
    for (const auto& collect : state_->collectors) collect(*this);
  }
  return prometheus::TextSerializer().Serialize(state_->prometheus.Collect());
}

}  // namespace llama_gpu::telemetry
