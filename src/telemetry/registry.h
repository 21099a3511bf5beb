// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "telemetry/metrics.gen.h"

namespace llama_gpu::telemetry {

// Values of a metric's labels, in the order of its declaration.
using LabelValues = std::initializer_list<std::string_view>;

// The metrics of this process, as declared in api/metrics.yaml. Thread-safe.
//
// REQUIRES for each call: as many label values as the metric declares.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // `amount` >= 0.
  void add(Counter counter, double amount, LabelValues labels = {});
  // For a total that is counted elsewhere: raises the counter to `total`; a lower one (its process was
  // started again) counts from zero.
  void follow(Counter counter, double total, LabelValues labels = {});
  void set(Gauge gauge, double value, LabelValues labels = {});
  void add(Gauge gauge, double difference, LabelValues labels = {});
  void observe(Histogram histogram, double value, LabelValues labels = {});

  // Shows a series, with nothing counted, before its first event: for labels that are known beforehand.
  void expose_early(Counter counter, LabelValues labels);
  void expose_early(Histogram histogram, LabelValues labels);

  // Calls `collect` before each exposition, to set what is cheaper read than kept. Not to be called from
  // `collect`.
  void on_collect(std::function<void(Registry&)> collect);

  // All metrics in Prometheus' text format, version 0.0.4.
  std::string expose();

 private:
  class State;
  std::unique_ptr<State> state_;
};

// The content type of Registry::expose().
inline constexpr std::string_view kExpositionContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace llama_gpu::telemetry
