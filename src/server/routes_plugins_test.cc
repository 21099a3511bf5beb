// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/clock_fake.h"
#include "base/log.h"
#include "plugins/plugin_manager_fake.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/plugin_metrics.h"
#include "server/response_writer_fake.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server {
namespace {

using plugins::FakePluginManager;
using plugins::PluginState;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RoutesPluginsTest : public testing::Test {
 protected:
  RoutesPluginsTest() {
    configure_logging({.sink = [](std::string_view) {}});
  }
  ~RoutesPluginsTest() override {
    // As the server does: a stream that goes on and its connection hold each other.
    for (const auto& writer : writers_) writer->close();
    configure_logging({});
  }

  std::shared_ptr<RecordingWriter> begin(Handler handler, HttpRequest request, std::string argument = "") {
    auto writer = writers_.emplace_back(std::make_shared<RecordingWriter>());
    handler(Exchange{.server = context_,
                     .request = std::move(request),
                     .path_argument = std::move(argument),
                     .request_id = "req",
                     .writer = writer});
    settle(*writer);
    return writer;
  }
  void settle(RecordingWriter& writer) {
    std::promise<void> is_idle;
    context_.tasks.push([&] { is_idle.set_value(); });
    is_idle.get_future().wait();
    writer.run_posted();
  }

  std::shared_ptr<RecordingWriter> get(Handler handler, std::string argument = "") {
    return begin(handler, {}, std::move(argument));
  }
  std::shared_ptr<RecordingWriter> change(std::string body) {
    HttpRequest request;
    request.body = std::move(body);
    return begin(handlers::change_plugins, std::move(request));
  }
  std::shared_ptr<RecordingWriter> events(std::string_view accept, std::string_view last_id = "",
                                          std::string target = "/admin/plugin-events") {
    HttpRequest request;
    request.target = std::move(target);
    if (!accept.empty()) request.headers.add("Accept", std::string(accept));
    if (!last_id.empty()) request.headers.add("Last-Event-ID", std::string(last_id));
    return begin(handlers::list_plugin_events, std::move(request));
  }

  static plugins::PluginEvent event(std::string reason_code) {
    plugins::PluginEvent event;
    event.plugin = "acme/guard";
    event.reason_code = std::move(reason_code);
    return event;
  }
  static plugins::Generation generation(uint64_t number) {
    plugins::Generation generation;
    generation.number = number;
    generation.parent = number - 1;
    generation.reason = "install acme/guard 1.2.3";
    generation.plugins = {{.id = "acme/guard",
                           .version = "1.2.3",
                           .digest = "d1",
                           .is_enabled = true,
                           .config = R"({"k":1})",
                           .permissions = {.read_paths = {"/etc"}, .write_paths = {}, .network = true}}};
    return generation;
  }
  static Json document(const std::shared_ptr<RecordingWriter>& writer) { return *read_json(writer->body()); }

  FakeModelHost host_;
  FakePluginManager plugins_;
  telemetry::Registry metrics_;
  FakeClock clock_;
  ServerOptions options_;
  ServerContext context_{.options = options_,
                         .host = host_,
                         .metrics = metrics_,
                         .assets = {},
                         .clock = clock_,
                         .access = AccessControl(options_),
                         .plugins = &plugins_,
                         .sandbox = {{plugins::SandboxLayer::kLandlock, true, ""},
                                     {plugins::SandboxLayer::kNamespaces, false, "the kernel has none"}}};
  std::vector<std::shared_ptr<RecordingWriter>> writers_;
};

TEST_F(RoutesPluginsTest, ListsPluginsTheSandboxAndWhatIsQuarantined) {
  auto good = FakePluginManager::make_status("acme/guard");
  good.pid = 42;
  good.p95_milliseconds = 1.5;
  good.manifest->dependencies = {{"acme/base", {}}};
  good.manifest->command = {"python3", "guard.py"};
  good.sandbox = {{plugins::SandboxLayer::kSyscallFilter, true, ""}};
  good.log_tail = {"a\xFF"};
  auto broken = FakePluginManager::make_status("acme/broken", PluginState::kFailed);
  broken.manifest.reset();
  broken.reason_code = "start_failed";
  broken.reason = "it ended with 1";
  plugins_.set_plugins({good, broken});
  plugins_.set_generations({generation(3)});
  plugins_.set_quarantined({{"d0", "acme/guard", "1.2.4", "it crashed", 5}});
  const Json list = document(get(handlers::list_plugins));

  EXPECT_EQ(list["generation"], 3);
  EXPECT_EQ(list["sandbox"][0]["is_active"], true);
  EXPECT_TRUE(list["sandbox"][0]["reason"].is_null());
  EXPECT_EQ(list["sandbox"][1]["reason"], "the kernel has none");
  EXPECT_EQ(list["quarantined"][0]["version"], "1.2.4");
  EXPECT_EQ(list["plugins"][0]["state"], "active");
  EXPECT_TRUE(list["plugins"][0]["reason"].is_null());
  EXPECT_EQ(list["plugins"][0]["pid"], 42);
  EXPECT_EQ(list["plugins"][0]["p95_milliseconds"], 1.5);
  EXPECT_EQ(list["plugins"][0]["manifest"]["dependencies"]["acme/base"], "*");
  EXPECT_EQ(list["plugins"][0]["manifest"]["capabilities"][0], "request_filter");
  EXPECT_EQ(list["plugins"][0]["manifest"]["limits"]["call_timeout_ms"], 5000);
  EXPECT_EQ(list["plugins"][0]["sandbox"].size(), 1U);
  EXPECT_EQ(list["plugins"][0]["log_tail"][0], "a\xEF\xBF\xBD");
  EXPECT_TRUE(list["plugins"][1]["manifest"].is_null());
  EXPECT_TRUE(list["plugins"][1]["pid"].is_null());
  EXPECT_EQ(list["plugins"][1]["reason_code"], "start_failed");
}

TEST_F(RoutesPluginsTest, AnswersWhatTheDocumentOfTheApiRequires) {
  plugins_.set_plugins({FakePluginManager::make_status("acme/guard")});
  plugins_.set_generations({generation(1)});
  plugins_.emit(event("installed"));
  const Json schemas = document(get(handlers::get_openapi))["components"]["schemas"];
  const auto expect_as = [&](const Json& value, const std::string& schema) {
    std::set<std::string> required, found;
    for (const auto& name : schemas[schema]["required"]) required.insert(name.get<std::string>());
    for (const auto& [name, ignored] : value.items()) found.insert(name);
    EXPECT_EQ(found, required) << schema;
  };
  const Json list = document(get(handlers::list_plugins));
  expect_as(list, "PluginList");
  expect_as(list["plugins"][0], "Plugin");
  expect_as(list["plugins"][0]["manifest"], "PluginManifest");
  expect_as(list["plugins"][0]["manifest"]["limits"], "PluginLimits");
  expect_as(list["plugins"][0]["granted"], "PluginPermissions");
  expect_as(document(get(handlers::get_plugin_health, "acme/guard")), "PluginHealth");
  expect_as(document(get(handlers::list_plugin_generations))["generations"][0], "PluginGeneration");
  expect_as(document(get(handlers::list_plugin_generations))["generations"][0]["plugins"][0],
            "InstalledPlugin");
  expect_as(document(events(""))["events"][0], "PluginEvent");
  const Json changed = document(change(R"({"action":"rollback"})"));
  expect_as(changed, "PluginChangeResult");
  expect_as(changed["plan"], "PluginChangePlan");
}

TEST_F(RoutesPluginsTest, ShowsOnePluginAndItsHealth) {
  auto failing = FakePluginManager::make_status("acme/guard");
  failing.is_circuit_open = true;
  failing.busy_seconds = std::numeric_limits<double>::quiet_NaN();
  plugins_.set_plugins({failing, FakePluginManager::make_status("acme/off", PluginState::kStopped),
                        FakePluginManager::make_status("acme/on")});

  EXPECT_EQ(document(get(handlers::get_plugin, "acme/guard"))["id"], "acme/guard");
  EXPECT_EQ(document(get(handlers::get_plugin_health, "acme/guard"))["is_healthy"], false);
  EXPECT_EQ(document(get(handlers::get_plugin_health, "acme/guard"))["busy_seconds"], 0);
  EXPECT_EQ(document(get(handlers::get_plugin_health, "acme/off"))["is_healthy"], true);
  EXPECT_EQ(document(get(handlers::get_plugin_health, "acme/on"))["is_healthy"], true);
  EXPECT_EQ(get(handlers::get_plugin, "acme/none")->head().status, 404);
  EXPECT_THAT(get(handlers::get_plugin_health, "acme/none")->body(), HasSubstr("plugin_not_found"));
}

TEST_F(RoutesPluginsTest, CarriesOutAChangeAndShowsItsPlan) {
  plugins_.set_generations({generation(4)});
  plugins_.set_plan(plugins::ChangePlan{.steps = {{"install", "acme/guard", "", "1.2.3"}},
                                        .new_permissions = {"may use the network"},
                                        .warnings = {"unsigned"}});
  const auto writer = change(R"({"action":"install","source":"/p","allow_unsigned":true,"what":1})");
  const Json answer = document(writer);

  EXPECT_EQ(answer["plan"]["steps"][0].dump(),
            R"({"action":"install","plugin":"acme/guard","from_version":null,"to_version":"1.2.3"})");
  EXPECT_EQ(answer["plan"]["new_permissions"][0], "may use the network");
  EXPECT_EQ(answer["generation"]["number"], 4);
  EXPECT_EQ(answer["generation"]["plugins"][0]["config"]["k"], 1);
  EXPECT_EQ(answer["generation"]["plugins"][0]["permissions"]["network"], true);
  EXPECT_EQ(writer->head().headers.find("x-ignored-fields"), "what");
  ASSERT_EQ(plugins_.changes().size(), 1U);
  EXPECT_EQ(plugins_.changes()[0].source, "/p");
}

TEST_F(RoutesPluginsTest, OnlyPlansADryRun) {
  const Json answer = document(change(R"({"action":"remove","plugin":"a/b","dry_run":true})"));
  EXPECT_TRUE(answer["generation"].is_null());
  EXPECT_TRUE(plugins_.changes().empty());
}

TEST_F(RoutesPluginsTest, PassesOnWhyAChangeIsNotPossible) {
  plugins_.set_error(Error{ErrorCode::kPluginFailed, "its self-test failed"});
  EXPECT_EQ(change(R"({"action":"reload","plugin":"a/b"})")->head().status, 500);
  plugins_.set_plan(Error{ErrorCode::kPluginUnsigned, "it is not signed"});
  EXPECT_EQ(change(R"({"action":"install","source":"/p"})")->head().status, 403);
  EXPECT_EQ(plugins_.changes().size(), 1U);
  EXPECT_EQ(change("{}")->head().status, 400);
  EXPECT_EQ(get(handlers::list_plugin_generations)->head().status, 500);

  context_.is_draining = true;
  EXPECT_EQ(change(R"({"action":"reload","plugin":"a/b"})")->head().status, 503);
}

TEST_F(RoutesPluginsTest, AnswersWhenTheChangeIsDoneAndNobodyWhoLeft) {
  plugins_.hold_calls(true);
  const auto writer = change(R"({"action":"reload","plugin":"a/b"})");
  const auto left = change(R"({"action":"reload","plugin":"a/b"})");
  const auto aborted = change(R"({"action":"reload","plugin":"a/b"})");
  left->close();
  aborted->listener()->on_abort(Error{ErrorCode::kShuttingDown, "the server is being stopped"});
  EXPECT_FALSE(writer->has_begun());
  plugins_.release_held();
  for (const auto& each : {writer, left, aborted}) each->run_posted();

  EXPECT_EQ(writer->head().status, 200);
  EXPECT_FALSE(left->has_begun());
  EXPECT_EQ(aborted->head().status, 503);
}

TEST_F(RoutesPluginsTest, ListsGenerations) {
  plugins_.set_generations({generation(1), generation(2)});
  const Json list = document(get(handlers::list_plugin_generations));
  EXPECT_EQ(list["current"], 2);
  EXPECT_EQ(list["generations"][0]["number"], 1);

  plugins_.set_generations({});
  EXPECT_EQ(get(handlers::list_plugin_generations)->body(), R"({"current":0,"generations":[]})");
}

TEST_F(RoutesPluginsTest, SaysThatPluginsAreSwitchedOff) {
  context_.plugins = nullptr;
  for (const Handler handler :
       {handlers::list_plugins, handlers::get_plugin, handlers::get_plugin_health, handlers::change_plugins,
        handlers::list_plugin_generations, handlers::list_plugin_events}) {
    const auto writer = get(handler, "a/b");
    EXPECT_EQ(writer->head().status, 404);
    EXPECT_THAT(writer->body(), HasSubstr("switched off"));
  }
}

TEST_F(RoutesPluginsTest, ListsEventsAsADocument) {
  plugins_.emit(event("one"));
  plugins_.emit(event("two"));

  EXPECT_EQ(document(events(""))["events"].size(), 2U);
  EXPECT_EQ(document(events("", "", "/admin/plugin-events?after=1"))["events"][0]["reason_code"], "two");
  EXPECT_EQ(document(events("application/json", "1"))["events"].size(), 1U);
  EXPECT_EQ(events("", "x")->head().status, 400);
}

TEST_F(RoutesPluginsTest, StreamsEventsWhileTheyHappen) {
  plugins_.emit(event("one"));
  const auto writer = events("text/event-stream");
  EXPECT_TRUE(writer->is_stream());
  EXPECT_THAT(writer->head().content_type, HasSubstr("text/event-stream"));
  EXPECT_THAT(writer->body(), AllOf(HasSubstr("id: 1\ndata: {"), HasSubstr("\"one\"")));

  plugins_.emit(event("two"));
  plugins_.emit(event("three"));
  writer->run_posted();
  EXPECT_THAT(writer->body(), HasSubstr("\n\nid: 2\ndata: {"));
  EXPECT_THAT(writer->body(), HasSubstr("\n\nid: 3\ndata: {"));
  writer->listener()->on_silence();
  EXPECT_THAT(writer->body(), HasSubstr("\n\n: keep-alive\n\n"));
  EXPECT_FALSE(writer->has_ended());
}

TEST_F(RoutesPluginsTest, GoesOnWhereAClientLeftOff) {
  plugins_.emit(event("one"));
  plugins_.emit(event("two"));
  EXPECT_THAT(events("Text/Event-Stream, */*", "1")->body(), AllOf(HasSubstr("two"), Not(HasSubstr("one"))));
  // Of a server's earlier life.
  EXPECT_THAT(events("text/event-stream", "99")->body(), HasSubstr("one"));
}

TEST_F(RoutesPluginsTest, HoldsEventsBackForASlowClient) {
  const auto writer = events("text/event-stream");
  writer->set_congested(true);
  plugins_.emit(event("one"));
  writer->run_posted();
  writer->listener()->on_silence();
  EXPECT_EQ(writer->body(), "");
  writer->set_congested(false);
  EXPECT_THAT(writer->body(), HasSubstr("one"));
}

TEST_F(RoutesPluginsTest, EndsTheStreamWhenTheServerStopsOrTheClientLeaves) {
  const auto draining = events("text/event-stream"), aborted = events("text/event-stream"),
             left = events("text/event-stream");
  EXPECT_EQ(plugins_.num_hooks(), 3U);
  std::shared_ptr(draining->listener())->on_server_draining();
  std::shared_ptr(aborted->listener())->on_abort(Error{ErrorCode::kShuttingDown, ""});
  EXPECT_TRUE(draining->has_ended());
  EXPECT_TRUE(aborted->has_ended());
  left->close();
  EXPECT_EQ(plugins_.num_hooks(), 0U);
  plugins_.emit(event("late"));
  left->run_posted();
  EXPECT_EQ(left->body(), "");

  context_.is_draining = true;
  EXPECT_EQ(events("text/event-stream")->head().status, 503);
}

TEST_F(RoutesPluginsTest, IsReadyWhenEveryRequiredPluginIsActive) {
  EXPECT_EQ(get(handlers::get_readiness)->head().status, 200);
  plugins_.set_ready(false);
  EXPECT_EQ(get(handlers::get_readiness)->head().status, 503);
  EXPECT_EQ(get(handlers::get_readiness)->body(), R"({"status":"plugin_inactive"})");
  EXPECT_EQ(document(get(handlers::get_health))["error"]["code"], "plugin_failed");
  host_.set_models({});
  EXPECT_EQ(get(handlers::get_readiness)->body(), R"({"status":"loading"})");
}

TEST_F(RoutesPluginsTest, ExposesWhatPluginsCost) {
  auto status = FakePluginManager::make_status("acme/guard");
  status.calls = 7;
  status.failures = 2;
  status.rejections = 1;
  status.busy_seconds = 0.5;
  status.restarts = 3;
  status.memory_bytes = 1024;
  plugins_.set_plugins({status});
  plugins_.set_generations({generation(5)});
  metrics_.on_collect(plugin_collector(plugins_));
  const auto token = count_plugin_events(plugins_, metrics_);
  auto back = event("automatic_rollback");
  back.to = PluginState::kActive;
  plugins_.emit(back);
  plugins_.emit(event("automatic_rollback"));  // of the version that leaves
  back.reason_code = "reload";
  plugins_.emit(back);
  const std::string text = metrics_.expose();

  for (const std::string line :
       {"llamagpu_plugin_generation 5\n", "plugin_state{plugin=\"acme/guard\",state=\"active\"} 1\n",
        "plugin_state{plugin=\"acme/guard\",state=\"failed\"} 0\n",
        "plugin_calls_total{plugin=\"acme/guard\"} 7\n", "plugin_failures_total{plugin=\"acme/guard\"} 2\n",
        "plugin_rejections_total{plugin=\"acme/guard\"} 1\n",
        "plugin_busy_seconds_total{plugin=\"acme/guard\"} 0.5\n",
        "plugin_restarts_total{plugin=\"acme/guard\"} 3\n",
        "plugin_memory_bytes{plugin=\"acme/guard\"} 1024\n",
        "plugin_rollbacks_total{plugin=\"acme/guard\"} 1\n",
        "plugin_circuit_open{plugin=\"acme/guard\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  plugins_.set_plugins({});
  const std::string later = metrics_.expose();
  EXPECT_THAT(later, HasSubstr("plugin_state{plugin=\"acme/guard\",state=\"active\"} 0\n"));
  EXPECT_THAT(later, HasSubstr("plugin_memory_bytes{plugin=\"acme/guard\"} 0\n"));
}

}  // namespace
}  // namespace llama_gpu::server
