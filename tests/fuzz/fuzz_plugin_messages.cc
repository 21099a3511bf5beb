// links: plugins
// SPDX-License-Identifier: Apache-2.0
//
// What a plugin may send. The first byte chooses how the rest is read: as a message, or as the result of one
// of the host's requests, so that the checks behind JSON-RPC are reached without guessing its envelope.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/strings.h"
#include "plugins/plugin_protocol.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::plugins;

const FilterCall kChat{"r", "m", std::vector<text::ChatMessage>{{"user", "hello"}}};
const FilterCall kText{"r", "m", std::string("hello")};

void check_verdict(const Json& result, const FilterCall& call) {
  const Result<FilterVerdict> verdict = read_filter_verdict(result, call);
  if (!verdict.ok()) return;
  CHECK(!(verdict->replacement && verdict->rejection), "a verdict is one thing");
  if (verdict->rejection) CHECK(is_valid_utf8(*verdict->rejection), "clients are sent the reason");
  if (!verdict->replacement) return;
  CHECK(verdict->replacement->index() == call.text.index(), "a request goes on in the form it came in");
  // Another filter may be asked next.
  (void)encode_filter_request(1, {"r", "m", *verdict->replacement}, 1);
}

void check_result(const Json& result) {
  PluginManifest manifest;
  manifest.id = "acme/guard";
  (void)check_initialized(result, manifest);
  (void)check_self_test(result);
  (void)check_health(result);
  check_verdict(result, kChat);
  check_verdict(result, kText);
}

void check_message(std::string_view payload) {
  const Result<PluginMessage> message = decode_plugin_message(payload);
  if (!message.ok()) return;
  if (const auto* line = std::get_if<PluginLogLine>(&message.value()))
    CHECK(is_valid_utf8(line->message), "log lines are text");
  const auto* reply = std::get_if<PluginReply>(&message.value());
  if (reply != nullptr && reply->result.ok()) check_result(*reply->result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_message(data[0] % 2 == 0 ? rest : R"({"jsonrpc":"2.0","id":1,"result":)" + rest + "}");
  return 0;
}
