// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/macro.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace llama_gpu::text::jinja {
namespace {

// The arguments of a call by name, each taken once.
class NamedArguments {
 public:
  explicit NamedArguments(std::vector<NamedArgument> arguments) : arguments_(std::move(arguments)) {
    for (size_t i = 0; i < arguments_.size(); ++i) places_.try_emplace(arguments_[i].name_text(), i);
  }
  std::optional<Value> take(std::string_view name) {
    const auto found = places_.find(name);
    if (found == places_.end()) return std::nullopt;
    const size_t place = found->second;
    places_.erase(found);
    is_taken_.insert(place);
    return arguments_[place].value;
  }
  // What nobody took, in the order of the call.
  std::vector<NamedArgument> rest() && {
    std::vector<NamedArgument> rest;
    for (size_t i = 0; i < arguments_.size(); ++i) {
      if (!is_taken_.contains(i)) rest.push_back(std::move(arguments_[i]));
    }
    return rest;
  }

 private:
  std::vector<NamedArgument> arguments_;
  std::unordered_map<std::string_view, size_t> places_;
  std::unordered_set<size_t> is_taken_;
};

}  // namespace

bool Macro::has_parameter(std::string_view name) const {
  const auto& parameters = definition_->parameters;
  return std::any_of(parameters.begin(), parameters.end(),
                     [&](const Parameter& own) { return own.name == name; });
}

// caller, kwargs and varargs: what a body may use without naming it as a parameter.
Status Macro::bind_special(Runtime& runtime, Scope& scope, CallArguments arguments) const {
  if (definition_->uses_caller && !has_parameter("caller")) {
    NamedArguments named(std::move(arguments.named));
    const auto caller = named.take("caller");
    TRY(const Value nobody, runtime.make_undefined("no caller is defined"));
    scope.names["caller"] = caller ? *caller : nobody;
    arguments.named = std::move(named).rest();
  }
  if (definition_->uses_kwargs && !has_parameter("kwargs")) {
    Dict dict;
    for (auto& [name, value] : arguments.named) {
      TRY([[maybe_unused]] const bool is_key, dict.insert(runtime, name, std::move(value)));
    }
    TRY(scope.names["kwargs"], runtime.make_dict(std::move(dict)));
  } else if (!arguments.named.empty()) {
    return runtime.fail("the macro '" + definition_->name + "' takes no argument " +
                        show_name(arguments.named[0].name_text()));
  }
  if (definition_->uses_varargs && !has_parameter("varargs")) {
    TRY(scope.names["varargs"],
        runtime.make_sequence(std::move(arguments.positional), Sequence::Kind::kTuple));
  } else if (!arguments.positional.empty()) {
    return runtime.fail("the macro '" + definition_->name + "' takes at most " +
                        std::to_string(definition_->parameters.size()) + " arguments");
  }
  return {};
}

Status Macro::bind(Runtime& runtime, Scope& scope, CallArguments arguments) const {
  size_t used = 0;
  NamedArguments named(std::move(arguments.named));
  for (const Parameter& parameter : definition_->parameters) {
    auto& place = scope.names[parameter.name];
    place = used < arguments.positional.size() ? std::optional(std::move(arguments.positional[used++]))
                                               : named.take(parameter.name);
  }
  arguments.positional.erase(arguments.positional.begin(),
                             arguments.positional.begin() + static_cast<ptrdiff_t>(used));
  arguments.named = std::move(named).rest();
  return bind_special(runtime, scope, std::move(arguments));
}

Result<Value> Macro::call(Runtime& runtime, CallArguments arguments) const {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  TRY_STATUS(runtime.spend(
      static_cast<int64_t>(definition_->parameters.size() + definition_->hidden.size() + arguments.size())));
  const SourceOffset called_from = runtime.place();
  auto scope = std::make_shared<Scope>();
  scope->outer = scope_;
  for (const auto& name : definition_->hidden) scope->names[name] = std::nullopt;
  TRY_STATUS(bind(runtime, *scope, std::move(arguments)));
  {
    const Exchange in_scope(interpreter_.scope_, scope);
    for (const Parameter& parameter : definition_->parameters) {
      if (scope->names[parameter.name]) continue;
      Value value;
      if (parameter.otherwise != nullptr) {
        TRY(value, interpreter_.evaluate(*parameter.otherwise));
      } else {
        TRY(value, runtime.make_undefined("the parameter '" + parameter.name + "' was not given"));
      }
      scope->names[parameter.name] = std::move(value);
    }
  }
  TRY(Interpreter::Captured captured, interpreter_.capture(definition_->body, std::move(scope)));
  runtime.set_place(called_from);
  return std::move(captured.text);
}

}  // namespace llama_gpu::text::jinja
