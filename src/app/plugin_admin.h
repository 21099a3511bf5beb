// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "app/http_client.h"
#include "app/remote_answers.h"
#include "base/result.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::app {

// What `llama-gpu plugin` works on: the plugins of a running server, or a store that no server uses. Each
// document is that of the HTTP API, see api/openapi.yaml. One thread.
class PluginAdmin {
 public:
  using Json = nlohmann::ordered_json;

  virtual ~PluginAdmin() = default;
  // What a person should know of changes made here; empty: they take effect at once.
  virtual std::string_view note() const = 0;
  // PluginList; Plugin or kPluginNotFound; PluginGenerationList.
  virtual Result<Json> list() = 0;
  virtual Result<Json> info(const std::string& id) = 0;
  virtual Result<Json> generations() = 0;
  // PluginChangeResult of a change; for a plan nothing is done.
  virtual Result<Json> plan(const plugins::PluginChange& change) = 0;
  virtual Result<Json> apply(const plugins::PluginChange& change) = 0;
  // Hands on PluginEvents; `follow`: until `on_event` says no, or the server ends.
  virtual Status events(bool follow, const std::function<bool(const Json& event)>& on_event) = 0;
};

// Of a running server. `http` outlives it.
class RemotePlugins final : public PluginAdmin {
 public:
  RemotePlugins(const HttpClient& http, RemoteServer server) : http_(http), server_(std::move(server)) {}

  std::string_view note() const override { return ""; }
  Result<Json> list() override { return ask("/admin/plugins"); }
  Result<Json> info(const std::string& id) override;
  Result<Json> generations() override { return ask("/admin/plugin-generations"); }
  Result<Json> plan(const plugins::PluginChange& change) override { return change_by(change, true); }
  Result<Json> apply(const plugins::PluginChange& change) override { return change_by(change, false); }
  Status events(bool follow, const std::function<bool(const Json& event)>& on_event) override;

 private:
  Result<Json> ask(std::string_view path, std::string body = "");
  Result<Json> change_by(const plugins::PluginChange& change, bool is_dry_run);

  const HttpClient& http_;
  RemoteServer server_;
};

// Of a folder, where no server runs.
class StoredPlugins final : public PluginAdmin {
 public:
  // `folder`: of the GenerationStore.
  StoredPlugins(std::string folder, bool allows_unsigned)
      : folder_(std::move(folder)), allows_unsigned_(allows_unsigned) {}

  std::string_view note() const override { return "no server runs; takes effect at its next start"; }
  Result<Json> list() override;
  Result<Json> info(const std::string& id) override;
  Result<Json> generations() override;
  Result<Json> plan(const plugins::PluginChange& change) override;
  Result<Json> apply(const plugins::PluginChange& change) override;
  Status events(bool follow, const std::function<bool(const Json& event)>& on_event) override;

 private:
  std::string folder_;
  bool allows_unsigned_;
};

}  // namespace llama_gpu::app
