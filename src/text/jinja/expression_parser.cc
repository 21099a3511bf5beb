// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/expression_parser.h"

#include <charconv>
#include <cstdlib>
#include <utility>

#include "text/jinja/ast_walk.h"
#include "text/jinja/filters.h"

namespace llama_gpu::text::jinja {
namespace {

std::string described(const Token& token) {
  switch (token.type) {
    case TokenType::kEnd:
      return "the end of the template";
    case TokenType::kData:
      return "text";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kString:
      return "a string";
    default:
      return "'" + token.text + "'";
  }
}

std::optional<CompareOperator> comparison_of(const Token& token) {
  if (token.type != TokenType::kOperator) return std::nullopt;
  if (token.text == "==") return CompareOperator::kEqual;
  if (token.text == "!=") return CompareOperator::kNotEqual;
  if (token.text == "<") return CompareOperator::kLess;
  if (token.text == "<=") return CompareOperator::kLessEqual;
  if (token.text == ">") return CompareOperator::kGreater;
  if (token.text == ">=") return CompareOperator::kGreaterEqual;
  return std::nullopt;
}

std::optional<BinaryOperator> product_of(const Token& token) {
  if (token.is_operator("*")) return BinaryOperator::kMultiply;
  if (token.is_operator("/")) return BinaryOperator::kDivide;
  if (token.is_operator("//")) return BinaryOperator::kFloorDivide;
  if (token.is_operator("%")) return BinaryOperator::kModulo;
  return std::nullopt;
}

}  // namespace

bool TokenCursor::accept_operator(std::string_view symbol) {
  if (!current().is_operator(symbol)) return false;
  take();
  return true;
}

bool TokenCursor::accept_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  take();
  return true;
}

Status TokenCursor::expect_operator(std::string_view symbol) {
  if (accept_operator(symbol)) return {};
  return unexpected("'" + std::string(symbol) + "'");
}

Status TokenCursor::expect(TokenType type) {
  if (current().type != type) return unexpected(described({type, {}, 0}));
  take();
  return {};
}

Result<std::string> TokenCursor::expect_any_name() {
  if (current().type != TokenType::kName) return unexpected("a name");
  return take().text;
}

Error TokenCursor::fail(SourceOffset offset, std::string message) const {
  return syntax_error(source_, offset, std::move(message));
}

Error TokenCursor::unexpected(std::string_view expected) const {
  return fail("expected " + std::string(expected) + ", found " + described(current()));
}

template <typename Node>
Result<ExpressionPtr> ExpressionParser::make(SourceOffset offset, Node node) {
  auto expression = std::make_unique<Expression>(Expression{offset, 0, std::move(node)});
  int32_t height = 0;
  for_each_child(*expression, [&](const Expression& child) { height = std::max(height, child.height); });
  expression->height = height + 1;
  if (expression->height <= max_depth_) return expression;
  return cursor_.fail(offset, "an expression nests deeper than " + std::to_string(max_depth_) + " levels");
}

Status ExpressionParser::check_depth() const {
  if (depth_ <= max_depth_) return {};
  return cursor_.fail("the template nests deeper than " + std::to_string(max_depth_) + " levels");
}

Result<ExpressionPtr> ExpressionParser::parse_expression() { return parse_conditional(); }
Result<ExpressionPtr> ExpressionParser::parse_unconditional() { return parse_or(); }

Result<ExpressionPtr> ExpressionParser::parse_conditional() {
  const ParserDepth level(depth_);
  TRY_STATUS(check_depth());
  const SourceOffset offset = cursor_.current().offset;
  TRY(ExpressionPtr then, parse_or());
  while (cursor_.accept_name("if")) {
    TRY(ExpressionPtr condition, parse_or());
    ExpressionPtr otherwise;
    if (cursor_.accept_name("else")) {
      TRY(otherwise, parse_conditional());
    }
    TRY(then, make(offset, Conditional{std::move(condition), std::move(then), std::move(otherwise)}));
  }
  return then;
}

Result<ExpressionPtr> ExpressionParser::parse_logical(bool is_and) {
  const SourceOffset offset = cursor_.current().offset;
  const auto parse_operand = [&] { return is_and ? parse_not() : parse_logical(/*is_and=*/true); };
  TRY(ExpressionPtr left, parse_operand());
  while (cursor_.accept_name(is_and ? "and" : "or")) {
    TRY(ExpressionPtr right, parse_operand());
    TRY(left, make(offset, Logical{is_and, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
  const SourceOffset offset = cursor_.current().offset;
  if (!cursor_.accept_name("not")) return parse_comparison();
  const ParserDepth level(depth_);
  TRY_STATUS(check_depth());
  TRY(ExpressionPtr operand, parse_not());
  return make(offset, Unary{UnaryOperator::kNot, std::move(operand)});
}

Result<ExpressionPtr> ExpressionParser::parse_comparison() {
  const SourceOffset offset = cursor_.current().offset;
  TRY(ExpressionPtr first, parse_sum());
  Comparison comparison{std::move(first), {}};
  for (;;) {
    auto op = comparison_of(cursor_.current());
    if (cursor_.current().is_name("in")) op = CompareOperator::kIn;
    if (cursor_.current().is_name("not") && cursor_.ahead().is_name("in")) {
      op = CompareOperator::kNotIn;
      cursor_.take();
    }
    if (!op) break;
    cursor_.take();
    TRY(ExpressionPtr operand, parse_sum());
    comparison.rest.emplace_back(*op, std::move(operand));
  }
  if (comparison.rest.empty()) return std::move(comparison.first);
  return make(offset, std::move(comparison));
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
  const SourceOffset offset = cursor_.current().offset;
  TRY(ExpressionPtr left, parse_concatenation());
  while (cursor_.current().is_operator("+") || cursor_.current().is_operator("-")) {
    const auto op = cursor_.take().text == "+" ? BinaryOperator::kAdd : BinaryOperator::kSubtract;
    TRY(ExpressionPtr right, parse_concatenation());
    TRY(left, make(offset, Binary{op, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_concatenation() {
  const SourceOffset offset = cursor_.current().offset;
  Expressions parts;
  do {
    TRY(ExpressionPtr part, parse_product());
    parts.push_back(std::move(part));
  } while (cursor_.accept_operator("~"));
  if (parts.size() == 1) return std::move(parts.front());
  return make(offset, Concatenation{std::move(parts)});
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
  const SourceOffset offset = cursor_.current().offset;
  TRY(ExpressionPtr left, parse_power());
  while (const auto op = product_of(cursor_.current())) {
    cursor_.take();
    TRY(ExpressionPtr right, parse_power());
    TRY(left, make(offset, Binary{*op, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_power() {
  const SourceOffset offset = cursor_.current().offset;
  TRY(ExpressionPtr left, parse_unary(/*with_filters=*/true));
  while (cursor_.accept_operator("**")) {
    TRY(ExpressionPtr right, parse_unary(/*with_filters=*/true));
    TRY(left, make(offset, Binary{BinaryOperator::kPower, std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_unary(bool with_filters) {
  const ParserDepth level(depth_);
  TRY_STATUS(check_depth());
  const SourceOffset offset = cursor_.current().offset;
  ExpressionPtr expression;
  if (cursor_.current().is_operator("-") || cursor_.current().is_operator("+")) {
    const auto op = cursor_.take().text == "-" ? UnaryOperator::kNegate : UnaryOperator::kAffirm;
    TRY(ExpressionPtr operand, parse_unary(/*with_filters=*/false));
    TRY(expression, make(offset, Unary{op, std::move(operand)}));
  } else {
    TRY(expression, parse_primary());
  }
  TRY(expression, parse_postfix(std::move(expression)));
  if (!with_filters) return expression;
  return parse_filters_and_tests(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::parse_primary() {
  const Token& token = cursor_.current();
  if (token.type == TokenType::kInteger || token.type == TokenType::kFloat) return parse_number();
  if (token.type == TokenType::kString) {
    std::string text;
    while (cursor_.current().type == TokenType::kString) text += cursor_.take().text;
    return make(token.offset, Literal{Value::text(std::move(text))});
  }
  if (token.type == TokenType::kName) {
    cursor_.take();
    if (token.text == "true" || token.text == "True") return make(token.offset, Literal{Value(true)});
    if (token.text == "false" || token.text == "False") return make(token.offset, Literal{Value(false)});
    if (token.text == "none" || token.text == "None") return make(token.offset, Literal{Value(None{})});
    return make(token.offset, NameLookup{token.text});
  }
  if (cursor_.accept_operator("(")) {
    TRY(ExpressionPtr inner, parse_tuple(/*with_conditional=*/true, /*in_parentheses=*/true));
    TRY_STATUS(cursor_.expect_operator(")"));
    return inner;
  }
  if (token.is_operator("[")) return parse_list();
  if (token.is_operator("{")) return parse_dict();
  return cursor_.unexpected("an expression");
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
  const Token& token = cursor_.take();
  if (token.type == TokenType::kFloat) {
    return make(token.offset, Literal{Value(std::strtod(token.text.c_str(), nullptr))});
  }
  std::string_view digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && digits[1] > '9') {
    base = (digits[1] | 0x20) == 'x' ? 16 : (digits[1] | 0x20) == 'o' ? 8 : 2;
    digits.remove_prefix(2);
  }
  int64_t number = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number, base).ec != std::errc()) {
    return cursor_.fail(token.offset, "a number does not fit in 64 bits");
  }
  return make(token.offset, Literal{Value(number)});
}

bool ExpressionParser::at_tuple_end() const {
  const Token& token = cursor_.current();
  return token.type == TokenType::kVariableEnd || token.type == TokenType::kBlockEnd ||
         token.is_operator(")");
}

Result<ExpressionPtr> ExpressionParser::parse_tuple(bool with_conditional, bool in_parentheses) {
  const SourceOffset offset = cursor_.current().offset;
  Expressions items;
  bool is_tuple = false;
  while (!at_tuple_end()) {
    TRY(ExpressionPtr item, with_conditional ? parse_conditional() : parse_or());
    items.push_back(std::move(item));
    if (!cursor_.accept_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items.front());
  if (items.empty() && !in_parentheses) return cursor_.unexpected("an expression");
  return make(offset, SequenceLiteral{Sequence::Kind::kTuple, std::move(items)});
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
  const SourceOffset offset = cursor_.take().offset;
  Expressions items;
  while (!cursor_.current().is_operator("]")) {
    if (!items.empty()) TRY_STATUS(cursor_.expect_operator(","));
    if (cursor_.current().is_operator("]")) break;
    TRY(ExpressionPtr item, parse_expression());
    items.push_back(std::move(item));
  }
  TRY_STATUS(cursor_.expect_operator("]"));
  return make(offset, SequenceLiteral{Sequence::Kind::kList, std::move(items)});
}

Result<ExpressionPtr> ExpressionParser::parse_dict() {
  const SourceOffset offset = cursor_.take().offset;
  DictLiteral dict;
  while (!cursor_.current().is_operator("}")) {
    if (!dict.entries.empty()) TRY_STATUS(cursor_.expect_operator(","));
    if (cursor_.current().is_operator("}")) break;
    TRY(ExpressionPtr key, parse_expression());
    TRY_STATUS(cursor_.expect_operator(":"));
    TRY(ExpressionPtr value, parse_expression());
    dict.entries.emplace_back(std::move(key), std::move(value));
  }
  TRY_STATUS(cursor_.expect_operator("}"));
  return make(offset, std::move(dict));
}

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr expression) {
  for (;;) {
    const Token& token = cursor_.current();
    if (token.is_operator(".")) {
      TRY(expression, parse_attribute(std::move(expression)));
    } else if (token.is_operator("[")) {
      TRY(expression, parse_subscript(std::move(expression)));
    } else if (token.is_operator("(")) {
      TRY(expression, parse_call(std::move(expression)));
    } else {
      return expression;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_attribute(ExpressionPtr object) {
  const SourceOffset offset = cursor_.take().offset;
  if (cursor_.current().type == TokenType::kInteger) {
    TRY(ExpressionPtr key, parse_number());
    return make(offset, ItemAccess{std::move(object), std::move(key)});
  }
  TRY(std::string name, cursor_.expect_any_name());
  return make(offset, AttributeAccess{std::move(object), std::move(name)});
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr object) {
  const SourceOffset offset = cursor_.take().offset;
  const auto at_part_end = [&] {
    return cursor_.current().is_operator("]") || cursor_.current().is_operator(":");
  };
  ExpressionPtr parts[3];
  size_t num_colons = 0;
  Expressions keys;
  for (size_t i = 0; i < 3; ++i) {
    if (!at_part_end()) {
      TRY(parts[i], parse_expression());
    }
    if (i == 2 || !cursor_.accept_operator(":")) break;
    ++num_colons;
  }
  if (num_colons > 0) {
    TRY_STATUS(cursor_.expect_operator("]"));
    return make(offset, SliceAccess{std::move(object), std::move(parts[0]), std::move(parts[1]),
                                    std::move(parts[2])});
  }
  if (parts[0] != nullptr && !cursor_.current().is_operator(",")) {
    TRY_STATUS(cursor_.expect_operator("]"));
    return make(offset, ItemAccess{std::move(object), std::move(parts[0])});
  }
  if (parts[0] != nullptr) keys.push_back(std::move(parts[0]));
  while (!keys.empty() && cursor_.accept_operator(",")) {
    TRY(ExpressionPtr key, parse_expression());
    keys.push_back(std::move(key));
  }
  TRY_STATUS(cursor_.expect_operator("]"));
  TRY(ExpressionPtr key, make(offset, SequenceLiteral{Sequence::Kind::kTuple, std::move(keys)}));
  return make(offset, ItemAccess{std::move(object), std::move(key)});
}

Status ExpressionParser::parse_argument(ArgumentList& arguments, std::unordered_set<std::string>& names) {
  const SourceOffset offset = cursor_.current().offset;
  const auto misplaced = [&] {
    return cursor_.fail(offset, "an argument stands behind one that must come last");
  };
  if (cursor_.accept_operator("**")) {
    if (arguments.unpacked_named != nullptr) return misplaced();
    TRY(arguments.unpacked_named, parse_expression());
  } else if (cursor_.accept_operator("*")) {
    if (arguments.unpacked != nullptr || arguments.unpacked_named != nullptr) return misplaced();
    TRY(arguments.unpacked, parse_expression());
  } else if (cursor_.current().type == TokenType::kName && cursor_.ahead().is_operator("=")) {
    if (arguments.unpacked_named != nullptr) return misplaced();
    std::string name = cursor_.take().text;
    if (!names.insert(name).second) return cursor_.fail(offset, "the argument '" + name + "' is given twice");
    cursor_.take();
    TRY(ExpressionPtr value, parse_expression());
    arguments.named.emplace_back(Value::text(std::move(name)), std::move(value));
  } else {
    if (!arguments.named.empty() || arguments.unpacked != nullptr || arguments.unpacked_named != nullptr)
      return misplaced();
    TRY(ExpressionPtr value, parse_expression());
    arguments.positional.push_back(std::move(value));
  }
  return {};
}

Result<ArgumentList> ExpressionParser::parse_arguments() {
  TRY_STATUS(cursor_.expect_operator("("));
  ArgumentList arguments;
  std::unordered_set<std::string> names;
  for (bool is_first = true; !cursor_.current().is_operator(")"); is_first = false) {
    if (!is_first) TRY_STATUS(cursor_.expect_operator(","));
    if (!is_first && cursor_.current().is_operator(")")) break;
    TRY_STATUS(parse_argument(arguments, names));
  }
  TRY_STATUS(cursor_.expect_operator(")"));
  return arguments;
}

Result<ExpressionPtr> ExpressionParser::parse_call(ExpressionPtr callee) {
  TRY(ArgumentList arguments, parse_arguments());
  const SourceOffset offset = callee->offset;
  return make(offset, Call{std::move(callee), std::move(arguments)});
}

Result<ExpressionPtr> ExpressionParser::parse_filters_and_tests(ExpressionPtr expression) {
  for (;;) {
    const Token& token = cursor_.current();
    if (token.is_operator("|")) {
      cursor_.take();
      TRY(expression, parse_filter(std::move(expression)));
    } else if (token.is_name("is")) {
      TRY(expression, parse_test(std::move(expression)));
    } else if (token.is_operator("(")) {
      TRY(expression, parse_call(std::move(expression)));
    } else {
      return expression;
    }
  }
}

Result<std::string> ExpressionParser::parse_dotted_name() {
  TRY(std::string name, cursor_.expect_any_name());
  while (cursor_.accept_operator(".")) {
    TRY(std::string part, cursor_.expect_any_name());
    name += "." + part;
  }
  return name;
}

Result<ExpressionPtr> ExpressionParser::parse_filter(ExpressionPtr subject) {
  const SourceOffset offset = cursor_.current().offset;
  TRY(std::string name, parse_dotted_name());
  ArgumentList arguments;
  if (cursor_.current().is_operator("(")) {
    TRY(arguments, parse_arguments());
  }
  const Builtin* filter = find_filter(name);
  return make(offset, FilterUse{std::move(subject), filter, std::move(name), std::move(arguments)});
}

Result<ExpressionPtr> ExpressionParser::parse_filters(ExpressionPtr subject, bool first_is_named) {
  if (first_is_named) {
    TRY(subject, parse_filter(std::move(subject)));
  }
  while (cursor_.accept_operator("|")) {
    TRY(subject, parse_filter(std::move(subject)));
  }
  return subject;
}

// A test takes its argument also without parentheses: `x is divisibleby 3`.
Status ExpressionParser::parse_test_arguments(ArgumentList& arguments) {
  const Token& token = cursor_.current();
  if (token.is_operator("(")) {
    TRY(arguments, parse_arguments());
    return {};
  }
  const bool is_value = token.type == TokenType::kName || token.type == TokenType::kString ||
                        token.type == TokenType::kInteger || token.type == TokenType::kFloat ||
                        token.is_operator("[") || token.is_operator("{");
  if (!is_value || token.is_name("else") || token.is_name("or") || token.is_name("and")) return {};
  if (token.is_name("is")) return cursor_.fail("tests with 'is' cannot be chained");
  TRY(ExpressionPtr argument, parse_primary());
  TRY(argument, parse_postfix(std::move(argument)));
  arguments.positional.push_back(std::move(argument));
  return {};
}

Result<ExpressionPtr> ExpressionParser::parse_test(ExpressionPtr subject) {
  const SourceOffset offset = cursor_.take().offset;
  const bool is_negated = cursor_.accept_name("not");
  TRY(std::string name, parse_dotted_name());
  ArgumentList arguments;
  TRY_STATUS(parse_test_arguments(arguments));
  const Builtin* test = find_test(name);
  TRY(ExpressionPtr use,
      make(offset, TestUse{std::move(subject), test, std::move(name), std::move(arguments)}));
  if (!is_negated) return use;
  return make(offset, Unary{UnaryOperator::kNot, std::move(use)});
}

Result<Target> ExpressionParser::to_target(const Expression& expression) {
  Target target{expression.offset, {}, {}, {}, false};
  if (const auto* name = std::get_if<NameLookup>(&expression.node)) {
    target.name = name->name;
    return target;
  }
  const auto* sequence = std::get_if<SequenceLiteral>(&expression.node);
  if (sequence == nullptr || sequence->kind != Sequence::Kind::kTuple) {
    return cursor_.fail(expression.offset, "a value can be assigned to a name only");
  }
  target.is_tuple = true;
  for (const auto& item : sequence->items) {
    TRY(Target part, to_target(*item));
    target.parts.push_back(std::move(part));
  }
  return target;
}

Result<Target> ExpressionParser::parse_target() {
  const ParserDepth level(depth_);
  const SourceOffset offset = cursor_.current().offset;
  Expressions items;
  bool is_tuple = false;
  while (!at_tuple_end()) {
    TRY(ExpressionPtr item, parse_primary());
    items.push_back(std::move(item));
    if (!cursor_.accept_operator(",")) break;
    is_tuple = true;
  }
  if (items.empty()) return cursor_.unexpected("a name to assign to");
  if (!is_tuple) return to_target(*items.front());
  TRY(ExpressionPtr tuple, make(offset, SequenceLiteral{Sequence::Kind::kTuple, std::move(items)}));
  return to_target(*tuple);
}

}  // namespace llama_gpu::text::jinja
