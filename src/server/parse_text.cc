// SPDX-License-Identifier: Apache-2.0
#include "server/parse_text.h"

#include <utility>

#include "server/parse_generation.h"
#include "server/request_fields.gen.h"

namespace llama_gpu::server {

Result<TokenizeCall> parse_tokenize(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kTokenizeFields));
  return TokenizeCall{.model = fields.optional_string("model"),
                      .prompt = {.text = fields.string("content"),
                                 .add_special = fields.boolean("add_special", false),
                                 .parse_special = fields.boolean("parse_special", true)},
                      .with_pieces = fields.boolean("with_pieces", false),
                      .ignored_fields = fields.ignored()};
}

Result<DetokenizeCall> parse_detokenize(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kDetokenizeFields));
  TRY(std::vector<TokenId> tokens, parse_token_ids(*fields.find("tokens"), "tokens", /*allow_empty=*/true));
  return DetokenizeCall{.model = fields.optional_string("model"),
                        .tokens = std::move(tokens),
                        .ignored_fields = fields.ignored()};
}

Result<ApplyTemplateCall> parse_apply_template(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kApplyTemplateFields));
  TRY(std::vector<text::ChatMessage> messages, parse_messages(*fields.find("messages")));
  return ApplyTemplateCall{.model = fields.optional_string("model"),
                           .prompt = {.messages = std::move(messages),
                                      .add_generation_prompt = fields.boolean("add_generation_prompt", true)},
                           .ignored_fields = fields.ignored()};
}

}  // namespace llama_gpu::server
