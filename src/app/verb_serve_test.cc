// SPDX-License-Identifier: Apache-2.0
//
// `serve` in this process, with workers that are the real program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <thread>

#include "app/cli.h"
#include "app/http_client.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/temporary_folder_fake.h"
#include "support/tiny_model.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

// What is written, for another thread to wait for. Thread-safe.
class WatchedBuffer final : public std::streambuf {
 public:
  // All text, once it holds `part`, or nothing after a minute.
  std::string wait_for(std::string_view part) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::minutes(1),
                                        [&] { return text_.find(part) != std::string::npos; });
    return came ? text_ : "";
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  int_type overflow(int_type c) override {
    const char byte = traits_type::to_char_type(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    {
      const std::lock_guard lock(mutex_);
      text_.append(bytes, size_t(count));
    }
    changed_.notify_all();
    return count;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;  // guarded by mutex_
};

// One `serve` on its own thread.
class ServeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = folder_.path("Tiny.Q8_0.gguf");
    ASSERT_TRUE(test_support::write_tiny_llama(model_).ok());
  }
  void TearDown() override {
    stop();
    configure_logging({});
  }

  void serve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "serve");
    arguments.insert(arguments.end(), {"--threads", "1", "--log-level", "error"});
    server_ = std::thread([this, arguments] {
      std::istringstream in;
      std::ostream out(&out_), err(&err_);
      Console console{in, out, err};
      exit_code_ = run_cli(arguments, {console, environment_, interrupts_, LLAMAGPU_TEST_PROGRAM});
    });
  }

  int join() {
    server_.join();
    return exit_code_;
  }
  int stop() {
    if (!server_.joinable()) return exit_code_;
    interrupts_.raise(SIGTERM);
    return join();
  }

  // "http://127.0.0.1:PORT" as it was announced.
  std::string url() {
    const std::string text = err_.wait_for("/v1");
    const size_t begin = text.find("http://");
    return begin == std::string::npos ? "" : text.substr(begin, text.find_first_of("\n/", begin + 7) - begin);
  }

  Json get(const std::string& path) {
    const HttpClient http(environment_, never_);
    const Result<HttpResponse> response = http.send({.url = url() + path, .body = {}, .headers = {}});
    return response.ok() ? Json::parse(response->body, nullptr, false) : Json(response.error().message);
  }

  // Whether it came true before long.
  static bool eventually(const std::function<bool()>& is_true) {
    for (int i = 0; i < 3000; ++i) {
      if (is_true()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  TemporaryFolder folder_;
  std::string model_;
  Environment environment_ =
      Environment::of_variables({{"HOME", folder_.path()}, {"LLAMAGPU_MODELS", folder_.path()}});
  Interrupts interrupts_;
  const std::atomic<bool> never_ = false;
  WatchedBuffer out_, err_;
  std::thread server_;
  int exit_code_ = -1;
};

TEST_F(ServeTest, ServesUntilASignalComesAndEndsWithZero) {
  serve({"tiny", "--port", "0", "--alias", "mine", "--first-prompt", "hello"});
  ASSERT_NE(err_.wait_for("Serving until Ctrl-C"), "") << err_.text();

  const Json models = get("/v1/models");
  EXPECT_EQ(models["data"][0]["id"], "tiny") << models;
  EXPECT_EQ(models["data"][0]["aliases"][0], "mine");
  EXPECT_TRUE(get("/v1/models/mine").contains("id"));
  EXPECT_EQ(get("/admin/workers")["workers"][0]["state"], "ready");
  EXPECT_THAT(out_.text(), HasSubstr("> hello\n"));

  EXPECT_EQ(stop(), 0);
  EXPECT_THAT(err_.text(), HasSubstr("stopping"));
}

TEST_F(ServeTest, AnswersARunAgainstIt) {
  serve({model_, "--port", "0"});
  ASSERT_NE(url(), "");
  std::istringstream in;
  std::ostringstream out, err;
  Console console{in, out, err};
  Interrupts none;
  const std::vector<std::string> arguments = {"run",          "tiny", "hello",       "--url", url(),
                                              "--max-tokens", "4",    "--log-level", "error"};

  EXPECT_EQ(run_cli(arguments, {console, environment_, none}), 0) << err.str();
  EXPECT_TRUE(out.str().ends_with("\n"));
}

TEST_F(ServeTest, SaysThatThePortIsInUse) {
  serve({"tiny", "--port", "0"});
  const std::string port(split(url(), ':').back());
  std::istringstream in;
  std::ostringstream out, err;
  Console console{in, out, err};
  Interrupts none;
  const std::vector<std::string> arguments = {"serve", "tiny", "--port", port, "--log-level", "error"};
  const std::string marker = folder_.path("started");
  const std::string worker = folder_.write("worker", "#!/bin/sh\n: >'" + marker + "'\n");
  std::filesystem::permissions(worker, std::filesystem::perms::owner_all);

  EXPECT_EQ(run_cli(arguments, {console, environment_, none, worker}), 69);
  EXPECT_FALSE(std::filesystem::exists(marker)) << "a worker was started before the port was there";
  EXPECT_THAT(err.str(), HasSubstr(port));
  EXPECT_EQ(out.str(), "");
}

TEST_F(ServeTest, EndsWhereTheModelCannotBeLoaded) {
  folder_.write("broken.gguf", "GGUF, but not really");

  serve({"broken", "--port", "0"});

  EXPECT_EQ(join(), 66);
  EXPECT_THAT(err_.text(), HasSubstr("the model 'broken' cannot be loaded: "));
}

TEST_F(ServeTest, HasItsWorkersFailWhereTheSettingsFileSaysSo) {
  folder_.write("config.toml", "[debug]\nfailpoints = \"model_file.map=error:model_invalid\"\n");

  serve({"tiny", "--port", "0", "--config", folder_.path("config.toml")});

  EXPECT_EQ(join(), 66);
  EXPECT_THAT(err_.text(), HasSubstr("failpoint 'model_file.map'"));
  ASSERT_TRUE(set_failpoints("").ok());
}

TEST_F(ServeTest, ServesTheModelsThatCanBeLoaded) {
  folder_.write("broken.gguf", "GGUF, but not really");
  serve({"missing", "broken", "tiny", "--port", "0"});
  ASSERT_NE(url(), "");
  ASSERT_TRUE(eventually([&] { return get("/readyz")["status"] == "ok"; }));

  EXPECT_THAT(err_.text(), HasSubstr("there is no model 'missing'"));
  ASSERT_TRUE(eventually([&] { return get("/admin/workers")["workers"][0]["state"] == "failed"; }));
  EXPECT_EQ(get("/admin/workers")["workers"][0]["last_exit"]["kind"], "load_failed");
  EXPECT_EQ(get("/readyz")["status"], "ok");
  EXPECT_EQ(stop(), 0);
}

TEST_F(ServeTest, EndsWithTheCodeOfWhyTheModelCannotBeLoaded) {
  serve({"tiny", "--port", "0", "--ctx-size", "100000"});

  EXPECT_EQ(join(), 2);
  EXPECT_THAT(err_.text(), HasSubstr("the model 'tiny' cannot be loaded: "));
}

TEST_F(ServeTest, ASecondSignalEndsItAtOnce) {
  serve({"tiny", "--port", "0", "--first-prompt", "hello"});
  ASSERT_NE(err_.wait_for("Serving until Ctrl-C"), "") << err_.text();
  // It cannot hear that it is to stop.
  ::kill(get("/admin/workers")["workers"][0]["pid"].get<pid_t>(), SIGSTOP);

  interrupts_.raise(SIGINT);
  ASSERT_NE(err_.wait_for("stopping"), "");
  interrupts_.raise(SIGINT);

  EXPECT_EQ(join(), 130);
}

TEST_F(ServeTest, EndsWhereTheModelCannotBeLoadedForWantOfMemory) {
  folder_.write("config.toml", "[debug]\nfailpoints = \"model_file.map=error:out_of_memory\"\n");

  serve({"tiny", "--port", "0", "--config", folder_.path("config.toml")});

  EXPECT_EQ(join(), 71);
  EXPECT_THAT(err_.text(), HasSubstr("the model 'tiny' cannot be loaded: failpoint 'model_file.map'"));
  ASSERT_TRUE(set_failpoints("").ok());
}

TEST_F(ServeTest, NeedsAKeyWhereOthersCanReachIt) {
  serve({"tiny", "--port", "0", "--host", "0.0.0.0"});

  EXPECT_EQ(join(), 78);
  EXPECT_THAT(err_.text(), HasSubstr("--api-key"));
}

TEST_F(ServeTest, NamesAMissingModel) {
  serve({"tinny"});

  EXPECT_EQ(join(), 66);
  EXPECT_THAT(err_.text(), HasSubstr("did you mean 'tiny'?"));
}

}  // namespace
}  // namespace llama_gpu::app
