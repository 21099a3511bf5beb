// SPDX-License-Identifier: Apache-2.0
#include "plugins/json_text.h"

#include <string>

#include "base/strings.h"

namespace llama_gpu::plugins {
namespace {

constexpr int kMaxJsonDepth = 64;

}  // namespace

Result<Json> parse_json_text(std::string_view text, std::string_view name, ErrorCode code) {
  bool is_too_deep = false;
  const auto filter = [&](int depth, Json::parse_event_t, Json&) {
    is_too_deep |= depth > kMaxJsonDepth;
    return !is_too_deep;
  };
  Json json = Json::parse(text.begin(), text.end(), filter, /*allow_exceptions=*/false);
  if (is_too_deep) {
    return Error{code, "'" + escape_line(name) + "' is JSON of more than " + std::to_string(kMaxJsonDepth) +
                           " levels"};
  }
  if (json.is_discarded()) return Error{code, "'" + escape_line(name) + "' is not JSON in UTF-8"};
  return json;
}

Status check_json_object(std::string_view text, std::string_view name) {
  TRY(const Json json, parse_json_text(text, name, ErrorCode::kPluginInvalid));
  if (json.is_object()) return {};
  return Error{ErrorCode::kPluginInvalid, "'" + escape_line(name) + "' is not a JSON object"};
}

}  // namespace llama_gpu::plugins
