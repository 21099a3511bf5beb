// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_config.h"

#include <utility>

#include "base/file.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

Json value_of(std::string_view text) {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? Json(repair_utf8(text)) : value;
}

Status assign(Json& config, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  const std::string_view key = assignment.substr(0, std::min(equals, assignment.size()));
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kInvalidValue, "--set '" + escape_line(assignment, 200) + "' " + why,
                 "write KEY=VALUE, such as mask=\"*\" or limits.length=10", "set"};
  };
  if (equals == std::string_view::npos) return refuse("has no '='");
  Json* place = &config;
  for (const std::string_view part : split(key, '.')) {
    if (part.empty()) return refuse("has an empty key");
    if (place->is_null()) *place = Json::object();
    if (!place->is_object()) return refuse("goes into something that is no object");
    place = &(*place)[std::string(part)];
  }
  *place = value_of(assignment.substr(equals + 1));
  return {};
}

}  // namespace

Result<Json> with_assignments(Json config, const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) TRY_STATUS(assign(config, assignment));
  return config;
}

Result<Json> read_config_file(const std::string& path) {
  TRY(const std::string text, read_file(path, kMaxConfigBytes));
  Json config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (config.is_object()) return config;
  return Error{ErrorCode::kInvalidJson, "'" + escape_line(path) + "' does not hold one JSON object"};
}

}  // namespace llama_gpu::app
