// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_protocol.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"
#include "plugins/json_text.h"

namespace llama_gpu::plugins {
namespace {

// Of what a plugin says for logs and clients.
constexpr size_t kMaxReasonBytes = 1024;
constexpr size_t kMaxLogLineBytes = size_t{16} << 10;
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};

// Text of others may hold anything: what is not UTF-8 goes as U+FFFD.
std::string to_text(const Json& message) {
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string request_text(uint64_t id, std::string_view method, Json params) {
  Json message = {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
  message["params"] = std::move(params);
  return to_text(message);
}

std::string notification_text(std::string_view method, Json params) {
  Json message = {{"jsonrpc", "2.0"}, {"method", method}};
  message["params"] = std::move(params);
  return to_text(message);
}

// JSON text of our own, which was checked where it came from.
Json parse_own(std::string_view text) {
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? Json::object() : parsed;
}

Error broken_message(const std::string& reason) {
  return {ErrorCode::kProtocolError, "the plugin's message " + reason};
}

Error bad_answer(std::string_view method, std::string_view field, std::string_view expected) {
  return {ErrorCode::kProtocolError, "the plugin's answer to '" + std::string(method) + "': '" +
                                         std::string(field) + "' must be " + std::string(expected)};
}

// The string at `key`, or nullptr; of what is no object, too.
const std::string* find_string(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

// What a plugin gives as a reason, short enough for a log and a client; `otherwise` where it gives none.
std::string reason_of(const Json& object, const char* key, std::string_view otherwise) {
  const std::string* reason = find_string(object, key);
  if (reason == nullptr || reason->empty()) return std::string(otherwise);
  return std::string(utf8_prefix(*reason, kMaxReasonBytes));
}

Result<PluginMessage> decode_notification(const Json& message, const std::string& method) {
  if (method != "log") return broken_message("has the unknown method '" + escape_line(method, 64) + "'");
  if (message.contains("id"))
    return broken_message("is a request; a plugin sends only notifications and answers");
  const auto params = message.find("params");
  if (params == message.end() || !params->is_object()) return broken_message("'log' has no object 'params'");
  const std::string* level = find_string(*params, "level");
  const std::string* text = find_string(*params, "message");
  if (level == nullptr || std::find(kLogLevels.begin(), kLogLevels.end(), *level) == kLogLevels.end())
    return broken_message("'log': 'level' must be debug, info, warning or error");
  if (text == nullptr) return broken_message("'log': 'message' must be a string");
  return PluginMessage(PluginLogLine{*level, std::string(utf8_prefix(*text, kMaxLogLineBytes))});
}

Result<PluginMessage> decode_reply(const Json& message) {
  const auto id = message.find("id");
  if (id == message.end() || !id->is_number_unsigned())
    return broken_message("has neither a method nor the 'id' of a request");
  const auto result = message.find("result");
  const auto error = message.find("error");
  if ((result == message.end()) == (error == message.end()))
    return broken_message("must have either 'result' or 'error'");
  if (result != message.end()) return PluginMessage(PluginReply{id->get<uint64_t>(), *result});
  if (!error->is_object()) return broken_message("'error' must be an object");
  return PluginMessage(
      PluginReply{id->get<uint64_t>(),
                  Error{ErrorCode::kPluginFailed, reason_of(*error, "message", "it says no reason")}});
}

Json messages_json(const std::vector<text::ChatMessage>& messages) {
  Json list = Json::array();
  for (const text::ChatMessage& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  return list;
}

Result<std::vector<text::ChatMessage>> read_messages(const Json& result) {
  const auto list = result.find("messages");
  if (list == result.end() || !list->is_array() || list->empty())
    return bad_answer("request_filter", "messages", "an array with at least one message");
  std::vector<text::ChatMessage> messages;
  for (const Json& item : *list) {
    const std::string* role = find_string(item, "role");
    const std::string* content = find_string(item, "content");
    if (role == nullptr || content == nullptr)
      return bad_answer("request_filter", "messages", "objects with the strings 'role' and 'content'");
    messages.push_back({*role, *content});
  }
  return messages;
}

// In the form of what was asked about: nobody knows how to go on with the other.
Result<FilterableText> read_replacement(const Json& result, const FilterCall& call) {
  if (std::holds_alternative<std::string>(call.text)) {
    const std::string* prompt = find_string(result, "prompt");
    if (prompt == nullptr) return bad_answer("request_filter", "prompt", "a string");
    return FilterableText(*prompt);
  }
  TRY(std::vector<text::ChatMessage> messages, read_messages(result));
  return FilterableText(std::move(messages));
}

// The names of a result's capabilities; nullopt where they are no list of strings.
std::optional<std::vector<std::string>> read_capabilities(const Json& result) {
  const auto list = result.find("capabilities");
  if (list == result.end() || !list->is_array()) return std::nullopt;
  std::vector<std::string> names;
  for (const Json& item : *list) {
    const auto* name = item.get_ptr<const std::string*>();
    if (name == nullptr) return std::nullopt;
    names.push_back(*name);
  }
  return names;
}

}  // namespace

std::string encode_initialize(uint64_t id, const PluginManifest& manifest, std::string_view config_json,
                              std::string_view data_folder) {
  return request_text(id, "initialize",
                      {{"protocol", kProtocolVersion},
                       {"host", {{"api", kHostApiVersion}}},
                       {"plugin", {{"id", manifest.id}, {"version", to_string(manifest.version)}}},
                       {"config", parse_own(config_json)},
                       {"data_folder", data_folder}});
}

std::string encode_self_test(uint64_t id) { return request_text(id, "self_test", Json::object()); }

std::string encode_health(uint64_t id) { return request_text(id, "health", Json::object()); }

std::string encode_filter_request(uint64_t id, const FilterCall& call, int64_t deadline_milliseconds) {
  Json params = {
      {"request_id", call.request_id}, {"model", call.model}, {"deadline_ms", deadline_milliseconds}};
  if (const auto* messages = std::get_if<std::vector<text::ChatMessage>>(&call.text)) {
    params["messages"] = messages_json(*messages);
  } else {
    params["prompt"] = std::get<std::string>(call.text);
  }
  return request_text(id, "request_filter", std::move(params));
}

std::string encode_event(std::string_view event_json) {
  return notification_text("event", parse_own(event_json));
}

std::string encode_shutdown() { return notification_text("shutdown", Json::object()); }

Result<PluginMessage> decode_plugin_message(std::string_view payload) {
  TRY(const Json message, parse_json_text(payload, "message", ErrorCode::kProtocolError));
  if (!message.is_object()) return broken_message("is not a JSON object");
  const std::string* version = find_string(message, "jsonrpc");
  if (version == nullptr || *version != "2.0") return broken_message("must say \"jsonrpc\": \"2.0\"");
  if (!message.contains("method")) return decode_reply(message);
  const std::string* method = find_string(message, "method");
  if (method == nullptr) return broken_message("'method' must be a string");
  return decode_notification(message, *method);
}

Status check_initialized(const Json& result, const PluginManifest& manifest) {
  if (!result.is_object()) return bad_answer("initialize", "result", "an object");
  const auto protocol = result.find("protocol");
  if (protocol == result.end() || !protocol->is_number_integer())
    return bad_answer("initialize", "protocol", "an integer");
  if (*protocol != kProtocolVersion)
    return Error{ErrorCode::kPluginIncompatible, "the plugin speaks version " + protocol->dump() +
                                                     " of the protocol, this host version " +
                                                     std::to_string(kProtocolVersion)};
  const auto names = read_capabilities(result);
  if (!names) return bad_answer("initialize", "capabilities", "an array of names");
  for (const Capability capability : manifest.capabilities) {
    const std::string_view name = capability_name(capability);
    if (std::find(names->begin(), names->end(), name) == names->end())
      return bad_answer("initialize", "capabilities",
                        "what the manifest declares: '" + std::string(name) + "' is missing");
  }
  return {};
}

Status check_self_test(const Json& result) {
  const auto ok = result.find("ok");
  if (ok == result.end() || !ok->is_boolean()) return bad_answer("self_test", "ok", "true or false");
  if (ok->get<bool>()) return {};
  return Error{ErrorCode::kPluginFailed,
               "the plugin's self-test failed: " + reason_of(result, "reason", "it says no reason")};
}

Status check_health(const Json& result) {
  const std::string* status = find_string(result, "status");
  if (status == nullptr || (*status != "ok" && *status != "failing"))
    return bad_answer("health", "status", "\"ok\" or \"failing\"");
  if (*status == "ok") return {};
  return Error{ErrorCode::kPluginFailed,
               "the plugin says that it fails: " + reason_of(result, "reason", "it says no reason")};
}

Result<FilterVerdict> read_filter_verdict(const Json& result, const FilterCall& call) {
  const std::string* action = find_string(result, "action");
  if (action == nullptr) return bad_answer("request_filter", "action", "a string");
  if (*action == "pass") return FilterVerdict{};
  if (*action == "reject")
    return FilterVerdict{.rejection = reason_of(result, "reason", "the plugin says no reason")};
  if (*action != "replace")
    return bad_answer("request_filter", "action", "\"pass\", \"replace\" or \"reject\"");
  TRY(FilterableText replacement, read_replacement(result, call));
  return FilterVerdict{.replacement = std::move(replacement)};
}

}  // namespace llama_gpu::plugins
