// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "text/jinja/arithmetic.h"
#include "text/jinja/comparison.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/methods.h"
#include "text/jinja/printing.h"

// The tests that stand behind `is`.

namespace llama_gpu::text::jinja {
namespace {

using Arguments = BoundArguments;

template <bool (*kHolds)(const Value&)>
Result<Value> of_value(Runtime&, const Arguments& arguments) {
  return Value(kHolds(arguments.at(0)));
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is_bool(); }
bool is_true(const Value& value) { return value.is_bool() && value.is_true(); }
bool is_false(const Value& value) { return value.is_bool() && !value.is_true(); }
bool is_integer(const Value& value) { return value.as_int() && !value.is_bool(); }
bool is_float(const Value& value) { return value.is_float(); }
bool is_number(const Value& value) { return value.as_number().has_value(); }
bool is_string(const Value& value) { return value.as_text() != nullptr; }
bool is_mapping(const Value& value) { return value.as_dict() != nullptr; }
bool is_callable(const Value& value) {
  return value.as_callable() != nullptr || value.as_loop() != nullptr || value.is_undefined();
}
bool is_escaped(const Value& value) { return value.is_markup(); }
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.as_sequence();
  return has_length(value) && (sequence == nullptr || !sequence->is_view());
}

template <int64_t kRest>
Result<Value> remainder_of_two(Runtime& runtime, const Arguments& arguments) {
  TRY(Value rest, compute(runtime, BinaryOperator::kModulo, arguments.at(0), Value(int64_t{2})));
  TRY(const bool is_it, equal(runtime, rest, Value(kRest)));
  return Value(is_it);
}

Result<Value> is_divisible_by(Runtime& runtime, const Arguments& arguments) {
  TRY(Value rest, compute(runtime, BinaryOperator::kModulo, arguments.at(0), arguments.at(1)));
  TRY(const bool is_zero, equal(runtime, rest, Value(int64_t{0})));
  return Value(is_zero);
}

template <bool kWanted>
Result<Value> is_equal(Runtime& runtime, const Arguments& arguments) {
  TRY(const bool is_same, equal(runtime, arguments.at(0), arguments.at(1)));
  return Value(is_same == kWanted);
}

// `kSwapped`: whether the second is less than the first.
template <bool kSwapped>
Result<Value> is_less(Runtime& runtime, const Arguments& arguments) {
  TRY(const bool is_it, less(runtime, arguments.at(kSwapped ? 1 : 0), arguments.at(kSwapped ? 0 : 1)));
  return Value(is_it);
}

template <bool kSwapped>
Result<Value> is_less_or_equal(Runtime& runtime, const Arguments& arguments) {
  TRY(Value is_it, is_less<kSwapped>(runtime, arguments));
  return is_it.is_true() ? is_it : is_equal<true>(runtime, arguments);
}

Result<Value> is_in(Runtime& runtime, const Arguments& arguments) {
  TRY(const bool is_it, contains(runtime, arguments.at(1), arguments.at(0)));
  return Value(is_it);
}

// Python's `is`: its small numbers, true, false and none are one object each.
Result<Value> is_same_as(Runtime&, const Arguments& arguments) {
  const Value &left = arguments.at(0), &right = arguments.at(1);
  if (left.data().index() != right.data().index()) return Value(false);
  if (const auto number = left.as_int()) return Value(number == right.as_int());
  return Value(left.is_none() || are_one_object(left, right));
}

// Runs a method of text on the value's str().
Result<Value> ask_text(Runtime& runtime, const Arguments& arguments, std::string_view method) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  return call_builtin(runtime, *find_builtin(text_methods(), method), {{std::move(text)}, {}});
}

Result<Value> is_lower_text(Runtime& runtime, const Arguments& arguments) {
  return ask_text(runtime, arguments, "islower");
}
Result<Value> is_upper_text(Runtime& runtime, const Arguments& arguments) {
  return ask_text(runtime, arguments, "isupper");
}

template <const Builtin* (*kFind)(std::string_view)>
Result<Value> is_name_of(Runtime& runtime, const Arguments& arguments) {
  const TaggedText* name = arguments.at(0).as_text();
  if (name != nullptr) return Value(kFind(name->bytes()) != nullptr);  // compares as far as they are alike
  if (is_hashable(arguments.at(0))) return Value(false);
  return runtime.fail("a value of type '" + std::string(arguments.at(0).type_name()) + "' is no name");
}

constexpr std::array kTests = {
    Builtin{"!=", "a b", is_equal<false>},
    Builtin{"<", "a b", is_less<false>},
    Builtin{"<=", "a b", is_less_or_equal<false>},
    Builtin{"==", "a b", is_equal<true>},
    Builtin{">", "a b", is_less<true>},
    Builtin{">=", "a b", is_less_or_equal<true>},
    Builtin{"boolean", "value", of_value<is_boolean>},
    Builtin{"callable", "value", of_value<is_callable>},
    Builtin{"defined", "value", of_value<is_defined>},
    Builtin{"divisibleby", "value num", is_divisible_by},
    Builtin{"eq", "a b", is_equal<true>},
    Builtin{"equalto", "a b", is_equal<true>},
    Builtin{"escaped", "value", of_value<is_escaped>},
    Builtin{"even", "value", remainder_of_two<0>},
    Builtin{"false", "value", of_value<is_false>},
    Builtin{"filter", "value", is_name_of<find_filter>},
    Builtin{"float", "value", of_value<is_float>},
    Builtin{"ge", "a b", is_less_or_equal<true>},
    Builtin{"greaterthan", "a b", is_less<true>},
    Builtin{"gt", "a b", is_less<true>},
    Builtin{"in", "value seq", is_in},
    Builtin{"integer", "value", of_value<is_integer>},
    Builtin{"iterable", "value", of_value<is_iterable>},
    Builtin{"le", "a b", is_less_or_equal<false>},
    Builtin{"lessthan", "a b", is_less<false>},
    Builtin{"lower", "value", is_lower_text},
    Builtin{"lt", "a b", is_less<false>},
    Builtin{"mapping", "value", of_value<is_mapping>},
    Builtin{"ne", "a b", is_equal<false>},
    Builtin{"none", "value", of_value<is_none>},
    Builtin{"number", "value", of_value<is_number>},
    Builtin{"odd", "value", remainder_of_two<1>},
    Builtin{"sameas", "value other", is_same_as},
    Builtin{"sequence", "value", of_value<is_sequence>},
    Builtin{"string", "value", of_value<is_string>},
    Builtin{"test", "value", is_name_of<find_test>},
    Builtin{"true", "value", of_value<is_true>},
    Builtin{"undefined", "value", of_value<is_undefined>},
    Builtin{"upper", "value", is_upper_text},
};

}  // namespace

const Builtin* find_test(std::string_view name) { return find_builtin(kTests, name); }

}  // namespace llama_gpu::text::jinja
