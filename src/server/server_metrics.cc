// SPDX-License-Identifier: Apache-2.0
#include "server/server_metrics.h"

#include <map>
#include <string>
#include <utility>

#include "server/routes.gen.h"
#include "supervisor/worker_names.h"
#include "telemetry/process_memory.h"

namespace llama_gpu::server {
namespace {

using supervisor::WorkerState;
using telemetry::Counter;
using telemetry::Gauge;
using telemetry::Histogram;

// What the workers of one model say together.
struct ModelTotals {
  engine::EngineStats stats;
  uint64_t memory_bytes = 0;
  int64_t restarts = 0;
  std::map<WorkerState, int> workers_in;
};

void add(ModelTotals& totals, const supervisor::WorkerStatus& worker) {
  totals.stats.running += worker.stats.running;
  totals.stats.waiting += worker.stats.waiting;
  totals.stats.kv_blocks_used += worker.stats.kv_blocks_used;
  totals.stats.kv_blocks_total += worker.stats.kv_blocks_total;
  totals.stats.preemptions += worker.stats.preemptions;
  totals.memory_bytes += worker.memory_bytes;
  totals.restarts += worker.restarts;
  ++totals.workers_in[worker.state];
}

void report(const std::string& model, const ModelTotals& totals, telemetry::Registry& metrics) {
  metrics.set(Gauge::kRequestsRunning, totals.stats.running, {model});
  metrics.set(Gauge::kRequestsWaiting, totals.stats.waiting, {model});
  metrics.set(Gauge::kKvBlocksUsed, static_cast<double>(totals.stats.kv_blocks_used), {model});
  metrics.set(Gauge::kKvBlocks, static_cast<double>(totals.stats.kv_blocks_total), {model});
  metrics.set(Gauge::kWorkerMemoryBytes, static_cast<double>(totals.memory_bytes), {model});
  metrics.follow(Counter::kPreemptionsTotal, static_cast<double>(totals.stats.preemptions), {model});
  metrics.follow(Counter::kWorkerRestartsTotal, static_cast<double>(totals.restarts), {model});
  for (int state = 0; state <= static_cast<int>(WorkerState::kStopped); ++state) {
    const auto name = static_cast<WorkerState>(state);
    const auto found = totals.workers_in.find(name);
    const int count = found == totals.workers_in.end() ? 0 : found->second;
    metrics.set(Gauge::kWorkers, count, {model, worker_state_name(name)});
  }
}

}  // namespace

void expose_known_series(const supervisor::ModelHost& host, telemetry::Registry& metrics) {
  for (const auto& model : host.models()) {
    for (const Counter counter : {Counter::kPromptTokensTotal, Counter::kGenerationTokensTotal})
      metrics.expose_early(counter, {model.id});
    for (const Histogram histogram :
         {Histogram::kTimeToFirstTokenSeconds, Histogram::kInterTokenLatencySeconds,
          Histogram::kQueueTimeSeconds, Histogram::kRequestDurationSeconds})
      metrics.expose_early(histogram, {model.id});
  }
  for (const Route& route : kRoutes) {
    for (const std::string_view status_class : {"2xx", "4xx", "5xx"})
      metrics.expose_early(Counter::kHttpRequestsTotal, {route.operation_id, status_class});
  }
}

void collect_metrics(const supervisor::ModelHost& host, telemetry::Registry& metrics) {
  std::map<std::string, ModelTotals> models;
  for (const auto& worker : host.workers()) add(models[worker.model], worker);
  for (const auto& [model, totals] : models) report(model, totals, metrics);
  if (const auto memory = telemetry::process_memory(); memory.ok()) {
    metrics.set(Gauge::kProcessMemoryBytes, static_cast<double>(memory->resident));
  }
}

}  // namespace llama_gpu::server
