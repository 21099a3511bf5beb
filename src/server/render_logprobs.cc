// SPDX-License-Identifier: Apache-2.0
#include "server/render_logprobs.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/strings.h"
#include "server/json_writer.h"

namespace llama_gpu::server {
namespace {

// {"token":...,"logprob":...,"bytes":[...] without the closing brace.
void append_chat_token(std::string& out, std::string_view bytes, float logprob) {
  out += "{\"token\":\"";
  append_json_escaped(out, repair_utf8(bytes));
  out += "\",\"logprob\":";
  append_json_number(out, logprob);
  out += ",\"bytes\":[";
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  out += ']';
}

// How completions name a token: OpenAI writes those that are not whole characters as bytes.
std::string token_name(std::string_view bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string name = "bytes:";
  for (const char c : bytes) {
    name += "\\x";
    name += kHex[static_cast<unsigned char>(c) >> 4];
    name += kHex[static_cast<unsigned char>(c) & 15];
  }
  return name;
}

int64_t num_characters(std::string_view bytes) {
  return std::ranges::count_if(bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void append_separated(std::string& list, std::string_view json) {
  if (!list.empty()) list += ',';
  list += json;
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out += '"';
}

// The alternatives and the token itself, each name once.
std::string top_object(const engine::TokenLogprob& token) {
  std::string out;
  std::set<std::string> names;
  const auto add = [&](std::string_view bytes, float logprob) {
    const auto [name, is_new] = names.insert(token_name(bytes));
    if (!is_new) return;
    append_separated(out, json_quoted(*name));
    out += ':';
    append_json_number(out, logprob);
  };
  for (size_t i = 0; i < token.top.size(); ++i) add(token.top_bytes[i], token.top[i].second);
  add(token.bytes, token.logprob);
  return "{" + out + "}";
}

}  // namespace

std::span<const engine::TokenLogprob> ShownTokens::of(const engine::SequenceUpdate& update) {
  text_bytes_ += update.text.size();
  std::span<const engine::TokenLogprob> shown = update.logprobs;
  for (const auto& token : shown) token_bytes_ += token.bytes.size();
  if (update.finish != engine::FinishReason::kStop || shown.empty()) return shown;
  const bool begins_behind_the_text = token_bytes_ - shown.back().bytes.size() >= text_bytes_;
  return begins_behind_the_text ? shown.first(shown.size() - 1) : shown;
}

void ChatLogprobs::append(const engine::TokenLogprob& token) {
  if (!entries_.empty()) entries_ += ',';
  append_chat_token(entries_, token.bytes, token.logprob);
  entries_ += ",\"top_logprobs\":[";
  for (size_t i = 0; i < token.top.size(); ++i) {
    if (i > 0) entries_ += ',';
    append_chat_token(entries_, token.top_bytes[i], token.top[i].second);
    entries_ += '}';
  }
  entries_ += "]}";
}

void ChatLogprobs::take(std::string& out) {
  out += "{\"content\":[";
  out += entries_;
  out += "],\"refusal\":null}";
  entries_.clear();
}

void CompletionLogprobs::append(const engine::TokenLogprob& token, bool has_score) {
  append_separated(tokens_, json_quoted(token_name(token.bytes)));
  std::string score = "null";
  if (has_score) {
    score.clear();
    append_json_number(score, token.logprob);
  }
  append_separated(scores_, score);
  append_separated(tops_, has_score ? top_object(token) : "null");
  append_separated(offsets_, std::to_string(next_offset_));
  next_offset_ += num_characters(token.bytes);
}

void CompletionLogprobs::take(std::string& out) {
  out += "{\"tokens\":[" + tokens_ + "],\"token_logprobs\":[" + scores_ + "],\"top_logprobs\":[" + tops_ +
         "],\"text_offset\":[" + offsets_ + "]}";
  for (std::string* list : {&tokens_, &scores_, &tops_, &offsets_}) list->clear();
}

}  // namespace llama_gpu::server
