// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_table.h"

#include <algorithm>
#include <utility>

namespace llama_gpu::plugins {

// Events are emitted under the lock, so that their order is that of the states.
void PluginTable::put(PluginStatus row, std::string worker_id) {
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = entries_.try_emplace(row.id);
  Entry& entry = place->second;
  const PluginState from = entry.status.state;
  row.calls = entry.status.calls;
  row.failures = entry.status.failures;
  row.rejections = entry.status.rejections;
  row.busy_seconds = entry.status.busy_seconds;
  if (row.sandbox.empty()) row.sandbox = entry.status.sandbox;
  row.since_unix_milliseconds = clock_.unix_milliseconds();
  // The times of another version say nothing of this one.
  if (entry.status.digest != row.digest) entry.latency = LatencyWindow();
  entry.status = std::move(row);
  entry.worker_id = std::move(worker_id);
  const PluginStatus& now = entry.status;
  if (from == now.state && now.reason_code.empty()) return;
  events_.emit({.plugin = now.id,
                .version = now.version,
                .from = from,
                .to = now.state,
                .reason_code = now.reason_code,
                .reason = now.reason});
}

void PluginTable::drop(const std::string& id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

void PluginTable::change(const std::string& id, const std::function<void(Entry&)>& change) {
  const std::lock_guard lock(mutex_);
  if (const auto entry = entries_.find(id); entry != entries_.end()) change(entry->second);
}

void PluginTable::change_of_worker(const std::string& id, std::string_view worker_id,
                                   const std::function<void(Entry&)>& change_entry) {
  change(id, [&](Entry& entry) {
    if (entry.worker_id == worker_id) change_entry(entry);
  });
}

void PluginTable::enter(const std::string& id, std::string_view worker_id, StateReason to) {
  change_of_worker(id, worker_id, [&](Entry& entry) {
    PluginStatus& status = entry.status;
    const PluginState from = std::exchange(status.state, to.state);
    status.reason_code = std::move(to.reason_code);
    status.reason = std::move(to.reason);
    status.since_unix_milliseconds = clock_.unix_milliseconds();
    events_.emit({.plugin = id,
                  .version = status.version,
                  .from = from,
                  .to = status.state,
                  .reason_code = status.reason_code,
                  .reason = status.reason});
  });
}

void PluginTable::set_health(const std::string& id, std::string_view worker_id, const std::string& failing) {
  change_of_worker(id, worker_id, [&](Entry& entry) {
    entry.status.reason_code = failing.empty() ? "" : "health_failing";
    entry.status.reason = failing;
    events_.emit({.plugin = id,
                  .version = entry.status.version,
                  .from = entry.status.state,
                  .to = entry.status.state,
                  .reason_code = failing.empty() ? "health_ok" : "health_failing",
                  .reason = failing});
  });
}

void PluginTable::set_sandbox(const std::string& id, std::string_view worker_id,
                              std::vector<LayerReport> reports) {
  change_of_worker(id, worker_id, [&](Entry& entry) { entry.status.sandbox = std::move(reports); });
}

void PluginTable::set_circuit(const std::string& id, std::string_view worker_id, bool is_open) {
  change_of_worker(id, worker_id, [&](Entry& entry) {
    if (is_open == std::exchange(entry.status.is_circuit_open, is_open)) return;
    events_.emit({.plugin = id,
                  .version = entry.status.version,
                  .from = entry.status.state,
                  .to = entry.status.state,
                  .reason_code = is_open ? "circuit_opened" : "circuit_closed",
                  .reason = is_open ? "its last calls failed: it is not called for a while" : ""});
  });
}

void PluginTable::add_log_line(const std::string& id, std::string line) {
  change(id, [&](Entry& entry) {
    entry.log.push_back(std::move(line));
    if (entry.log.size() > kLogLines) entry.log.pop_front();
  });
}

void PluginTable::count_call(const std::string& id, double seconds, bool has_failed) {
  change(id, [&](Entry& entry) {
    ++entry.status.calls;
    if (has_failed) ++entry.status.failures;
    entry.status.busy_seconds += seconds;
    entry.latency.add(seconds);
  });
}

void PluginTable::count_failure(const std::string& id) {
  change(id, [](Entry& entry) { ++entry.status.failures; });
}

void PluginTable::count_rejection(const std::string& id) {
  change(id, [](Entry& entry) { ++entry.status.rejections; });
}

PluginTable::Row PluginTable::view(const Entry& entry) {
  Row row{entry.status, entry.worker_id};
  row.status.p50_milliseconds = entry.latency.quantile(0.5) * 1'000;
  row.status.p95_milliseconds = entry.latency.quantile(0.95) * 1'000;
  row.status.log_tail.assign(entry.log.begin(), entry.log.end());
  return row;
}

std::vector<PluginTable::Row> PluginTable::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  rows.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) rows.push_back(view(entry));
  return rows;
}

std::optional<PluginTable::Row> PluginTable::row(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return std::nullopt;
  return view(entry->second);
}

std::vector<std::string> PluginTable::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  return ids;
}

bool PluginTable::is_ready() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& named) {
    const PluginStatus& status = named.second.status;
    return !status.is_required || !status.is_enabled || status.state == PluginState::kActive;
  });
}

}  // namespace llama_gpu::plugins
