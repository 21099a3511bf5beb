// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/builtin.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "text/jinja/markup.h"

namespace llama_gpu::text::jinja {
namespace {

// Goes through a parameter list name by name.
class ParameterList {
 public:
  explicit ParameterList(std::string_view list) : rest_(list) {}
  struct Parameter {
    std::string_view name;
    bool is_optional;
  };
  std::optional<Parameter> next() {
    if (rest_.empty() || rest_.front() == '*') return std::nullopt;
    const size_t end = std::min(rest_.find(' '), rest_.size());
    std::string_view name = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    const bool is_optional = name.ends_with('?');
    if (is_optional) name.remove_suffix(1);
    return Parameter{name, is_optional};
  }
  // After the last name.
  bool takes_more() const { return rest_.starts_with('*'); }
  bool takes_more_named() const { return rest_ == "**"; }

 private:
  std::string_view rest_;
};

class BuiltinFunction final : public Callable {
 public:
  BuiltinFunction(const Builtin& builtin, std::optional<Value> subject)
      : builtin_(builtin), subject_(std::move(subject)) {}

  Result<Value> call(Runtime& runtime, CallArguments arguments) const override {
    if (subject_) arguments.positional.insert(arguments.positional.begin(), *subject_);
    if (subject_ && subject_->is_markup()) return call_markup_method(runtime, builtin_, std::move(arguments));
    return call_builtin(runtime, builtin_, std::move(arguments));
  }
  std::string description() const override {
    return (subject_ ? "<built-in method " : "<function ") + std::string(builtin_.name) + ">";
  }
  uint32_t nesting() const override { return subject_ ? subject_->nesting() + 1 : 1; }

 private:
  const Builtin& builtin_;
  std::optional<Value> subject_;
};

}  // namespace

class Binder {
 public:
  Binder(Runtime& runtime, const Builtin& builtin) : runtime_(runtime), builtin_(builtin) {}

  Result<BoundArguments> bind(CallArguments arguments) {
    ParameterList parameters(builtin_.parameters);
    BoundArguments bound;
    size_t used = 0;
    while (const auto parameter = parameters.next()) {
      std::optional<Value> value;
      if (used < arguments.positional.size()) value = std::move(arguments.positional[used++]);
      TRY_STATUS(take_named(arguments, parameter->name, value));
      if (!value && !parameter->is_optional)
        return fail("needs the argument '" + std::string(parameter->name) + "'");
      bound.slots_.push_back(std::move(value));
    }
    arguments.positional.erase(arguments.positional.begin(),
                               arguments.positional.begin() + static_cast<ptrdiff_t>(used));
    if (!arguments.positional.empty() && !parameters.takes_more()) {
      return fail("takes at most " + std::to_string(used) + " arguments");
    }
    if (!arguments.named.empty() && !parameters.takes_more_named()) {
      return fail("takes no argument '" + std::string(arguments.named.front().name_text()) + "'");
    }
    bound.rest_ = std::move(arguments);
    return bound;
  }

 private:
  Error fail(const std::string& what) const {
    return runtime_.fail("'" + std::string(builtin_.name) + "' " + what);
  }

  // Moves the named argument `name`, if there is one, out of `arguments` into `value`.
  Status take_named(CallArguments& arguments, std::string_view name, std::optional<Value>& value) const {
    const auto found = std::find_if(arguments.named.begin(), arguments.named.end(),
                                    [&](const auto& arg) { return arg.name_text() == name; });
    if (found == arguments.named.end()) return {};
    if (value) return fail("was given the argument '" + std::string(name) + "' twice");
    value = std::move(found->value);
    arguments.named.erase(found);
    return {};
  }

  Runtime& runtime_;
  const Builtin& builtin_;
};

const Builtin* find_builtin(std::span<const Builtin> table, std::string_view name) {
  const auto found =
      std::lower_bound(table.begin(), table.end(), name,
                       [](const Builtin& builtin, std::string_view key) { return builtin.name < key; });
  return found != table.end() && found->name == name ? &*found : nullptr;
}

Result<Value> call_builtin(Runtime& runtime, const Builtin& builtin, CallArguments arguments) {
  TRY_STATUS(runtime.spend());
  TRY(BoundArguments bound, Binder(runtime, builtin).bind(std::move(arguments)));
  return builtin.run(runtime, bound);
}

Result<Value> make_function(Runtime& runtime, const Builtin& builtin, std::optional<Value> subject) {
  return runtime.make_callable(std::make_shared<BuiltinFunction>(builtin, std::move(subject)));
}

Result<int64_t> int_argument(Runtime& runtime, const BoundArguments& arguments, size_t i, int64_t otherwise) {
  if (!arguments.has(i)) return otherwise;
  if (const auto value = arguments.at(i).as_int()) return *value;
  return runtime.fail("an argument has type '" + std::string(arguments.at(i).type_name()) +
                      "', it must be an integer");
}

Result<const TaggedText*> text_argument(Runtime& runtime, const BoundArguments& arguments, size_t i) {
  if (const TaggedText* text = arguments.at(i).as_text()) return text;
  return runtime.fail("an argument has type '" + std::string(arguments.at(i).type_name()) +
                      "', it must be text");
}

bool bool_argument(const BoundArguments& arguments, size_t i) {
  return arguments.has(i) && arguments.at(i).is_true();
}

}  // namespace llama_gpu::text::jinja
