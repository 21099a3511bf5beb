// SPDX-License-Identifier: Apache-2.0
//
// The verbs that run a model, on a tiny one of random weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/cli.h"
#include "app/console_fake.h"
#include "app/http_server_fake.h"
#include "base/log.h"
#include "base/temporary_folder_fake.h"
#include "support/tiny_model.h"

namespace llama_gpu::app {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

class ModelVerbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = folder_.path("Tiny.Q8_0.gguf");
    ASSERT_TRUE(test_support::write_tiny_llama(model_).ok());
    environment_ = Environment::of_variables(
        {{"HOME", folder_.path()}, {"LLAMAGPU_MODELS", folder_.path()}, {"LLAMAGPU_ENGINE__THREADS", "1"}});
  }
  void TearDown() override { configure_logging({}); }

  int run(std::vector<std::string> arguments, const std::string& input = "") {
    ConsoleFake fake(input);
    const int exit_code = run_cli(arguments, {fake.console, environment_, interrupts_});
    out_ = fake.out.str();
    err_ = fake.err.str();
    return exit_code;
  }

  TemporaryFolder folder_;
  std::string model_;
  Environment environment_;
  Interrupts interrupts_;
  std::string out_, err_;
};

TEST_F(ModelVerbTest, RunAnswersTheSameForTheSameSeed) {
  ASSERT_EQ(run({"run", "tiny", "hello", "there", "--max-tokens", "8", "--seed", "5"}), 0) << err_;
  const std::string first = out_;

  EXPECT_EQ(run({"run", model_, "hello there", "--max-tokens", "8", "--seed", "5", "--temperature", "1",
                 "--top-p", "1"}),
            0);
  EXPECT_EQ(out_, first);
  EXPECT_TRUE(first.ends_with("\n"));
  EXPECT_EQ(run({"run", "tiny", "--max-tokens", "8", "--seed", "5"}, "hello there\n"), 0);
  EXPECT_EQ(out_, first);
  EXPECT_EQ(err_, "");
}

TEST_F(ModelVerbTest, RunTakesASystemPrompt) {
  EXPECT_EQ(run({"run", "tiny", "hello", "--system", "be brief", "--max-tokens", "4", "--temperature", "0"}),
            0);
}

TEST_F(ModelVerbTest, RunRefusesWhatIsNoPrompt) {
  EXPECT_EQ(run({"run", "tiny"}, ""), 2);
  EXPECT_THAT(err_, HasSubstr("there is no prompt"));
  EXPECT_EQ(run({"run", "tiny"}, "\xFF"), 2);
  EXPECT_THAT(err_, HasSubstr("not UTF-8"));
  EXPECT_EQ(run({"run", "tiny", "x", "--temperature", "3"}), 2);
  EXPECT_EQ(run({"run", "tiny", std::string(4000, 'x')}), 2);
  EXPECT_THAT(err_, HasSubstr("context"));
  EXPECT_EQ(out_, "");
}

TEST_F(ModelVerbTest, RunNamesAMissingModelAndBackend) {
  EXPECT_EQ(run({"run", "tinny", "x"}), 66);
  EXPECT_THAT(err_, HasSubstr("did you mean 'tiny'?"));
  EXPECT_EQ(run({"run", "tiny", "x", "--backend", "gpu"}), 2);
  EXPECT_THAT(err_, HasSubstr("--backend: 'gpu' is not valid, expected one of cpu, reference"));
}

TEST_F(ModelVerbTest, RunEndsWithTheSignalsCode) {
  interrupts_.raise(SIGINT);

  EXPECT_EQ(run({"run", "tiny", "x"}), 130);
}

TEST_F(ModelVerbTest, RunAsksAServer) {
  const HttpServerFake server([](const HttpServerFake::Request& request) {
    if (request.target == "/v1/models")
      return HttpServerFake::Reply{200, {}, R"({"data":[{"id":"served"}]})"};
    return HttpServerFake::Reply{
        200, {}, "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n"};
  });

  EXPECT_EQ(run({"run", "--url", server.url()}, "hello"), 0);
  EXPECT_EQ(out_, "Hi\n");
  EXPECT_THAT(server.requests()[1].body, StartsWith("{\"model\":\"served\""));
  EXPECT_EQ(run({"run", "mine", "hello", "--url", server.url(), "--api-key", "k"}), 0);
  EXPECT_THAT(server.requests()[3].body, StartsWith("{\"model\":\"mine\""));
  EXPECT_EQ(server.requests()[3].headers.at("authorization"), "Bearer k");
  EXPECT_EQ(err_, "");
}

TEST_F(ModelVerbTest, RunWarnsOfFlagsThatAServerDoesNotHear) {
  const HttpServerFake server([](const HttpServerFake::Request& request) {
    if (request.target == "/v1/models") return HttpServerFake::Reply{404, {}, ""};
    return HttpServerFake::Reply{200, {}, "data: [DONE]\n\n"};
  });

  EXPECT_EQ(run({"run", "m", "hello", "--url", server.url(), "--threads", "1", "--ctx-size", "64"}), 0);
  EXPECT_EQ(err_,
            "llama-gpu: warning: --threads, --ctx-size: no effect with --url, where the server decides\n");
}

TEST_F(ModelVerbTest, RunContinuesATextWhereAServersModelHasNoTemplate) {
  const HttpServerFake server([](const HttpServerFake::Request& request) {
    if (request.target == "/v1/models") {
      return HttpServerFake::Reply{
          200, {}, R"({"data":[{"id":"base","aliases":["b"],"meta":{"has_chat_template":false}}]})"};
    }
    return HttpServerFake::Reply{200, {}, "data: {\"choices\":[{\"text\":\" upon\"}]}\n\ndata: [DONE]\n\n"};
  });

  for (const char* name : {"base", "b"}) {
    EXPECT_EQ(run({"run", name, "Once", "--url", server.url()}), 0);
    EXPECT_EQ(out_, " upon\n");
    EXPECT_EQ(err_, "no chat template: continuing the text as it is\n");
    EXPECT_EQ(server.requests().back().target, "/v1/completions");
    EXPECT_THAT(server.requests().back().body, StartsWith("{\"model\":\"" + std::string(name) + "\""));
  }
  EXPECT_EQ(run({"run", "base", "Once", "--url", server.url(), "--system", "be brief"}), 2);
}

TEST_F(ModelVerbTest, RunContinuesATextWhereTheModelHasNoTemplate) {
  const std::string base = folder_.path("Base.Q8_0.gguf");
  ASSERT_TRUE(
      test_support::write_tiny_llama(base, {.tokenizer = test_support::TinyTokenizer::kSentencePiece}).ok());

  ASSERT_EQ(run({"run", "base", "hello", "--max-tokens", "8", "--temperature", "0"}), 0) << err_;
  EXPECT_EQ(err_, "no chat template: continuing the text as it is\n");
  EXPECT_EQ(run({"run", "base", "hello", "--system", "be brief"}), 2);
  EXPECT_THAT(err_, HasSubstr("--system: this model has no chat template"));
}

TEST_F(ModelVerbTest, RunSaysThatNoServerAnswers) {
  std::string gone;
  {
    gone = HttpServerFake([](const HttpServerFake::Request&) { return HttpServerFake::Reply{}; }).url();
  }

  EXPECT_EQ(run({"run", "m", "hello", "--url", gone}), 69);
  EXPECT_THAT(err_, HasSubstr("cannot reach"));
}

TEST_F(ModelVerbTest, ShowKnowsWhatTheFileHolds) {
  ASSERT_EQ(run({"show", "tiny", "--json", "--tensors"}), 0) << err_;

  const Json json = Json::parse(out_);
  EXPECT_EQ(json["path"], model_);
  EXPECT_EQ(json["id"], "tiny");
  EXPECT_EQ(json["size_bytes"], std::filesystem::file_size(model_));
  EXPECT_EQ(json["metadata"]["general.architecture"], "llama");
  EXPECT_EQ(json["metadata"]["tokenizer.ggml.tokens"]["count"], 320);
  EXPECT_EQ(json["num_tensors"], json["tensors"].size());
  EXPECT_GT(json["types"]["Q8_0"]["size_bytes"], 0);
  ASSERT_EQ(run({"show", "tiny", "--json", "--full"}), 0);
  EXPECT_EQ(Json::parse(out_)["metadata"]["tokenizer.ggml.tokens"].size(), 320U);
}

TEST_F(ModelVerbTest, ShowWritesText) {
  ASSERT_EQ(run({"show", model_, "--tensors"}), 0);

  EXPECT_THAT(out_, HasSubstr("general.architecture  llama\n"));
  EXPECT_THAT(out_, HasSubstr("token_embd.weight  Q8_0  [320,64]\n"));
}

TEST_F(ModelVerbTest, ShowWarnsOfWhatIsOddAboutTheFile) {
  ASSERT_EQ(run({"show", "tiny", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["warnings"], Json::array());
  std::ofstream(model_, std::ios::app | std::ios::binary) << "trailing";

  ASSERT_EQ(run({"show", "tiny", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["warnings"].size(), 1U);
  EXPECT_THAT(Json::parse(out_)["warnings"][0], HasSubstr("8 bytes behind the last tensor"));
  ASSERT_EQ(run({"show", "tiny"}), 0);
  EXPECT_THAT(out_, ContainsRegex("\nwarning +8 bytes behind"));
  ASSERT_EQ(run({"run", "tiny", "hello", "--max-tokens", "1"}), 0);
}

TEST_F(ModelVerbTest, BenchMeasuresEveryFigure) {
  ASSERT_EQ(run({"bench", "tiny", "--prompt", "16", "--generate", "4", "--streams", "2", "--repeat", "2",
                 "--json"}),
            0)
      << err_;

  const Json json = Json::parse(out_);
  for (const char* key :
       {"prefill_tokens_per_second", "decode_tokens_per_second", "read_bandwidth_bytes_per_second",
        "decode_share_of_limit", "start_seconds", "peak_memory_bytes"}) {
    ASSERT_TRUE(json.contains(key)) << key;
    EXPECT_GT(json[key]["min"], 0) << key;
    EXPECT_LE(json[key]["min"], json[key]["median"]) << key;
    EXPECT_LE(json[key]["median"], json[key]["max"]) << key;
  }
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["streams"], 2);
  EXPECT_EQ(err_, "");
}

TEST_F(ModelVerbTest, BenchWritesATable) {
  ASSERT_EQ(run({"bench", "tiny", "--prompt", "8", "--generate", "2", "--repeat", "1"}), 0) << err_;

  EXPECT_THAT(out_, StartsWith("tiny on cpu"));
  EXPECT_THAT(out_, HasSubstr("decode_share_of_limit"));
}

TEST_F(ModelVerbTest, BenchRefusesWorkThatDoesNotFit) {
  EXPECT_NE(run({"bench", "tiny", "--prompt", "100000", "--repeat", "1"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(run({"bench", "tiny", "--prompt", "0"}), 2);
  interrupts_.raise(SIGINT);
  EXPECT_EQ(run({"bench", "tiny", "--prompt", "8", "--generate", "2"}), 130);
}

}  // namespace
}  // namespace llama_gpu::app
