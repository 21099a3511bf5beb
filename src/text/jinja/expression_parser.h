// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace llama_gpu::text::jinja {

// Where a parser is in the tokens of a template.
class TokenCursor {
 public:
  // Both outlive it; the last token is kEnd.
  TokenCursor(std::string_view source, const std::vector<Token>& tokens) : source_(source), tokens_(tokens) {}

  const Token& current() const { return tokens_[place_]; }
  const Token& ahead() const { return tokens_[std::min(place_ + 1, tokens_.size() - 1)]; }
  // The current token, going on to the next one.
  const Token& take() { return tokens_[place_ + 1 < tokens_.size() ? place_++ : place_]; }
  bool accept_operator(std::string_view symbol);
  bool accept_name(std::string_view name);
  Status expect_operator(std::string_view symbol);
  Status expect(TokenType type);
  Result<std::string> expect_any_name();

  // kTemplateError at the current token, or at a place.
  Error fail(std::string message) const { return fail(current().offset, std::move(message)); }
  Error fail(SourceOffset offset, std::string message) const;
  // The error for a token that does not fit here.
  Error unexpected(std::string_view expected) const;

 private:
  std::string_view source_;
  const std::vector<Token>& tokens_;
  size_t place_ = 0;
};

// Counts the levels that a parser is in.
class ParserDepth {
 public:
  explicit ParserDepth(int32_t& depth) : depth_(depth) { ++depth_; }
  ~ParserDepth() { --depth_; }
  ParserDepth(const ParserDepth&) = delete;
  ParserDepth& operator=(const ParserDepth&) = delete;

 private:
  int32_t& depth_;
};

// Jinja's expressions, by recursive descent, one function for each level of binding.
class ExpressionParser {
 public:
  ExpressionParser(TokenCursor& cursor, int32_t max_depth) : cursor_(cursor), max_depth_(max_depth) {}

  // A whole expression; the cursor stands behind it.
  Result<ExpressionPtr> parse_expression();
  // Without `a if b`, as between `in` and `if` of a loop.
  Result<ExpressionPtr> parse_unconditional();
  // One expression, or a tuple of those with commas between.
  Result<ExpressionPtr> parse_tuple(bool with_conditional, bool in_parentheses = false);
  // What a value may be assigned to: a name or a tuple.
  Result<Target> parse_target();
  // Filters behind `subject` (null for a block's text). `first_is_named`: the first one stands without a `|`.
  Result<ExpressionPtr> parse_filters(ExpressionPtr subject, bool first_is_named);
  Result<ExpressionPtr> parse_call(ExpressionPtr callee);
  Result<ArgumentList> parse_arguments();

  // Levels of nesting now, which the statements count, too.
  int32_t& depth() { return depth_; }
  Status check_depth() const;

 private:
  Result<ExpressionPtr> parse_conditional();
  Result<ExpressionPtr> parse_or() { return parse_logical(/*is_and=*/false); }
  // Operands of `or`, or of `and`, which binds tighter.
  Result<ExpressionPtr> parse_logical(bool is_and);
  Result<ExpressionPtr> parse_not();
  Result<ExpressionPtr> parse_comparison();
  Result<ExpressionPtr> parse_sum();
  Result<ExpressionPtr> parse_concatenation();
  Result<ExpressionPtr> parse_product();
  Result<ExpressionPtr> parse_power();
  Result<ExpressionPtr> parse_unary(bool with_filters);
  Result<ExpressionPtr> parse_primary();
  Result<ExpressionPtr> parse_number();
  Result<ExpressionPtr> parse_list();
  Result<ExpressionPtr> parse_dict();
  Result<ExpressionPtr> parse_postfix(ExpressionPtr expression);
  Result<ExpressionPtr> parse_filters_and_tests(ExpressionPtr expression);
  Result<ExpressionPtr> parse_attribute(ExpressionPtr object);
  Result<ExpressionPtr> parse_subscript(ExpressionPtr object);
  Result<ExpressionPtr> parse_filter(ExpressionPtr subject);
  Result<ExpressionPtr> parse_test(ExpressionPtr subject);
  Status parse_test_arguments(ArgumentList& arguments);
  // `names`: of the arguments so far.
  Status parse_argument(ArgumentList& arguments, std::unordered_set<std::string>& names);
  Result<std::string> parse_dotted_name();
  Result<Target> to_target(const Expression& expression);
  bool at_tuple_end() const;

  // Makes a node above `children`, which may be null.
  template <typename Node>
  Result<ExpressionPtr> make(SourceOffset offset, Node node);

  TokenCursor& cursor_;
  int32_t max_depth_;
  int32_t depth_ = 0;
};

}  // namespace llama_gpu::text::jinja
