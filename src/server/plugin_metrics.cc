// SPDX-License-Identifier: Apache-2.0
#include "server/plugin_metrics.h"

#include <set>
#include <string>

namespace llama_gpu::server {
namespace {

using plugins::PluginState;
using plugins::PluginStatus;
using telemetry::Counter;
using telemetry::Gauge;
using telemetry::Registry;

// Of all events of a change that was taken back because its plugin failed.
constexpr std::string_view kRolledBack = "automatic_rollback";

// `state`: none for a plugin that is gone.
void set_states(Registry& metrics, const std::string& id, std::optional<PluginState> state) {
  for (int i = 0; i <= static_cast<int>(PluginState::kQuarantined); ++i) {
    const auto each = static_cast<PluginState>(i);
    metrics.set(Gauge::kPluginState, state == each ? 1 : 0, {id, plugin_state_name(each)});
  }
}

void report_plugin(Registry& metrics, const PluginStatus& status) {
  set_states(metrics, status.id, status.state);
  metrics.set(Gauge::kPluginCircuitOpen, status.is_circuit_open ? 1 : 0, {status.id});
  metrics.set(Gauge::kPluginMemoryBytes, static_cast<double>(status.memory_bytes), {status.id});
  metrics.follow(Counter::kPluginCallsTotal, static_cast<double>(status.calls), {status.id});
  metrics.follow(Counter::kPluginFailuresTotal, static_cast<double>(status.failures), {status.id});
  metrics.follow(Counter::kPluginRejectionsTotal, static_cast<double>(status.rejections), {status.id});
  metrics.follow(Counter::kPluginBusySecondsTotal, status.busy_seconds, {status.id});
  metrics.follow(Counter::kPluginRestartsTotal, static_cast<double>(status.restarts), {status.id});
  metrics.expose_early(Counter::kPluginRollbacksTotal, {status.id});
}

void report_gone_plugin(Registry& metrics, const std::string& id) {
  set_states(metrics, id, std::nullopt);
  metrics.set(Gauge::kPluginCircuitOpen, 0, {id});
  metrics.set(Gauge::kPluginMemoryBytes, 0, {id});
}

}  // namespace

std::function<void(Registry&)> plugin_collector(const plugins::PluginManager& plugins) {
  return [&plugins, known = std::set<std::string>()](Registry& metrics) mutable {
    std::set<std::string> gone = std::move(known);
    known.clear();
    metrics.set(Gauge::kPluginGeneration, static_cast<double>(plugins.generation()));
    for (const PluginStatus& status : plugins.list()) {
      report_plugin(metrics, status);
      known.insert(status.id);
      gone.erase(status.id);
    }
    for (const std::string& id : gone) report_gone_plugin(metrics, id);
  };
}

std::shared_ptr<void> count_plugin_events(plugins::PluginManager& plugins, Registry& metrics) {
  const auto on_event = [&metrics](const plugins::PluginEvent& event) -> Status {
    // The one of them that says that the old version is back.
    const bool is_back = !event.is_before && !event.plugin.empty() && event.to == PluginState::kActive;
    if (is_back && event.reason_code == kRolledBack)
      metrics.add(Counter::kPluginRollbacksTotal, 1, {event.plugin});
    return {};
  };
  return plugins.add_hook(on_event, /*may_veto=*/false);
}

}  // namespace llama_gpu::server
