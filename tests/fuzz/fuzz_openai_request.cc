// links: server
// SPDX-License-Identifier: Apache-2.0
// Bodies of requests: as bytes, and as objects put together from the declared fields and values at their
// borders.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.gen.h"
#include "server/api_error.h"
#include "server/json_reader.h"
#include "server/parse_generation.h"
#include "server/parse_text.h"
#include "server/request_fields.gen.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::server;

constexpr std::array<std::string_view, 40> kValues = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "16",
    "17",
    "0.5",
    "-0.0",
    "1e300",
    "1e309",
    "4294967296",
    "9223372036854775808",
    "-9223372036854775809",
    "\"\"",
    "\"m\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\xFF\"",
    "[]",
    "[1]",
    "[1,2,3]",
    "[-1]",
    "[\"a\",\"b\"]",
    "[\"a\",[1]]",
    "[[1],[2]]",
    "[[]]",
    "{}",
    "{\"1\":5}",
    "{\"x\":5}",
    "{\"include_usage\":true}",
    "{\"type\":\"text\"}",
    "[{\"role\":\"user\",\"content\":\"a\"}]",
    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]",
    "[{\"role\":\"tool\",\"content\":\"a\"}]",
    "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]",
    "[[[[[[[[[[]]]]]]]]]]",
    "[{\"role\":null}]"};

std::span<const FieldSpec> table_of(uint8_t choice) {
  switch (choice % 5) {
    case 0:
      return kCreateChatCompletionFields;
    case 1:
      return kCreateCompletionFields;
    case 2:
      return kTokenizeFields;
    case 3:
      return kDetokenizeFields;
    default:
      return kApplyTemplateFields;
  }
}

// Pairs of bytes choose a field and a value.
std::string assembled(std::span<const uint8_t> bytes, std::span<const FieldSpec> table) {
  std::string body = "{\"model\":\"m\"";
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    body += ",\"" + std::string(table[bytes[i] % table.size()].name) + "\":";
    body += kValues[bytes[i + 1] % kValues.size()];
  }
  return body + "}";
}

void check_error(const Error& error) {
  const int status = error_code_info(error.code).http_status;
  CHECK(status >= 400 && status < 500, "a bad request is the client's fault");
  const auto body = read_json(error_body(error));
  CHECK(body.ok() && (*body)["error"].size() == 4, "an error has its four keys");
}

void check_call(const Result<GenerationCall>& call) {
  if (!call.ok()) return check_error(call.error());
  CHECK(!call->requests.empty(), "a call asks for something");
  for (const auto& request : call->requests) {
    CHECK(limits::kN.holds(request.num_choices), "n is in its range");
    CHECK(request.max_tokens.value_or(0) >= 0, "max_tokens is in its range");
    CHECK(limits::kTemperature.holds(request.sampling.temperature), "temperature is in its range");
    for (const auto& stop : request.stop) CHECK(!stop.empty(), "a stop string stops at something");
  }
}

void parse(uint8_t choice, std::string_view body) {
  switch (choice % 5) {
    case 0:
      return check_call(parse_chat_completion(body));
    case 1:
      return check_call(parse_completion(body));
    case 2:
      if (const auto call = parse_tokenize(body); !call.ok()) check_error(call.error());
      return;
    case 3:
      if (const auto call = parse_detokenize(body); !call.ok()) check_error(call.error());
      return;
    default:
      if (const auto call = parse_apply_template(body); !call.ok()) check_error(call.error());
      return;
  }
}

}  // namespace

// Byte 0: which operation, and whether the rest is a body or builds one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    parse(data[0] / 2, std::string_view(reinterpret_cast<const char*>(rest.data()), rest.size()));
  } else {
    parse(data[0] / 2, assembled(rest, table_of(data[0] / 2)));
  }
  return 0;
}
