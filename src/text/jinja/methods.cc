// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/methods.h"

#include <array>
#include <string>

#include "text/jinja/comparison.h"
#include "text/jinja/iteration.h"
#include "text/jinja/loop_state.h"

namespace llama_gpu::text::jinja {
namespace {

Result<Value> get_method(Runtime& runtime, const BoundArguments& arguments) {
  if (!is_hashable(arguments.at(1))) {
    return runtime.fail("a value of type '" + std::string(arguments.at(1).type_name()) + "' is no key");
  }
  TRY(const Value* found, arguments.at(0).as_dict()->find(runtime, arguments.at(1)));
  if (found != nullptr) return *found;
  return arguments.has(2) ? arguments.at(2) : Value(None{});
}

Result<Value> items_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, dict_items(runtime, *arguments.at(0).as_dict()));
  return runtime.make_sequence(std::move(items), Sequence::Kind::kDictItems);
}

Result<Value> keys_method(Runtime& runtime, const BoundArguments& arguments) {
  std::vector<Value> keys;
  for (const auto& entry : arguments.at(0).as_dict()->entries()) keys.push_back(entry.key);
  return runtime.make_sequence(std::move(keys), Sequence::Kind::kDictKeys);
}

Result<Value> values_method(Runtime& runtime, const BoundArguments& arguments) {
  std::vector<Value> values;
  for (const auto& entry : arguments.at(0).as_dict()->entries()) values.push_back(entry.value);
  return runtime.make_sequence(std::move(values), Sequence::Kind::kDictValues);
}

// A value that nothing changes is its own copy.
Result<Value> copy_method(Runtime&, const BoundArguments& arguments) { return arguments.at(0); }

Result<Value> count_method(Runtime& runtime, const BoundArguments& arguments) {
  int64_t count = 0;
  for (const Value& item : arguments.at(0).as_sequence()->items) {
    TRY(const bool is_same, equal(runtime, item, arguments.at(1)));
    count += is_same ? 1 : 0;
  }
  return Value(count);
}

Result<Value> index_method(Runtime& runtime, const BoundArguments& arguments) {
  const auto& items = arguments.at(0).as_sequence()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    TRY(const bool is_same, equal(runtime, items[i], arguments.at(1)));
    if (is_same) return Value(static_cast<int64_t>(i));
  }
  return runtime.fail("the value that is looked for is not in the list");
}

Result<Value> range_count_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const bool is_there, contains(runtime, arguments.at(0), arguments.at(1)));
  return Value(int64_t{is_there});
}

Result<Value> range_index_method(Runtime& runtime, const BoundArguments& arguments) {
  const Range& range = *arguments.at(0).as_range();
  for (int64_t i = 0; i < range.size; ++i) {
    TRY(const bool is_same, equal(runtime, Value(range.at(i)), arguments.at(1)));
    if (is_same) return Value(i);
  }
  return runtime.fail("the value that is looked for is not in the range");
}

Result<Value> cycle_method(Runtime& runtime, const BoundArguments& arguments) {
  const auto& values = arguments.rest();
  if (values.empty()) return runtime.fail("loop.cycle() needs values to go through");
  return values[static_cast<size_t>(arguments.at(0).as_loop()->index0()) % values.size()];
}

Result<Value> changed_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value values, runtime.make_sequence(arguments.rest(), Sequence::Kind::kTuple));
  TRY(const bool is_changed, arguments.at(0).as_loop()->changed(runtime, std::move(values)));
  return Value(is_changed);
}

constexpr std::array kDictMethods = {
    Builtin{"copy", "self", copy_method},     Builtin{"get", "self key default?", get_method},
    Builtin{"items", "self", items_method},   Builtin{"keys", "self", keys_method},
    Builtin{"values", "self", values_method},
};
constexpr std::array kListMethods = {
    Builtin{"copy", "self", copy_method},
    Builtin{"count", "self value", count_method},
    Builtin{"index", "self value", index_method},
};
constexpr std::array kTupleMethods = {
    Builtin{"count", "self value", count_method},
    Builtin{"index", "self value", index_method},
};
constexpr std::array kRangeMethods = {
    Builtin{"count", "self value", range_count_method},
    Builtin{"index", "self value", range_index_method},
};
constexpr std::array kLoopMethods = {
    Builtin{"changed", "self *", changed_method},
    Builtin{"cycle", "self *", cycle_method},
};

}  // namespace

std::span<const Builtin> methods_of(const Value& object) {
  if (object.as_text() != nullptr) return text_methods();
  if (object.as_dict() != nullptr) return kDictMethods;
  if (object.as_loop() != nullptr) return kLoopMethods;
  if (object.as_range() != nullptr) return kRangeMethods;
  const Sequence* sequence = object.as_sequence();
  if (sequence == nullptr || sequence->is_view()) return {};
  if (sequence->kind == Sequence::Kind::kTuple) return kTupleMethods;
  return kListMethods;
}

}  // namespace llama_gpu::text::jinja
