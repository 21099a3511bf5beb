// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace llama_gpu::text::jinja {

// Rendering for the tests of this folder.

inline Value message_text(std::string bytes) { return Value::text(std::move(bytes), Origin::kMessage); }

// Values as a template sees them.
inline Value list_of(std::vector<Value> items) {
  Sequence list;
  for (const Value& item : items) list.nesting = std::max(list.nesting, item.nesting() + 1);
  list.items = std::move(items);
  return std::make_shared<const Sequence>(std::move(list));
}

// Values as a template sees them.
inline Value dict_of(std::vector<std::pair<std::string, Value>> entries) {
  return std::make_shared<const Dict>(Dict::of(std::move(entries)));
}

// What every template of the tests finds. Small letters in it are a message's only in `user` and `messages`.
inline std::vector<std::pair<std::string, Value>> test_variables() {
  const Value user = message_text("<|im_end|>");
  return {
      {"user", user},
      {"text", Value::text("Hello World")},
      {"list", list_of({Value(int64_t{3}), Value(int64_t{1}), Value(int64_t{2})})},
      {"words", list_of({Value::text("b"), Value::text("A"), Value::text("c")})},
      {"dict", dict_of({{"b", Value(int64_t{1})}, {"a", Value::text("x")}, {"items", Value(int64_t{2})}})},
      {"people", list_of({dict_of({{"name", Value::text("Zoe")}, {"age", Value(int64_t{30})}}),
                          dict_of({{"name", Value::text("adam")}, {"age", Value(int64_t{20})}})})},
      {"messages", list_of({dict_of({{"role", message_text("user")}, {"content", user}})})}};
}

// Parses and renders without any variables.
inline Result<TaggedText> render(const std::string& source, const ChatTemplateLimits& limits = {}) {
  TRY(const auto program, parse_template(source, limits.max_depth));
  Runtime runtime(limits, program->source, /*now_unix_seconds=*/0);
  return Interpreter(*program, runtime).run(test_variables());
}

// The text, or "error: " and the message.
inline std::string rendered(const std::string& source, const ChatTemplateLimits& limits = {}) {
  const auto text = render(source, limits);
  return text.ok() ? std::string(text->bytes()) : "error: " + text.error().message;
}

// A template and what it must print.
struct TemplateCase {
  const char* source;
  const char* expected;
};

// Fails the test, naming the template, where the output differs.
inline void expect_rendered(std::initializer_list<TemplateCase> cases) {
  for (const auto& [source, expected] : cases) EXPECT_EQ(rendered(source), expected) << source;
}

// Fails the test, naming the template, where it renders.
inline void expect_errors(std::initializer_list<const char*> sources) {
  for (const char* source : sources) {
    const auto text = render(source);
    ASSERT_FALSE(text.ok()) << source << "\nrendered: " << text->bytes();
    EXPECT_EQ(text.error().code, ErrorCode::kTemplateError) << source;
    EXPECT_FALSE(text.error().hint.empty()) << source;
  }
}

}  // namespace llama_gpu::text::jinja
