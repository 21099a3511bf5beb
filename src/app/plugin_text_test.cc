// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;
using testing::HasSubstr;
using testing::Not;

std::string printed(void (*print)(std::ostream& out, const Json& json), const std::string& json) {
  std::ostringstream out;
  print(out, Json::parse(json));
  return out.str();
}

TEST(PluginTextTest, ListsPluginsWithWhatIsWorthANote) {
  const std::string text = printed(print_plugins, R"({"plugins":[
      {"id":"acme/guard","version":"1.0.0","state":"active","calls":7,"failures":1,"p95_milliseconds":1.25,
       "memory_bytes":12000000,"is_signed":false,"is_required":true,"is_circuit_open":true,
       "reason_code":null,"reason":null},
      {"id":"acme/b","state":"failed","is_signed":true,"reason_code":"crashed","reason":"by \u001b[31msignal 11"}],
     "quarantined":[{"id":"acme/c","version":"2.0.0","reason":"it crashed"}]})");
  EXPECT_EQ(text,
            "NAME        VERSION  STATE   CALLS  FAILED  P95      MEMORY   NOTES\n"
            "acme/guard  1.0.0    active  7      1       1.25 ms  12.0 MB  unsigned, required, circuit open\n"
            "acme/b               failed                 0 ms     0 B      crashed: by \\x1b[31msignal 11\n"
            "quarantined: acme/c 2.0.0: it crashed\n");
  EXPECT_EQ(printed(print_plugins, "{}"), "");
  EXPECT_EQ(printed(print_plugins, "[]"), "");
}

TEST(PluginTextTest, ShowsAllAboutOnePlugin) {
  const std::string text = printed(print_plugin, R"({"id":"acme/guard","version":"1.0.0","state":"failed",
      "reason_code":"crashed","reason":"signal 11","since_unix_milliseconds":0,"is_signed":false,
      "manifest":{"summary":"Masks","license":"MIT","capabilities":["request_filter"],"failure_policy":"closed",
        "host_api_min":"1.0.0","host_api_max":"1.9.0","dependencies":{"acme/base":"^1"},
        "permissions":{"read":["/etc"],"write":[],"network":true}},
      "granted":{"read":["/etc","/usr"],"write":["/tmp"],"network":false},"config":{"a":1},"digest":"d",
      "pid":null,"restarts":2,"memory_bytes":0,"calls":3,"failures":1,"rejections":0,
      "p50_milliseconds":0.5,"p95_milliseconds":2,
      "sandbox":[{"layer":"landlock","is_active":true,"reason":null},
                 {"layer":"namespaces","is_active":false,"reason":"not allowed"}],"log_tail":["line 1",2]})");
  for (const std::string part :
       {"acme/guard 1.0.0 (unsigned)", "crashed: signal 11", "needs         {\"acme/base\":\"^1\"}",
        "asks for      read /etc; network", "granted       read /etc, /usr; write /tmp",
        "config        {\"a\":1}", "3, 1 failed, 0 refused", "p50 0.5 ms, p95 2 ms",
        "sandbox       landlock\n", "NOT IN FORCE  namespaces (not allowed)", "log           line 1\n",
        "host API      1.0.0 to 1.9.0"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("process")));
  EXPECT_THAT(printed(print_plugin, R"({"id":"a/b"})"), HasSubstr("granted       none"));
}

TEST(PluginTextTest, ListsGenerationsAndMarksTheCurrentOne) {
  const std::string text = printed(print_generations, R"({"current":2,"generations":[
      {"number":1,"created":0,"reason":"install","plugins":[{"id":"a/b","version":"1","is_enabled":true},
                                                            {"id":"c/d","version":"2","is_enabled":false}]},
      {"number":2,"created":1,"reason":"remove","plugins":[]}]})");
  EXPECT_THAT(text, HasSubstr("a/b 1, c/d 2 (disabled)  install\n"));
  EXPECT_THAT(text, HasSubstr("2 *         1970-01-01T00:00:01.000Z  -"));
  EXPECT_EQ(printed(print_generations, R"({"generations":3})"), "");
}

TEST(PluginTextTest, ShowsAPlanWithItsGrantsAndWarnings) {
  EXPECT_EQ(printed(print_plan, R"({"plan":{"steps":[
      {"action":"install","plugin":"a/b","from_version":null,"to_version":"1.0.0"},
      {"action":"update","plugin":"c/d","from_version":"1.0.0","to_version":"2.0.0"},
      {"action":"remove","plugin":"e/f","from_version":"1.0.0","to_version":null}],
      "new_permissions":["may use the network",1],"warnings":["unsigned",{}]}})"),
            "install a/b 1.0.0\nupdate c/d 1.0.0 -> 2.0.0\nremove e/f 1.0.0\n"
            "  grants: may use the network\n  grants: ?\n  warning: unsigned\n  warning: ?\n");
  EXPECT_EQ(printed(print_plan, "{}"), "nothing to do\n");
}

TEST(PluginTextTest, ShowsAnEventOnOneLine) {
  EXPECT_EQ(printed(print_event, R"({"sequence":3,"unix_milliseconds":1500,"plugin":"a/b","version":"1.0.0",
      "from":"starting","to":"failed","is_before":false,"reason_code":"crashed","reason":"line\nend"})"),
            "1970-01-01T00:00:01.500Z #3 a/b 1.0.0 starting -> failed (crashed: line\\nend)\n");
  EXPECT_EQ(printed(print_event, R"({"sequence":4,"unix_milliseconds":0,"plugin":"","from":"discovered",
      "to":"discovered","is_before":true,"generation":2,"reason_code":"install","reason":""})"),
            "1970-01-01T00:00:00.000Z #4 before: all plugins: generation 2 (install)\n");
  EXPECT_EQ(printed(print_event, R"({"sequence":5,"unix_milliseconds":0,"plugin":"a/b","version":"1.0.0",
      "from":"active","to":"active","reason_code":"health_failing"})"),
            "1970-01-01T00:00:00.000Z #5 a/b 1.0.0 active (health_failing)\n");
}

}  // namespace
}  // namespace llama_gpu::app
