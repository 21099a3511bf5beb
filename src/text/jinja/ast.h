// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/arithmetic.h"
#include "text/jinja/builtin.h"
#include "text/jinja/source_map.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Expressions = std::vector<ExpressionPtr>;
using Body = std::vector<Statement>;

// Expressions. A null ExpressionPtr is a part that was left out.
struct Literal {
  Value value;
};
// `name`
struct NameLookup {
  std::string name;
};
// `[a, b]` and `(a, b)`
struct SequenceLiteral {
  Sequence::Kind kind;
  Expressions items;
};
// `{a: b}`
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
// `object.name`
struct AttributeAccess {
  ExpressionPtr object;
  std::string name;
};
// `object[key]`
struct ItemAccess {
  ExpressionPtr object, key;
};
// `object[start:stop:step]`
struct SliceAccess {
  ExpressionPtr object, start, stop, step;
};
// `(a, name=b)`
struct ArgumentList {
  Expressions positional;
  std::vector<std::pair<Value, ExpressionPtr>> named;  // by name, which is text
  ExpressionPtr unpacked, unpacked_named;              // *args, **kwargs
};
struct Call {
  ExpressionPtr callee;
  ArgumentList arguments;
};
struct FilterUse {
  ExpressionPtr subject;  // null in a filter block: the block's text
  const Builtin* filter;  // null: there is none of that name, an error when it is reached
  std::string name;
  ArgumentList arguments;
};
struct TestUse {
  ExpressionPtr subject;
  const Builtin* test;  // null: as for filters
  std::string name;
  ArgumentList arguments;
};
enum class UnaryOperator : uint8_t { kNot, kNegate, kAffirm };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};
struct Logical {
  bool is_and;
  ExpressionPtr left, right;
};
enum class CompareOperator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};
// a < b < c: each operand is computed once.
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<CompareOperator, ExpressionPtr>> rest;
};
struct Concatenation {
  Expressions parts;
};
struct Conditional {
  ExpressionPtr condition, then, otherwise;
};

// A node, with its place in the source for errors.
struct Expression {
  SourceOffset offset;
  int32_t height;  // levels of expressions below and with it, bounded by the parser
  std::variant<Literal, NameLookup, SequenceLiteral, DictLiteral, AttributeAccess, ItemAccess, SliceAccess,
               Call, FilterUse, TestUse, Unary, Binary, Logical, Comparison, Concatenation, Conditional>
      node;
};

// Where a value goes: a name, an attribute of a namespace, or a tuple of targets.
struct Target {
  SourceOffset offset = 0;
  std::string name;
  std::string attribute;      // of the namespace `name`, or empty
  std::vector<Target> parts;  // of a tuple; `name` is empty then
  bool is_tuple = false;
};

// Names that a scope stores before it could have read them from outside: unset at its start, whatever the
// variables hold. Jinja2 has variables by scope, not by time, and templates may depend on it.
using HiddenNames = std::vector<std::string>;

// Statements. Text outside of tags:
struct Text {
  Value value;
};
// `{{ expression }}`
struct Output {
  ExpressionPtr expression;
};
// `{% set target = value %}`
struct Assign {
  Target target;
  ExpressionPtr value;
};
// `{% set target %}...{% endset %}`
struct AssignBlock {
  Target target;
  ExpressionPtr filter;  // FilterUse chain on the block's text, or null
  Body body;
  HiddenNames hidden = {};
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  ExpressionPtr items, condition;
  Body body, otherwise;
  HiddenNames hidden = {}, hidden_otherwise = {};
};
struct Parameter {
  std::string name;
  ExpressionPtr otherwise;
};
struct MacroDefinition {
  std::string name;  // empty for the body of a call block
  std::vector<Parameter> parameters;
  Body body;
  HiddenNames hidden = {};
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
};
struct CallBlock {
  ExpressionPtr call;
  std::shared_ptr<MacroDefinition> caller;
};
struct FilterBlock {
  ExpressionPtr filter;
  Body body;
  HiddenNames hidden = {};
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> assignments;
  Body body;
  HiddenNames hidden = {};
};
struct Break {};
struct Continue {};

// A node, with its place in the source for errors.
struct Statement {
  SourceOffset offset;
  std::variant<Text, Output, Assign, AssignBlock, If, For, std::shared_ptr<MacroDefinition>, CallBlock,
               FilterBlock, With, Break, Continue>
      node;
};

// A parsed template.
struct Program {
  std::string source;  // normalized
  Body body;
  HiddenNames hidden;
};

}  // namespace llama_gpu::text::jinja
