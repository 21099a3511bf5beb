// SPDX-License-Identifier: Apache-2.0
// Routes that answer at once, or after one call of the host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/clock_fake.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/response_writer_fake.h"
#include "server/routes.gen.h"
#include "server/server_context.h"
#include "server/server_metrics.h"

namespace llama_gpu::server {
namespace {

using supervisor::ExitKind;
using supervisor::WorkerState;
using testing::AllOf;
using testing::HasSubstr;

class RoutesTest : public testing::Test {
 protected:
  std::shared_ptr<RecordingWriter> call(Handler handler, std::string body = "", std::string argument = "") {
    auto writer = std::make_shared<RecordingWriter>();
    HttpRequest request;
    request.body = std::move(body);
    handler(Exchange{.server = context_,
                     .request = std::move(request),
                     .path_argument = std::move(argument),
                     .request_id = "req",
                     .writer = writer});
    writer->run_posted();
    return writer;
  }

  static supervisor::ServedModel model(std::string id, bool is_ready) {
    supervisor::ServedModel model;
    model.id = std::move(id);
    model.is_ready = is_ready;
    return model;
  }

  static supervisor::WorkerStatus worker(WorkerState state) {
    supervisor::WorkerStatus worker;
    worker.id = "w";
    worker.model = "fake";
    worker.state = state;
    return worker;
  }

  static Json document(const std::shared_ptr<RecordingWriter>& writer) { return *read_json(writer->body()); }

  FakeModelHost host_;
  telemetry::Registry metrics_;
  FakeClock clock_;
  ServerOptions options_{.version = "1.2.3"};
  ServerContext context_{.options = options_,
                         .host = host_,
                         .metrics = metrics_,
                         .assets = {},
                         .clock = clock_,
                         .access = AccessControl(options_)};
};

TEST_F(RoutesTest, ListsModelsWithAndWithoutWhatLoadingTold) {
  auto models = host_.models();
  models.push_back(model("loading", false));
  host_.set_models(models);
  const Json list = document(call(handlers::list_models));

  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["data"][0]["id"], "fake");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["aliases"].dump(), R"(["alias"])");
  EXPECT_EQ(list["data"][0]["context_tokens"], 2048);
  EXPECT_EQ(list["data"][0]["meta"]["vocab_size"], 0);
  EXPECT_EQ(list["data"][1]["is_ready"], false);
  EXPECT_TRUE(list["data"][1]["meta"].is_null());
}

TEST_F(RoutesTest, FindsAModelByIdOrAlias) {
  EXPECT_EQ(document(call(handlers::get_model, "", "alias"))["id"], "fake");
  EXPECT_EQ(call(handlers::get_model, "", "nope")->head().status, 404);
}

TEST_F(RoutesTest, TokenizesWithTheFirstModelWhereNoneIsNamed) {
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"ab"})")->body(), R"({"tokens":[97,98]})");
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"ab","model":null})")->head().status, 200);
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"ab","model":"nope"})")->head().status, 404);
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"ab","model":""})")->head().status, 404);
  host_.set_models({});
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"ab"})")->head().status, 404);
  EXPECT_EQ(call(handlers::tokenize, "{}")->head().status, 400);
}

TEST_F(RoutesTest, TokenizesWithPiecesAsTextOrAsBytes) {
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"a\né","with_pieces":true})")->body(),
            R"({"tokens":[{"id":97,"piece":"a"},{"id":10,"piece":"\n"},)"
            R"({"id":195,"piece":[195]},{"id":169,"piece":[169]}]})");
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"","with_pieces":true})")->body(), R"({"tokens":[]})");
  EXPECT_EQ(call(handlers::tokenize, R"({"content":"a","with_pieces":1})")->head().status, 400);
}

TEST_F(RoutesTest, Detokenizes) {
  const auto writer = call(handlers::detokenize, R"({"tokens":[97,10],"x":1})");
  EXPECT_EQ(writer->body(), R"({"content":"a\n"})");
  EXPECT_EQ(writer->head().headers.find("x-ignored-fields"), "x");
  EXPECT_EQ(call(handlers::detokenize, R"({"tokens":[],"model":"nope"})")->head().status, 404);
  EXPECT_EQ(call(handlers::detokenize, "{}")->head().status, 400);
}

TEST_F(RoutesTest, AppliesTheTemplate) {
  EXPECT_EQ(call(handlers::apply_template, R"({"messages":[{"role":"user","content":"hi"}]})")->body(),
            R"({"prompt":"user: hi\nassistant:"})");
  EXPECT_EQ(call(handlers::apply_template, R"({"messages":[{"role":"user","content":"hi"}],"model":"x"})")
                ->head()
                .status,
            404);
  EXPECT_EQ(call(handlers::apply_template, "{}")->head().status, 400);
}

TEST_F(RoutesTest, PassesAnErrorOfTheHostOn) {
  host_.set_call_error(Error{ErrorCode::kTemplateError, "the template refused the messages"});

  EXPECT_EQ(call(handlers::apply_template, R"({"messages":[{"role":"user","content":"hi"}]})")->head().status,
            400);
}

TEST_F(RoutesTest, AnswersATimeoutOnce) {
  host_.hold_calls(true);
  const auto writer = call(handlers::tokenize, R"({"content":"ab"})");
  const auto listener = writer->listener();
  listener->on_abort(Error{ErrorCode::kOverloaded, "no answer"});
  listener->on_closed();
  EXPECT_EQ(host_.num_cancels(), 1U);
  host_.release_held();
  writer->run_posted();

  EXPECT_EQ(writer->head().status, 503);
}

TEST_F(RoutesTest, TakesBackACallWhoseClientLeft) {
  host_.hold_calls(true);
  const auto writer = call(handlers::tokenize, R"({"content":"ab"})");
  writer->close();
  EXPECT_EQ(host_.num_cancels(), 1U);
  host_.release_held();
  writer->run_posted();

  EXPECT_FALSE(writer->has_begun());
}

TEST_F(RoutesTest, IsHealthyWhileEveryModelCanBeAskedAndReadyWhileOneCanAndNoneLoads) {
  EXPECT_EQ(call(handlers::get_readiness)->body(), R"({"status":"ok"})");
  EXPECT_EQ(call(handlers::get_health)->body(),
            R"({"status":"ok","models":[{"id":"fake","is_ready":true}]})");

  host_.set_models({model("a", true), model("b", false)});
  EXPECT_EQ(call(handlers::get_readiness)->head().status, 503);
  EXPECT_EQ(call(handlers::get_readiness)->body(), R"({"status":"loading"})");
  EXPECT_EQ(call(handlers::get_health)->head().status, 503);
  EXPECT_EQ(document(call(handlers::get_health))["error"]["code"], "model_loading");

  auto given_up = worker(WorkerState::kFailed);
  given_up.model = "b";
  host_.set_workers({given_up});
  EXPECT_EQ(call(handlers::get_readiness)->body(), R"({"status":"ok"})");
  const auto failed = call(handlers::get_health);
  EXPECT_EQ(failed->head().status, 503);
  EXPECT_NE(failed->head().headers.find("Retry-After"), std::nullopt);
  EXPECT_EQ(failed->body(),
            R"({"status":"failed","models":[{"id":"a","is_ready":true},{"id":"b","is_ready":false}],)"
            R"("error":{"message":"a model cannot be loaded; GET /admin/workers says why",)"
            R"("type":"server_error","param":null,"code":"worker_failed"}})");
  host_.set_models({model("b", false)});
  EXPECT_EQ(call(handlers::get_readiness)->body(), R"({"status":"failed"})");

  host_.set_models({});
  EXPECT_EQ(call(handlers::get_readiness)->head().status, 503);
}

TEST_F(RoutesTest, IsAliveButNotReadyWhileItStops) {
  context_.is_draining = true;

  EXPECT_EQ(call(handlers::get_readiness)->body(), R"({"status":"draining"})");
  EXPECT_EQ(document(call(handlers::get_health))["error"]["code"], "shutting_down");
  EXPECT_EQ(call(handlers::get_liveness)->head().status, 200);
}

TEST_F(RoutesTest, TellsItsVersion) {
  EXPECT_EQ(call(handlers::get_version)->body(), R"({"version":"1.2.3"})");
}

TEST_F(RoutesTest, ServesTheDocumentOfTheApi) {
  const Json api = document(call(handlers::get_openapi));

  EXPECT_EQ(api["openapi"], "3.1.0");
  EXPECT_EQ(api["components"]["schemas"]["ChatCompletionRequest"]["properties"]["temperature"]["maximum"], 2);
  for (const Route& route : kRoutes)
    EXPECT_TRUE(api["paths"].contains(std::string(route.pattern))) << route.pattern;
}

TEST_F(RoutesTest, ListsWorkersAndWhyTheyEnded) {
  auto running = worker(WorkerState::kReady), gone = worker(WorkerState::kBackoff);
  running.pid = 42;
  running.since_unix_seconds = 7;
  running.stats.running = 3;
  gone.restarts = 2;
  gone.last_exit = {
      .kind = ExitKind::kCrashed, .signal = 9, .exit_code = 0, .message = "m", .log_tail = "a\xFF\n"};
  auto failed = worker(WorkerState::kFailed);
  failed.last_exit = {
      .kind = ExitKind::kLoadFailed, .signal = 0, .exit_code = 66, .message = "", .log_tail = ""};
  host_.set_workers({running, gone, failed});

  const Json workers = document(call(handlers::list_workers))["workers"];
  EXPECT_EQ(workers[0]["pid"], 42);
  EXPECT_EQ(workers[0]["state"], "ready");
  EXPECT_EQ(workers[0]["since"], 7);
  EXPECT_EQ(workers[0]["stats"]["running"], 3);
  EXPECT_TRUE(workers[0]["last_exit"].is_null());
  EXPECT_TRUE(workers[1]["pid"].is_null());
  EXPECT_EQ(workers[1]["restarts"], 2);
  EXPECT_EQ(workers[1]["last_exit"]["kind"], "crashed");
  EXPECT_EQ(workers[1]["last_exit"]["signal"], 9);
  EXPECT_EQ(workers[1]["last_exit"]["log_tail"], "a�\n");
  EXPECT_TRUE(workers[2]["last_exit"]["signal"].is_null());
  EXPECT_EQ(workers[2]["last_exit"]["exit_code"], 66);
}

TEST_F(RoutesTest, ExposesWhatWorkersReport) {
  auto one = worker(WorkerState::kReady), two = worker(WorkerState::kReady);
  one.stats = {.running = 2, .waiting = 1, .kv_blocks_total = 10, .kv_blocks_used = 4, .preemptions = 3};
  one.memory_bytes = 100;
  two.stats.running = 1;
  two.restarts = 5;
  host_.set_workers({one, two});
  expose_known_series(host_, metrics_);
  collect_metrics(host_, metrics_);

  EXPECT_THAT(call(handlers::get_metrics)->body(),
              AllOf(HasSubstr("llamagpu_requests_running{model=\"fake\"} 3\n"),
                    HasSubstr("llamagpu_requests_waiting{model=\"fake\"} 1\n"),
                    HasSubstr("llamagpu_kv_blocks_used{model=\"fake\"} 4\n"),
                    HasSubstr("llamagpu_generation_tokens_total{model=\"fake\"} 0\n"),
                    HasSubstr("llamagpu_worker_restarts_total{model=\"fake\"} 5\n"),
                    HasSubstr("llamagpu_workers{model=\"fake\",state=\"ready\"} 2\n"),
                    HasSubstr("llamagpu_worker_memory_bytes{model=\"fake\"} 100\n")));
}

}  // namespace
}  // namespace llama_gpu::server
