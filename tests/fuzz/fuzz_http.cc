// links: server
// SPDX-License-Identifier: Apache-2.0
// Requests in bytes: the parser must read the same however the bytes are cut up, and the dispatcher must
// answer.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "server/dispatcher.h"
#include "server/model_host_fake.h"
#include "server/parse_http.h"
#include "server/server_context.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::server;

constexpr uint64_t kMaxBody = 4096;

// What became of the bytes: the requests that were whole, and how it ended.
struct Reading {
  std::vector<std::string> bodies;
  std::vector<std::string> targets;
  bool has_failed = false;
};

ServerContext& server_context() {
  static FakeModelHost host;
  static telemetry::Registry metrics;
  static const ServerOptions options{.api_keys = {"k"}};
  static ServerContext context{.options = options,
                               .host = host,
                               .metrics = metrics,
                               .assets = {},
                               .clock = system_clock(),
                               .access = AccessControl(options)};
  return context;
}

void check_admission(const HttpRequest& head) {
  const Admission admission = admit(server_context(), head);
  CHECK((admission.route == nullptr) == admission.answer.has_value(), "a request is routed or answered");
  const bool is_guarded = admission.route != nullptr && admission.route->access != Access::kPublic;
  CHECK(!is_guarded || head.headers.find("Authorization").value_or("").ends_with("k"),
        "no way around the key");
}

Reading read(std::string_view bytes, size_t portion) {
  Reading reading;
  auto parser = std::make_unique<HttpParser>(HttpLimits{.max_head_bytes = 2048});
  std::string input;
  while (true) {
    input += bytes.substr(0, portion);
    bytes.remove_prefix(std::min(portion, bytes.size()));
    while (true) {
      const bool had_head = parser->has_head();
      const auto used = parser->feed(input);
      if (!used.ok()) {
        reading.has_failed = true;
        return reading;
      }
      input.erase(0, *used);
      if (!had_head && parser->has_head()) {
        check_admission(parser->head());
        if (!parser->limit_body(kMaxBody).ok()) {
          reading.has_failed = true;
          return reading;
        }
        continue;
      }
      if (!parser->is_complete()) break;
      const HttpRequest request = parser->take();
      CHECK(request.body.size() <= kMaxBody, "a body is bounded");
      reading.bodies.push_back(request.body);
      reading.targets.push_back(request.target);
      parser = std::make_unique<HttpParser>(HttpLimits{.max_head_bytes = 2048});
    }
    if (bytes.empty()) return reading;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading whole = read(bytes, bytes.size() + 1);
  const Reading cut = read(bytes, 1 + data[0] % 32);
  // Cut up, an endless head is refused a little later or earlier; whatever was read is the same.
  CHECK(whole.bodies == cut.bodies && whole.targets == cut.targets,
        "bytes are read the same however they come");
  CHECK(whole.has_failed == cut.has_failed || size > 2048, "and refused the same");
  return 0;
}
