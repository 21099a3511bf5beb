// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/temporary_folder_fake.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::plugins {

using namespace std::chrono_literals;

// Nothing here takes so long; only a failing test does.
inline constexpr auto kPatience = 60s;

// Waits until the condition holds; false where it never does.
inline bool eventually(const std::function<bool()>& condition) {
  for (const auto end = std::chrono::steady_clock::now() + kPatience;
       std::chrono::steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

// What a test's package says of itself.
struct TestPackage {
  std::string id = "acme/guard";
  std::string version = "1.0.0";
  std::string config = "append = ' ok'\n";  // TOML
  std::string plugin = {};                  // more lines of [plugin]
  std::string command = "['run']";
  std::string more = {};  // more tables
};

// For tests: a manager whose plugins are real processes, of tests/support/test_plugin.cc.
class PluginManagerTest : public testing::Test {
 protected:
  // Short times, so that what is waited for comes soon.
  PluginManagerTest() {
    options_.folder = folder_.path("store");
    options_.host_version = parse_version("0.1.0").value();
    options_.allows_unsigned = true;
    options_.drain_timeout = 10s;
    options_.make_command = [](const PluginManifest&, const SandboxPolicy&) {
      supervisor::WorkerCommand command;
      command.program = LLAMAGPU_TEST_PLUGIN;
      command.arguments = {"test_plugin"};
      command.leads_group = true;
      return command;
    };
  }
  ~PluginManagerTest() override {
    if (manager_) manager_->stop();
  }

  void start() {
    manager_.reset();
    manager_ = PluginManager::start(options_).value();
  }

  // Writes a package's folder and returns its path.
  std::string package(const TestPackage& package) {
    const std::string path = folder_.path("package-" + std::to_string(++num_packages_));
    std::filesystem::create_directories(path);
    const std::string manifest =
        "[plugin]\nid = '" + package.id + "'\nversion = '" + package.version +
        "'\nsummary = 'For tests'\ncommand = " + package.command + "\n" +
        (package.plugin.find("capabilities") == std::string::npos ? "capabilities = ['request_filter']\n"
                                                                  : "") +
        package.plugin + "[host_api]\nmin = '1.0.0'\nmax = '1.999.0'\n" +
        (package.more.find("[limits]") == std::string::npos
             ? "[limits]\ncall_timeout_ms = 10000\nstart_timeout_ms = 10000\n"
             : "") +
        package.more + "[config]\n" + package.config;
    CHECK(write_file_atomically(path + "/plugin.toml", manifest).ok(), "a test's file cannot be written");
    CHECK(write_file_atomically(path + "/run", "#!/bin/false\n").ok(), "a test's file cannot be written");
    std::filesystem::permissions(path + "/run", std::filesystem::perms(0755));
    return path;
  }

  Result<Generation> apply(PluginChange change) {
    std::promise<Result<Generation>> promise;
    manager_->apply(std::move(change),
                    [&](Result<Generation> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  Result<Generation> install(const TestPackage& source) {
    return apply({.kind = PluginChange::Kind::kInstall, .source = package(source)});
  }
  Result<Generation> change(PluginChange::Kind kind, const std::string& id = "acme/guard") {
    return apply({.kind = kind, .plugin = id});
  }

  Result<FilterableText> ask(const std::string& prompt) {
    std::promise<Result<FilterableText>> promise;
    manager_->filter_request({"r1", "m", FilterableText(prompt)},
                             [&](Result<FilterableText> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  // What becomes of a prompt; the error's name where it fails.
  std::string answer(const std::string& prompt) {
    const Result<FilterableText> result = ask(prompt);
    if (!result.ok()) return std::string(error_code_info(result.error().code).name);
    return std::get<std::string>(*result);
  }

  PluginStatus status(const std::string& id = "acme/guard") { return manager_->find(id).value(); }
  bool wait_for_state(PluginState state, const std::string& id = "acme/guard") {
    return eventually([&] { return status(id).state == state; });
  }
  bool has_event(const std::string& reason_code, const std::string& plugin = "acme/guard") {
    for (const PluginEvent& event : manager_->events_after(0)) {
      if (event.reason_code == reason_code && event.plugin == plugin) return true;
    }
    return false;
  }
  Generation newest() { return manager_->generations().value().back(); }

  TemporaryFolder folder_;
  PluginManagerOptions options_;
  std::unique_ptr<PluginManager> manager_;
  int num_packages_ = 0;
};

}  // namespace llama_gpu::plugins
