// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/parser.h"

#include <initializer_list>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "text/jinja/expression_parser.h"
#include "text/jinja/lexer.h"
#include "text/jinja/scope_analysis.h"

namespace llama_gpu::text::jinja {
namespace {

using EndTags = std::initializer_list<std::string_view>;

class StatementParser {
 public:
  StatementParser(TokenCursor& cursor, int32_t max_depth)
      : cursor_(cursor), expressions_(cursor, max_depth) {}

  // Everything up to one of the end tags, whose name is then the current token; with no end tags, everything.
  Result<Body> parse_body(EndTags end_tags);

 private:
  Result<Statement> parse_statement();
  // Adds one output for each expression of `{% print a, b %}`.
  Status parse_print(Body& body);
  Result<Statement> parse_set(SourceOffset offset);
  Result<Statement> parse_if(SourceOffset offset);
  Result<Statement> parse_for(SourceOffset offset);
  Result<Statement> parse_macro(SourceOffset offset);
  Result<Statement> parse_call_block(SourceOffset offset);
  Result<Statement> parse_filter_block(SourceOffset offset);
  Result<Statement> parse_with(SourceOffset offset);
  Result<Statement> parse_generation(SourceOffset offset);
  Result<Statement> parse_loop_control(SourceOffset offset, bool is_break);
  // The end of this tag and a body up to `end_tags`.
  Result<Body> parse_block(EndTags end_tags);
  // The same, going behind the name of the end tag.
  Result<Body> parse_closed_block(std::string_view end_tag);
  // `(a, b=1)` of a macro.
  Result<std::vector<Parameter>> parse_parameters();
  Result<Body> parse_macro_body(std::string_view end_tag);
  // The name of a macro or a parameter: not one of a constant.
  Result<std::string> parse_new_name();

  TokenCursor& cursor_;
  ExpressionParser expressions_;
  int32_t loops_ = 0;  // loops around this place, within this macro
};

Result<Body> StatementParser::parse_body(EndTags end_tags) {
  const ParserDepth level(expressions_.depth());
  TRY_STATUS(expressions_.check_depth());
  Body body;
  for (;;) {
    const Token& token = cursor_.current();
    if (token.type == TokenType::kEnd) {
      if (end_tags.size() == 0) return body;
      return cursor_.fail("the template ends before '" + std::string(*(end_tags.end() - 1)) + "'");
    }
    cursor_.take();
    if (token.type == TokenType::kData) {
      body.push_back({token.offset, Text{Value::text(token.text)}});
    } else if (token.type == TokenType::kVariableBegin) {
      TRY(ExpressionPtr expression, expressions_.parse_tuple(/*with_conditional=*/true));
      TRY_STATUS(cursor_.expect(TokenType::kVariableEnd));
      body.push_back({token.offset, Output{std::move(expression)}});
    } else {
      for (const auto end_tag : end_tags) {
        if (cursor_.current().is_name(end_tag)) return body;
      }
      if (cursor_.current().is_name("print")) {
        TRY_STATUS(parse_print(body));
      } else {
        TRY(Statement statement, parse_statement());
        body.push_back(std::move(statement));
      }
      TRY_STATUS(cursor_.expect(TokenType::kBlockEnd));
    }
  }
}

Result<Statement> StatementParser::parse_statement() {
  const SourceOffset offset = cursor_.current().offset;
  if (cursor_.accept_name("set")) return parse_set(offset);
  if (cursor_.accept_name("if")) return parse_if(offset);
  if (cursor_.accept_name("for")) return parse_for(offset);
  if (cursor_.accept_name("macro")) return parse_macro(offset);
  if (cursor_.accept_name("call")) return parse_call_block(offset);
  if (cursor_.accept_name("filter")) return parse_filter_block(offset);
  if (cursor_.accept_name("with")) return parse_with(offset);
  if (cursor_.accept_name("generation")) return parse_generation(offset);
  if (cursor_.accept_name("break")) return parse_loop_control(offset, /*is_break=*/true);
  if (cursor_.accept_name("continue")) return parse_loop_control(offset, /*is_break=*/false);
  return cursor_.unexpected("a tag that chat templates may use");
}

Result<Body> StatementParser::parse_block(EndTags end_tags) {
  cursor_.accept_operator(":");
  TRY_STATUS(cursor_.expect(TokenType::kBlockEnd));
  return parse_body(end_tags);
}

Result<Body> StatementParser::parse_closed_block(std::string_view end_tag) {
  TRY(Body body, parse_block({end_tag}));
  cursor_.take();
  return body;
}

Status StatementParser::parse_print(Body& body) {
  cursor_.take();
  for (bool is_first = true; cursor_.current().type != TokenType::kBlockEnd; is_first = false) {
    if (!is_first) TRY_STATUS(cursor_.expect_operator(","));
    const SourceOffset offset = cursor_.current().offset;
    TRY(ExpressionPtr expression, expressions_.parse_expression());
    body.push_back({offset, Output{std::move(expression)}});
  }
  return {};
}

Result<Statement> StatementParser::parse_set(SourceOffset offset) {
  Target target;
  if (cursor_.current().type == TokenType::kName && cursor_.ahead().is_operator(".")) {
    target = Target{cursor_.current().offset, cursor_.take().text, {}, {}, false};
    cursor_.take();
    TRY(target.attribute, cursor_.expect_any_name());
  } else {
    TRY(target, expressions_.parse_target());
  }
  if (cursor_.accept_operator("=")) {
    TRY(ExpressionPtr value, expressions_.parse_tuple(/*with_conditional=*/true));
    return Statement{offset, Assign{std::move(target), std::move(value)}};
  }
  TRY(ExpressionPtr filter, expressions_.parse_filters(nullptr, /*first_is_named=*/false));
  TRY(Body body, parse_closed_block("endset"));
  return Statement{offset, AssignBlock{std::move(target), std::move(filter), std::move(body)}};
}

Result<Statement> StatementParser::parse_if(SourceOffset offset) {
  If branches;
  for (;;) {
    TRY(ExpressionPtr condition, expressions_.parse_tuple(/*with_conditional=*/false));
    TRY(Body body, parse_block({"elif", "else", "endif"}));
    branches.branches.emplace_back(std::move(condition), std::move(body));
    const std::string tag = cursor_.take().text;
    if (tag == "elif") continue;
    if (tag == "else") {
      TRY(branches.otherwise, parse_closed_block("endif"));
    }
    return Statement{offset, std::move(branches)};
  }
}

Result<Statement> StatementParser::parse_for(SourceOffset offset) {
  For loop;
  TRY(loop.target, expressions_.parse_target());
  if (!cursor_.accept_name("in")) return cursor_.unexpected("'in'");
  TRY(loop.items, expressions_.parse_tuple(/*with_conditional=*/false));
  if (cursor_.accept_name("if")) {
    TRY(loop.condition, expressions_.parse_expression());
  }
  if (cursor_.current().is_name("recursive")) return cursor_.fail("recursive loops are not supported");
  ++loops_;
  TRY(loop.body, parse_block({"else", "endfor"}));
  --loops_;
  if (cursor_.take().text == "else") {
    TRY(loop.otherwise, parse_closed_block("endfor"));
  }
  return Statement{offset, std::move(loop)};
}

Result<std::vector<Parameter>> StatementParser::parse_parameters() {
  std::vector<Parameter> parameters;
  std::unordered_set<std::string> names;
  TRY_STATUS(cursor_.expect_operator("("));
  while (!cursor_.current().is_operator(")")) {
    if (!parameters.empty()) TRY_STATUS(cursor_.expect_operator(","));
    const SourceOffset offset = cursor_.current().offset;
    Parameter parameter;
    TRY(parameter.name, parse_new_name());
    if (!names.insert(parameter.name).second)
      return cursor_.fail(offset, "two parameters are named '" + parameter.name + "'");
    if (cursor_.accept_operator("=")) {
      TRY(parameter.otherwise, expressions_.parse_expression());
    } else if (!parameters.empty() && parameters.back().otherwise != nullptr) {
      return cursor_.fail(offset, "a parameter without a default stands behind one with a default");
    }
    parameters.push_back(std::move(parameter));
  }
  TRY_STATUS(cursor_.expect_operator(")"));
  return parameters;
}

Result<std::string> StatementParser::parse_new_name() {
  for (const auto constant : {"true", "True", "false", "False", "none", "None"}) {
    if (cursor_.current().is_name(constant)) return cursor_.unexpected("a name that can be assigned to");
  }
  return cursor_.expect_any_name();
}

Result<Body> StatementParser::parse_macro_body(std::string_view end_tag) {
  const int32_t outer_loops = std::exchange(loops_, 0);
  TRY(Body body, parse_closed_block(end_tag));
  loops_ = outer_loops;
  return body;
}

Result<Statement> StatementParser::parse_macro(SourceOffset offset) {
  auto macro = std::make_shared<MacroDefinition>();
  TRY(macro->name, parse_new_name());
  TRY(macro->parameters, parse_parameters());
  TRY(macro->body, parse_macro_body("endmacro"));
  return Statement{offset, std::move(macro)};
}

Result<Statement> StatementParser::parse_call_block(SourceOffset offset) {
  auto caller = std::make_shared<MacroDefinition>();
  if (cursor_.current().is_operator("(")) {
    TRY(caller->parameters, parse_parameters());
  }
  TRY(ExpressionPtr call, expressions_.parse_expression());
  if (!std::holds_alternative<Call>(call->node))
    return cursor_.fail(offset, "a call block must call a macro");
  TRY(caller->body, parse_macro_body("endcall"));
  return Statement{offset, CallBlock{std::move(call), std::move(caller)}};
}

Result<Statement> StatementParser::parse_filter_block(SourceOffset offset) {
  TRY(ExpressionPtr filter, expressions_.parse_filters(nullptr, /*first_is_named=*/true));
  TRY(Body body, parse_closed_block("endfilter"));
  return Statement{offset, FilterBlock{std::move(filter), std::move(body)}};
}

Result<Statement> StatementParser::parse_with(SourceOffset offset) {
  With with;
  while (cursor_.current().type != TokenType::kBlockEnd) {
    if (!with.assignments.empty()) TRY_STATUS(cursor_.expect_operator(","));
    TRY(Target target, expressions_.parse_target());
    TRY_STATUS(cursor_.expect_operator("="));
    TRY(ExpressionPtr value, expressions_.parse_expression());
    with.assignments.emplace_back(std::move(target), std::move(value));
  }
  TRY(with.body, parse_closed_block("endwith"));
  return Statement{offset, std::move(with)};
}

// Marks what a model said, for training: to a server it is a scope like any other. Transformers makes a call
// block of it, so that no loop can be left from inside.
Result<Statement> StatementParser::parse_generation(SourceOffset offset) {
  With scope;
  TRY(scope.body, parse_macro_body("endgeneration"));
  return Statement{offset, std::move(scope)};
}

Result<Statement> StatementParser::parse_loop_control(SourceOffset offset, bool is_break) {
  if (loops_ == 0)
    return cursor_.fail(offset, is_break ? "'break' outside a loop" : "'continue' outside a loop");
  return is_break ? Statement{offset, Break{}} : Statement{offset, Continue{}};
}

}  // namespace

Result<std::shared_ptr<const Program>> parse_template(std::string_view source, int32_t max_depth) {
  if (!is_valid_utf8(source)) {
    return Error{ErrorCode::kTemplateError, "the chat template is not valid UTF-8",
                 "convert the model file again, or use another chat template"};
  }
  auto program = std::make_shared<Program>();
  program->source = normalize_newlines(source);
  TRY(std::vector<Token> tokens, tokenize(program->source));
  TokenCursor cursor(program->source, tokens);
  TRY(program->body, StatementParser(cursor, max_depth).parse_body({}));
  TRY_STATUS(analyze_scopes(*program));
  return std::shared_ptr<const Program>(std::move(program));
}

}  // namespace llama_gpu::text::jinja
