// SPDX-License-Identifier: Apache-2.0
#include "server/render_plugin.h"

#include <fmt/format.h>

#include <cmath>

#include "base/strings.h"
#include "server/json_writer.h"

namespace llama_gpu::server {
namespace {

using plugins::PluginManifest;
using plugins::PluginStatus;

void write_text(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key).string(repair_utf8(text));
}

void write_text_or_null(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key);
  text.empty() ? json.null() : json.string(repair_utf8(text));
}

void write_double(JsonWriter& json, std::string_view key, double value) {
  json.key(key).raw(std::isfinite(value) ? fmt::format("{}", value) : "0");
}

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.string(repair_utf8(text));
  json.end_array();
}

void write_layers(JsonWriter& json, const std::vector<plugins::LayerReport>& layers) {
  json.key("sandbox").begin_array();
  for (const plugins::LayerReport& layer : layers) {
    json.begin_object().key("layer").string(sandbox_layer_name(layer.layer));
    json.key("is_active").boolean(layer.is_active);
    write_text_or_null(json, "reason", layer.reason);
    json.end_object();
  }
  json.end_array();
}

void write_permissions(JsonWriter& json, std::string_view key, const plugins::PluginPermissions& granted) {
  json.key(key).begin_object();
  write_texts(json, "read", granted.read_paths);
  write_texts(json, "write", granted.write_paths);
  json.key("network").boolean(granted.network).end_object();
}

void write_limits(JsonWriter& json, const plugins::PluginLimits& limits) {
  json.key("limits").begin_object();
  json.key("memory_bytes").integer(limits.memory_bytes);
  json.key("file_size_bytes").integer(limits.file_size_bytes);
  json.key("open_files").integer(limits.open_files);
  json.key("processes").integer(limits.processes);
  json.key("start_timeout_ms").integer(limits.start_timeout.count());
  json.key("call_timeout_ms").integer(limits.call_timeout.count());
  json.key("concurrent_calls").integer(limits.concurrent_calls);
  json.end_object();
}

void write_ranges(JsonWriter& json, std::string_view key,
                  const std::vector<plugins::PluginDependency>& plugins) {
  json.key(key).begin_object();
  for (const plugins::PluginDependency& each : plugins) write_text(json, each.id, each.range.text());
  json.end_object();
}

void write_manifest(JsonWriter& json, const PluginManifest& manifest) {
  json.begin_object();
  write_text(json, "summary", manifest.summary);
  write_text(json, "license", manifest.license);
  write_text(json, "host_api_min", to_string(manifest.host_api_min));
  write_text(json, "host_api_max", to_string(manifest.host_api_max));
  write_texts(json, "tested_with", manifest.tested_with);
  write_ranges(json, "dependencies", manifest.dependencies);
  write_ranges(json, "conflicts", manifest.conflicts);
  json.key("capabilities").begin_array();
  for (const plugins::Capability each : manifest.capabilities) json.string(capability_name(each));
  json.end_array();
  write_permissions(json, "permissions", manifest.permissions);
  write_limits(json, manifest.limits);
  json.key("failure_policy").string(failure_policy_name(manifest.failure_policy));
  json.key("order").integer(manifest.order);
  write_texts(json, "command", manifest.command);
  json.key("config_schema").raw(manifest.config_schema);
  json.key("default_config").raw(manifest.default_config);
  json.end_object();
}

// Who it is and how it stands; both the plugin and its health begin with it.
void write_state(JsonWriter& json, const PluginStatus& status) {
  json.key("state").string(plugin_state_name(status.state));
  write_text_or_null(json, "reason_code", status.reason_code);
  write_text_or_null(json, "reason", status.reason);
  json.key("since_unix_milliseconds").integer(status.since_unix_milliseconds);
  json.key("is_required").boolean(status.is_required);
}

void write_cost(JsonWriter& json, const PluginStatus& status) {
  json.key("pid");
  status.pid != 0 ? json.integer(status.pid) : json.null();
  json.key("restarts").integer(status.restarts);
  json.key("memory_bytes").integer(status.memory_bytes);
  json.key("calls").integer(status.calls);
  json.key("failures").integer(status.failures);
  json.key("rejections").integer(status.rejections);
  write_double(json, "busy_seconds", status.busy_seconds);
  write_double(json, "p50_milliseconds", status.p50_milliseconds);
  write_double(json, "p95_milliseconds", status.p95_milliseconds);
  json.key("is_circuit_open").boolean(status.is_circuit_open);
}

void write_plugin(JsonWriter& json, const PluginStatus& status) {
  json.begin_object();
  write_text(json, "id", status.id);
  write_text(json, "version", status.version);
  write_text(json, "digest", status.digest);
  write_state(json, status);
  json.key("is_enabled").boolean(status.is_enabled);
  json.key("is_signed").boolean(status.is_signed);
  json.key("manifest");
  status.manifest ? write_manifest(json, *status.manifest) : void(json.null());
  json.key("config").raw(status.config);
  write_permissions(json, "granted", status.granted);
  write_cost(json, status);
  write_layers(json, status.sandbox);
  write_texts(json, "log_tail", status.log_tail);
  json.end_object();
}

// A plugin that is meant to be stopped does what it should.
bool is_healthy(const PluginStatus& status) {
  using plugins::PluginState;
  if (!status.is_enabled) return status.state == PluginState::kStopped;
  return status.state == PluginState::kActive && !status.is_circuit_open;
}

void write_generation(JsonWriter& json, const plugins::Generation& generation) {
  json.begin_object().key("number").integer(generation.number);
  json.key("created").integer(generation.created_unix_seconds);
  write_text(json, "reason", generation.reason);
  json.key("parent").integer(generation.parent);
  json.key("plugins").begin_array();
  for (const plugins::InstalledPlugin& plugin : generation.plugins) {
    json.begin_object();
    write_text(json, "id", plugin.id);
    write_text(json, "version", plugin.version);
    write_text(json, "digest", plugin.digest);
    json.key("is_enabled").boolean(plugin.is_enabled);
    json.key("is_pinned").boolean(plugin.is_pinned);
    json.key("config").raw(plugin.config);
    write_permissions(json, "permissions", plugin.permissions);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_plan(JsonWriter& json, const plugins::ChangePlan& plan) {
  json.begin_object().key("steps").begin_array();
  for (const plugins::ChangePlan::Step& step : plan.steps) {
    json.begin_object();
    write_text(json, "action", step.action);
    write_text(json, "plugin", step.plugin);
    write_text_or_null(json, "from_version", step.from_version);
    write_text_or_null(json, "to_version", step.to_version);
    json.end_object();
  }
  json.end_array();
  write_texts(json, "new_permissions", plan.new_permissions);
  write_texts(json, "warnings", plan.warnings);
  json.end_object();
}

}  // namespace

std::string render_plugin_list(const PluginListing& listing) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("generation").integer(listing.generation);
  write_layers(json, listing.sandbox);
  json.key("plugins").begin_array();
  for (const PluginStatus& status : listing.plugins) write_plugin(json, status);
  json.end_array().key("quarantined").begin_array();
  for (const plugins::QuarantinedPackage& package : listing.quarantined) {
    json.begin_object();
    write_text(json, "digest", package.digest);
    write_text(json, "id", package.id);
    write_text(json, "version", package.version);
    write_text(json, "reason", package.reason);
    json.key("since").integer(package.since_unix_seconds).end_object();
  }
  json.end_array().end_object();
  return body;
}

std::string render_plugin(const PluginStatus& status) {
  std::string body;
  JsonWriter json(body);
  write_plugin(json, status);
  return body;
}

std::string render_plugin_health(const PluginStatus& status) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  write_text(json, "id", status.id);
  write_text(json, "version", status.version);
  write_state(json, status);
  json.key("is_healthy").boolean(is_healthy(status));
  write_cost(json, status);
  json.end_object();
  return body;
}

std::string render_plugin_change(const plugins::ChangePlan& plan,
                                 const std::optional<plugins::Generation>& generation) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("plan");
  write_plan(json, plan);
  json.key("generation");
  generation ? write_generation(json, *generation) : void(json.null());
  json.end_object();
  return body;
}

std::string render_plugin_generations(const std::vector<plugins::Generation>& generations) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("current").integer(generations.empty() ? 0 : generations.back().number);
  json.key("generations").begin_array();
  for (const plugins::Generation& generation : generations) write_generation(json, generation);
  json.end_array().end_object();
  return body;
}

std::string render_plugin_events(const std::vector<plugins::PluginEvent>& events) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("events").begin_array();
  for (const plugins::PluginEvent& event : events) json.raw(plugins::to_json(event));
  json.end_array().end_object();
  return body;
}

}  // namespace llama_gpu::server
