// SPDX-License-Identifier: Apache-2.0
#include "telemetry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "base/strings.h"

namespace llama_gpu::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Registry, ExposesMetricsWithoutLabelsFromTheStart) {
  Registry registry;

  EXPECT_THAT(registry.expose(),
              HasSubstr("# TYPE llamagpu_process_memory_bytes gauge\nllamagpu_process_memory_bytes 0\n"));
}

TEST(Registry, CountsByLabel) {
  Registry registry;

  registry.add(Counter::kHttpRequestsTotal, 1, {"/v1/models", "2xx"});
  registry.add(Counter::kHttpRequestsTotal, 2, {"/v1/models", "2xx"});
  registry.add(Counter::kHttpRequestsTotal, 1, {"/v1/models", "4xx"});

  EXPECT_THAT(registry.expose(),
              HasSubstr(R"(llamagpu_http_requests_total{route="/v1/models",status_class="2xx"} 3)"));
  EXPECT_THAT(registry.expose(),
              HasSubstr(R"(llamagpu_http_requests_total{route="/v1/models",status_class="4xx"} 1)"));
}

TEST(Registry, SetsGaugesAndFillsBuckets) {
  Registry registry;

  registry.set(Gauge::kRequestsRunning, 5, {"m"});
  registry.add(Gauge::kRequestsRunning, -2, {"m"});
  registry.observe(Histogram::kTimeToFirstTokenSeconds, 0.15, {"m"});

  const std::string text = registry.expose();
  EXPECT_THAT(text, HasSubstr("llamagpu_requests_running{model=\"m\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("llamagpu_time_to_first_token_seconds_bucket{model=\"m\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("llamagpu_time_to_first_token_seconds_bucket{model=\"m\",le=\"0.2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("llamagpu_time_to_first_token_seconds_count{model=\"m\"} 1\n"));
}

TEST(Registry, ShowsSeriesThatWaitForTheirFirstEvent) {
  Registry registry;

  registry.expose_early(Counter::kPromptTokensTotal, {"m"});
  registry.expose_early(Histogram::kQueueTimeSeconds, {"m"});

  const std::string text = registry.expose();
  EXPECT_THAT(text, HasSubstr("llamagpu_prompt_tokens_total{model=\"m\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("llamagpu_queue_time_seconds_count{model=\"m\"} 0\n"));
}

TEST(Registry, FollowsATotalThatStartsAgain) {
  Registry registry;

  for (double total : {10.0, 15.0, 4.0}) registry.follow(Counter::kPreemptionsTotal, total, {"m"});

  EXPECT_THAT(registry.expose(), HasSubstr("llamagpu_preemptions_total{model=\"m\"} 19\n"));
}

TEST(Registry, CountsLabelValuesBeyondTheBoundAsOther) {
  Registry registry;

  for (int i = 0; i < 1000; ++i) registry.add(Counter::kPromptTokensTotal, 1, {"model-" + std::to_string(i)});

  const std::string text = registry.expose();
  EXPECT_THAT(text, HasSubstr("llamagpu_prompt_tokens_total{model=\"model-63\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("llamagpu_prompt_tokens_total{model=\"other\"} 936\n"));
  EXPECT_THAT(text, Not(HasSubstr("model-64")));
}

TEST(Registry, AsksItsCollectorsBeforeItExposes) {
  Registry registry;
  int num_calls = 0;
  registry.on_collect([&](Registry& r) { r.set(Gauge::kHttpConnections, ++num_calls); });

  registry.expose();

  EXPECT_THAT(registry.expose(), HasSubstr("llamagpu_http_connections 2\n"));
}

TEST(RegistryDeathTest, TakesAsManyLabelsAsDeclared) {
  Registry registry;
  EXPECT_DEATH(registry.add(Counter::kPromptTokensTotal, 1), "a metric takes the labels that it declares");
}

TEST(Registry, WritesTextThatPrometheusAccepts) {
  Registry registry;
  registry.add(Counter::kHttpRequestsTotal, 1, {"a \"quoted\" \\ route\n\xFF", "2xx"});
  for (const char* model : {"m", "n"}) {
    registry.set(Gauge::kRequestsWaiting, 1, {model});
    registry.observe(Histogram::kInterTokenLatencySeconds, 0.02, {model});
    registry.observe(Histogram::kQueueTimeSeconds, 1e9, {model});
  }

  // From Debian's package `prometheus`, which scripts/setup.sh installs.
  FILE* const promtool = ::popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = registry.expose();
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());

  EXPECT_EQ(::pclose(promtool), 0) << text;
}

TEST(Metrics, AreDeclaredWithOneLineOfHelp) {
  for (const MetricInfo& info : kCounters) {
    EXPECT_TRUE(info.name.starts_with("llamagpu_")) << info.name;
    EXPECT_EQ(info.help.find('\n'), std::string_view::npos) << info.name;
  }
}

}  // namespace
}  // namespace llama_gpu::telemetry
