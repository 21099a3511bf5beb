// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>

#include "text/jinja/attributes.h"
#include "text/jinja/comparison.h"
#include "text/jinja/globals.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"

namespace llama_gpu::text::jinja {

Result<Value> Interpreter::evaluate(const Expression& expression) {
  const Runtime::Level level(runtime_);
  runtime_.set_place(expression.offset);
  TRY_STATUS(runtime_.check_depth());
  TRY_STATUS(runtime_.spend());
  return std::visit([&](const auto& node) { return value_of(node, expression.offset); }, expression.node);
}

Result<Value> Interpreter::value_of(const Literal& literal, SourceOffset) { return literal.value; }

Result<Value> Interpreter::look_up(const std::string& name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->outer.get()) {
    const auto found = scope->names.find(name);
    if (found == scope->names.end()) continue;
    if (found->second) return *found->second;
    break;
  }
  return runtime_.make_undefined("'" + name + "' is undefined");
}

Result<Value> Interpreter::value_of(const NameLookup& name, SourceOffset) {
  TRY(Value value, look_up(name.name));
  const Builtin* global = value.is_undefined() ? find_global(name.name) : nullptr;
  return global == nullptr ? value : make_function(runtime_, *global, std::nullopt);
}

Result<Value> Interpreter::value_of(const SequenceLiteral& sequence, SourceOffset) {
  std::vector<Value> items;
  items.reserve(sequence.items.size());
  for (const auto& item : sequence.items) {
    TRY(Value value, evaluate(*item));
    items.push_back(std::move(value));
  }
  return runtime_.make_sequence(std::move(items), sequence.kind);
}

Result<Value> Interpreter::value_of(const DictLiteral& literal, SourceOffset offset) {
  Dict dict;
  for (const auto& [key_expression, value_expression] : literal.entries) {
    TRY(Value key, evaluate(*key_expression));
    TRY(Value value, evaluate(*value_expression));
    runtime_.set_place(offset);
    const std::string type(key.type_name());
    TRY(const bool is_key, dict.insert(runtime_, std::move(key), std::move(value)));
    if (!is_key) {
      return runtime_.fail("a value of type '" + type + "' cannot be a key of a dict");
    }
  }
  return runtime_.make_dict(std::move(dict));
}

Result<Value> Interpreter::value_of(const AttributeAccess& access, SourceOffset offset) {
  TRY(const Value object, evaluate(*access.object));
  runtime_.set_place(offset);
  return get_attribute(runtime_, object, access.name);
}

Result<Value> Interpreter::value_of(const ItemAccess& access, SourceOffset offset) {
  TRY(const Value object, evaluate(*access.object));
  TRY(const Value key, evaluate(*access.key));
  runtime_.set_place(offset);
  return get_item(runtime_, object, key);
}

Result<std::optional<int64_t>> Interpreter::slice_bound(const ExpressionPtr& bound) {
  if (bound == nullptr) return std::optional<int64_t>();
  TRY(const Value value, evaluate(*bound));
  if (value.is_none()) return std::optional<int64_t>();
  const auto integer = value.as_int();
  if (integer) return integer;
  return runtime_.fail("a slice's bounds must be integers, not a '" + std::string(value.type_name()) + "'");
}

Result<Value> Interpreter::value_of(const SliceAccess& access, SourceOffset offset) {
  TRY(const Value object, evaluate(*access.object));
  SliceBounds bounds;
  TRY(bounds.start, slice_bound(access.start));
  TRY(bounds.stop, slice_bound(access.stop));
  TRY(const std::optional<int64_t> step, slice_bound(access.step));
  bounds.step = step.value_or(1);
  runtime_.set_place(offset);
  return get_slice(runtime_, object, bounds);
}

Result<CallArguments> Interpreter::evaluate_arguments(const ArgumentList& list) {
  CallArguments arguments;
  for (const auto& expression : list.positional) {
    TRY(Value value, evaluate(*expression));
    arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, expression] : list.named) {
    TRY(Value value, evaluate(*expression));
    arguments.named.push_back({name, std::move(value)});
  }
  if (list.unpacked != nullptr) {
    TRY(const Value value, evaluate(*list.unpacked));
    TRY(std::vector<Value> items, collect(runtime_, value));
    for (Value& item : items) arguments.positional.push_back(std::move(item));
  }
  if (list.unpacked_named == nullptr) return arguments;
  TRY(const Value value, evaluate(*list.unpacked_named));
  TRY_STATUS(unpack_named(value, arguments));
  return arguments;
}

Status Interpreter::unpack_named(const Value& value, CallArguments& arguments) {
  if (value.as_dict() == nullptr)
    return runtime_.fail("'**' unpacks a dict, not a '" + std::string(value.type_name()) + "'");
  // A dict has each key once, so only the names written out may come again.
  std::unordered_set<std::string_view> written;
  for (const NamedArgument& argument : arguments.named) written.insert(argument.name_text());
  TRY_STATUS(runtime_.spend(static_cast<int64_t>(written.size() + value.as_dict()->size())));
  for (const auto& entry : value.as_dict()->entries()) {
    const TaggedText* name = entry.key.as_text();
    if (name == nullptr) return runtime_.fail("the names of arguments must be text");
    TRY_STATUS(runtime_.spend_bytes(name->size()));
    if (written.contains(name->bytes())) return runtime_.fail("an argument is given twice");
    arguments.named.push_back({entry.key, entry.value});
  }
  return {};
}

Result<Value> Interpreter::call(const Value& callee, CallArguments arguments) {
  if (const Callable* callable = callee.as_callable()) return callable->call(runtime_, std::move(arguments));
  const auto* undefined = std::get_if<Undefined>(&callee.data());
  if (undefined != nullptr && undefined->reason) return runtime_.fail(undefined->reason->text);
  return runtime_.fail("a value of type '" + std::string(callee.type_name()) + "' cannot be called");
}

Result<Value> Interpreter::value_of(const Call& node, SourceOffset offset) {
  TRY(const Value callee, evaluate(*node.callee));
  TRY(CallArguments arguments, evaluate_arguments(node.arguments));
  runtime_.set_place(offset);
  return call(callee, std::move(arguments));
}

Result<Value> Interpreter::value_of(const FilterUse& use, SourceOffset offset) {
  if (use.filter == nullptr) return runtime_.fail("there is no filter '" + use.name + "'");
  CallArguments arguments;
  Value subject = use.subject == nullptr ? *block_text_ : Value();
  if (use.subject != nullptr) {
    TRY(subject, evaluate(*use.subject));
  }
  TRY(arguments, evaluate_arguments(use.arguments));
  arguments.positional.insert(arguments.positional.begin(), std::move(subject));
  runtime_.set_place(offset);
  return call_builtin(runtime_, *use.filter, std::move(arguments));
}

Result<Value> Interpreter::value_of(const TestUse& use, SourceOffset offset) {
  if (use.test == nullptr) return runtime_.fail("there is no test '" + use.name + "'");
  TRY(Value subject, evaluate(*use.subject));
  TRY(CallArguments arguments, evaluate_arguments(use.arguments));
  arguments.positional.insert(arguments.positional.begin(), std::move(subject));
  runtime_.set_place(offset);
  return call_builtin(runtime_, *use.test, std::move(arguments));
}

Result<Value> Interpreter::value_of(const Unary& unary, SourceOffset offset) {
  TRY(const Value operand, evaluate(*unary.operand));
  runtime_.set_place(offset);
  switch (unary.op) {
    case UnaryOperator::kNot:
      return Value(!operand.is_true());
    case UnaryOperator::kNegate:
      return negate(runtime_, operand);
    case UnaryOperator::kAffirm:
      break;
  }
  return affirm(runtime_, operand);
}

Result<Value> Interpreter::value_of(const Binary& binary, SourceOffset offset) {
  TRY(const Value left, evaluate(*binary.left));
  TRY(const Value right, evaluate(*binary.right));
  runtime_.set_place(offset);
  return compute(runtime_, binary.op, left, right);
}

Result<Value> Interpreter::value_of(const Logical& logical, SourceOffset) {
  TRY(Value left, evaluate(*logical.left));
  if (left.is_true() != logical.is_and) return left;
  return evaluate(*logical.right);
}

Result<bool> Interpreter::compare(CompareOperator op, const Value& left, const Value& right) {
  const bool is_swapped = op == CompareOperator::kGreater || op == CompareOperator::kGreaterEqual;
  switch (op) {
    case CompareOperator::kEqual:
      return equal(runtime_, left, right);
    case CompareOperator::kNotEqual: {
      TRY(const bool is_same, equal(runtime_, left, right));
      return !is_same;
    }
    case CompareOperator::kIn:
      return contains(runtime_, right, left);
    case CompareOperator::kNotIn: {
      TRY(const bool is_in, contains(runtime_, right, left));
      return !is_in;
    }
    case CompareOperator::kLess:
    case CompareOperator::kGreater:
      break;
    case CompareOperator::kLessEqual:
    case CompareOperator::kGreaterEqual: {
      TRY(const bool is_less, is_swapped ? less(runtime_, right, left) : less(runtime_, left, right));
      return is_less ? Result<bool>(true) : equal(runtime_, left, right);
    }
  }
  return is_swapped ? less(runtime_, right, left) : less(runtime_, left, right);
}

Result<Value> Interpreter::value_of(const Comparison& comparison, SourceOffset offset) {
  TRY(Value left, evaluate(*comparison.first));
  for (const auto& [op, operand] : comparison.rest) {
    TRY(Value right, evaluate(*operand));
    runtime_.set_place(offset);
    TRY(const bool holds, compare(op, left, right));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::value_of(const Concatenation& concatenation, SourceOffset offset) {
  std::vector<Value> values;
  for (const auto& part : concatenation.parts) {
    TRY(Value value, evaluate(*part));
    values.push_back(std::move(value));
  }
  runtime_.set_place(offset);
  TextBuilder out(runtime_);
  for (const Value& value : values) TRY_STATUS(append_str(runtime_, out, value));
  return out.finish();
}

Result<Value> Interpreter::value_of(const Conditional& conditional, SourceOffset) {
  TRY(const Value condition, evaluate(*conditional.condition));
  if (condition.is_true()) return evaluate(*conditional.then);
  if (conditional.otherwise != nullptr) return evaluate(*conditional.otherwise);
  return runtime_.make_undefined("an 'if' without 'else' was false, so it has no value");
}

}  // namespace llama_gpu::text::jinja
