// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// The arguments of one call of a Builtin, each at the place of its parameter.
class BoundArguments {
 public:
  // Whether the call gave argument `i`.
  bool has(size_t i) const { return slots_[i].has_value(); }
  // Whether it gave one that is not none, where none stands for leaving it out.
  bool is_given(size_t i) const { return has(i) && !at(i).is_none(); }
  // REQUIRES: has(i).
  const Value& at(size_t i) const { return *slots_[i]; }
  // Undefined where the call did not give it.
  Value get(size_t i) const { return slots_[i].value_or(Value()); }
  // What the call gave beyond the named parameters, where the builtin takes that.
  const std::vector<Value>& rest() const { return rest_.positional; }
  const CallArguments& rest_arguments() const { return rest_; }

 private:
  friend class Binder;
  std::vector<std::optional<Value>> slots_;
  CallArguments rest_;
};

// A filter, test, method or global function.
//
// `parameters` are names with blanks between; `?` behind a name: may be left out; `*`: takes any further
// arguments, `**`: also named ones. Filters, tests and methods get what they are applied to as the first.
struct Builtin {
  std::string_view name;
  std::string_view parameters;
  Result<Value> (*run)(Runtime&, const BoundArguments&);
};

// Null when there is no such name. REQUIRES: `table` is sorted by name.
const Builtin* find_builtin(std::span<const Builtin> table, std::string_view name);

// Puts the arguments in their places and runs. kTemplateError names the builtin and the argument at fault.
Result<Value> call_builtin(Runtime& runtime, const Builtin& builtin, CallArguments arguments);

// A function as a value, bound to what it is a method of where there is such.
Result<Value> make_function(Runtime& runtime, const Builtin& builtin, std::optional<Value> subject);

// Argument `i` as one type, or an error that names the parameter; `otherwise` where the call left it out.
Result<int64_t> int_argument(Runtime& runtime, const BoundArguments& arguments, size_t i, int64_t otherwise);
Result<const TaggedText*> text_argument(Runtime& runtime, const BoundArguments& arguments, size_t i);
bool bool_argument(const BoundArguments& arguments, size_t i);

}  // namespace llama_gpu::text::jinja
