// SPDX-License-Identifier: Apache-2.0
#include "app/serve_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two models in a folder.
class ServePlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("One.Q4_0.gguf", "1");
    folder_.write("Two.Q4_0.gguf", "2");
    settings_.models.dir = folder_.path();
  }

  TemporaryFolder folder_;
  Settings settings_;
};

TEST_F(ServePlanTest, RunsEachModelAsTheSettingsSay) {
  settings_.engine.threads = 3;
  settings_.engine.ctx_size = 256;
  settings_.engine.parallel = 4;
  settings_.engine.isa = "scalar";
  settings_.engine.max_requests = 7;

  const auto specs = plan_models(settings_, {"two", folder_.path("One.Q4_0.gguf")}, {})->specs;

  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].id, "two");
  EXPECT_EQ(specs[1].id, "one");
  EXPECT_EQ(specs[1].options.model_path, folder_.path("One.Q4_0.gguf"));
  EXPECT_EQ(specs[1].options.num_threads, 3);
  EXPECT_EQ(specs[1].options.context_tokens, 256);
  EXPECT_EQ(specs[1].options.max_sequences, 4);
  EXPECT_EQ(specs[1].options.isa, "scalar");
  EXPECT_EQ(specs[1].options.max_requests, 7);
  EXPECT_GT(specs[1].created_unix_seconds, 0);
}

TEST_F(ServePlanTest, TakesTheDefaultModelWhereNoneIsNamed) {
  EXPECT_EQ(plan_models(settings_, {}, {}).error().code, ErrorCode::kModelNotFound);

  folder_.write(std::string(kDefaultModelFile), "0");

  EXPECT_EQ(plan_models(settings_, {}, {})->specs.front().id, kDefaultModelId);
}

TEST_F(ServePlanTest, LeavesOutWhatItCannotFindWhereItFindsOthers) {
  const auto plan = plan_models(settings_, {"three", "two", folder_.path()}, {});

  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->specs.size(), 1U);
  EXPECT_EQ(plan->specs[0].id, "two");
  ASSERT_EQ(plan->refused.size(), 2U);
  EXPECT_EQ(plan->refused[0].code, ErrorCode::kModelNotFound);
  EXPECT_EQ(plan->refused[1].code, ErrorCode::kNotAFile);
  EXPECT_EQ(plan_models(settings_, {"three", "four"}, {}).error().code, ErrorCode::kModelNotFound);
}

TEST_F(ServePlanTest, GivesAliasesOfFlagsAndSettingsToTheirModels) {
  settings_.models.aliases = {"first=one", "gone=missing", "second=two"};

  EXPECT_THAT(plan_models(settings_, {"first"}, {"mine", "mine", "also=one"})->specs.front().aliases,
              ElementsAre("first", "mine", "also"));
  const auto both = plan_models(settings_, {"one", "two"}, {"x=two"})->specs;
  EXPECT_THAT(both[0].aliases, ElementsAre("first"));
  EXPECT_THAT(both[1].aliases, ElementsAre("second", "x"));
  EXPECT_THAT(plan_models(settings_, {"one"}, {"one"})->specs.front().aliases, ElementsAre("first"));
}

TEST_F(ServePlanTest, GivesAliasesToAModelThatIsServedByItsPath) {
  const TemporaryFolder other;
  const std::string path = other.write("Else.Q4_1.gguf", "x");
  settings_.models.aliases = {"set=else"};

  const auto plan =
      plan_models(settings_, {path, "one"},
                  {"by-id=else", "by-path=" + path, "by-other-path=" + other.path() + "/./Else.Q4_1.gguf"});

  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_THAT(plan->specs[0].aliases, ElementsAre("set", "by-id", "by-path", "by-other-path"));
  EXPECT_THAT(plan->specs[1].aliases, IsEmpty());
  EXPECT_THAT(plan->refused, IsEmpty());
}

TEST_F(ServePlanTest, NamesAnAliasOfTheSettingsThatIsOfNoModel) {
  settings_.models.aliases = {"gone=missing", "idle=two"};

  const auto plan = plan_models(settings_, {"one"}, {});

  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->refused.size(), 1U);
  EXPECT_THAT(plan->refused[0].message,
              HasSubstr("models.aliases: 'gone' is left out: there is no model 'missing'"));
}

TEST_F(ServePlanTest, NeverGivesTheAliasOfAModelThatIsLeftOutToAnother) {
  EXPECT_THAT(plan_models(settings_, {"one", "missing.gguf"}, {"mine"}).error().message,
              HasSubstr("does not say of which model"));

  const auto plan = plan_models(settings_, {"one", "missing", folder_.path()},
                                {"m=missing", "f=" + folder_.path(), "n=MISSING", "o=one"});

  ASSERT_TRUE(plan.ok()) << plan.error().message;
  ASSERT_EQ(plan->specs.size(), 1U);
  EXPECT_THAT(plan->specs[0].aliases, ElementsAre("o"));
  ASSERT_EQ(plan->refused.size(), 5U);
  EXPECT_EQ(plan->refused[2].message, "--alias 'm' is left out, as its model 'missing' is");
  EXPECT_EQ(plan->refused[2].code, ErrorCode::kInvalidValue);
  EXPECT_EQ(plan->refused[2].param, "alias");
  EXPECT_THAT(plan->refused[3].message, HasSubstr("--alias 'f'"));
  EXPECT_THAT(plan->refused[4].message, HasSubstr("'MISSING'"));
  EXPECT_EQ(plan_models(settings_, {"one", "missing"}, {"m=other"}).error().code, ErrorCode::kModelNotFound);
}

TEST_F(ServePlanTest, RefusesAnAliasOfNoServedModel) {
  EXPECT_THAT(plan_models(settings_, {"one", "two"}, {"x"}).error().message,
              HasSubstr("does not say of which model"));
  EXPECT_THAT(plan_models(settings_, {"one"}, {"x=two"}).error().message,
              HasSubstr("is of 'two', which is not served"));
  EXPECT_EQ(plan_models(settings_, {"one"}, {"x=two"}).error().hint, "served: 'one'");
  EXPECT_EQ(plan_models(settings_, {"one"}, {"x=three"}).error().code, ErrorCode::kModelNotFound);
  EXPECT_THAT(plan_models(settings_, {"one"}, {"x=three"}).error().message,
              HasSubstr("--alias 'x': there is no model 'three'"));
  EXPECT_EQ(plan_models(settings_, {"one"}, {"=x"}).error().message,
            "--alias: '=x' is not valid, expected NAME or NAME=MODEL");
  EXPECT_EQ(plan_models(settings_, {"one"}, {"=x"}).error().code, ErrorCode::kInvalidValue);
}

TEST(ServePlan, StartsTheServerAsTheSettingsSay) {
  Settings settings;
  EXPECT_THAT(plan_server(settings).api_keys, IsEmpty());

  settings.server.port = 9000;
  settings.server.api_key = "k";
  settings.server.max_body_bytes = 4096;
  const server::ServerOptions options = plan_server(settings);

  EXPECT_EQ(options.port, 9000);
  EXPECT_THAT(options.api_keys, ElementsAre("k"));
  EXPECT_EQ(options.max_body_bytes, 4096);
  EXPECT_EQ(options.max_unfinished_body_bytes, 256 << 20);
}

TEST(ServePlan, TellsWorkersHowToLog) {
  Settings settings;
  settings.log.format = "json";

  const supervisor::WorkerCommand command = plan_worker(settings, "/bin/program");

  EXPECT_EQ(command.program, "/bin/program");
  EXPECT_THAT(command.arguments, ElementsAre("llama-gpu", "engine-worker", "--fd", "3", "--log-level", "info",
                                             "--log-format", "json"));
  EXPECT_THAT(command.secret_variables,
              ::testing::UnorderedElementsAre("LLAMAGPU_API_KEY", "LLAMAGPU_API_KEY_FILE",
                                              "LLAMAGPU_SERVER__API_KEY", "LLAMAGPU_SERVER__API_KEY_FILE"));
}

TEST(ServePlan, GivesWorkersTheFailpointsOfAnySource) {
  Settings settings;
  settings.debug.failpoints = "engine.step=error";
  EXPECT_THAT(plan_worker(settings, "x").arguments,
              ::testing::IsSupersetOf({"--failpoints", "engine.step=error"}));
}

TEST(ServePlan, NamesAnAddressThatOneCanOpen) {
  EXPECT_EQ(local_url("127.0.0.1", 8484), "http://127.0.0.1:8484");
  EXPECT_EQ(local_url("0.0.0.0", 80), "http://127.0.0.1:80");
  EXPECT_EQ(local_url("::", 80), "http://[::1]:80");
  EXPECT_EQ(local_url("localhost", 1), "http://localhost:1");
}

}  // namespace
}  // namespace llama_gpu::app
