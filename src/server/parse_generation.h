// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "server/json_reader.h"
#include "server/parse_fields.h"

namespace llama_gpu::server {

// A request for text as a client made it, checked as far as that goes without a model.
struct GenerationCall {
  std::string model;                                // as the client named it
  std::vector<engine::GenerationRequest> requests;  // one for each prompt; ids are not set yet
  bool is_stream = false;
  bool include_usage = false;
  bool echo = false;
  std::vector<std::string> ignored_fields;
};

// Bodies of POST /v1/chat/completions and /v1/completions. Errors: kInvalidJson, kInvalidRequest,
// kMissingRequiredParameter, kInvalidValue, kUnsupportedModality, with param.
Result<GenerationCall> parse_chat_completion(std::string_view body);
Result<GenerationCall> parse_completion(std::string_view body);

// What both have in common, also for other operations.
//
// A conversation: the value of `messages`.
Result<std::vector<text::ChatMessage>> parse_messages(const Json& messages);
// Token ids: the value of `param`, which may be empty only where `allow_empty`.
Result<std::vector<TokenId>> parse_token_ids(const Json& tokens, const std::string& param, bool allow_empty);
// Fields of sampling, stop, seed, n and stream, which both tables declare.
Status parse_common(const Fields& fields, GenerationCall& call, engine::GenerationRequest& request);

}  // namespace llama_gpu::server
