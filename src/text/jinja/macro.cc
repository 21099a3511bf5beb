// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/macro.h"

#include <algorithm>
#include <utility>

namespace llama_gpu::text::jinja {
namespace {

std::optional<Value> take_named(CallArguments& arguments, std::string_view name) {
  const auto found = std::find_if(arguments.named.begin(), arguments.named.end(),
                                  [&](const auto& given) { return given.first == name; });
  if (found == arguments.named.end()) return std::nullopt;
  Value value = std::move(found->second);
  arguments.named.erase(found);
  return value;
}

}  // namespace

bool Macro::has_parameter(std::string_view name) const {
  const auto& parameters = definition_->parameters;
  return std::any_of(parameters.begin(), parameters.end(),
                     [&](const Parameter& own) { return own.name == name; });
}

// caller, kwargs and varargs: what a body may use without naming it as a parameter.
Status Macro::bind_special(Runtime& runtime, Scope& scope, CallArguments arguments) const {
  if (definition_->uses_caller && !has_parameter("caller")) {
    auto caller = take_named(arguments, "caller");
    scope.names["caller"] = caller ? *caller : Value::undefined("no caller is defined");
  }
  if (definition_->uses_kwargs && !has_parameter("kwargs")) {
    Dict dict;
    for (auto& [name, value] : arguments.named) dict.insert(Value::text(name), std::move(value));
    TRY(scope.names["kwargs"], runtime.make_dict(std::move(dict)));
  } else if (!arguments.named.empty()) {
    return runtime.fail("the macro '" + definition_->name + "' takes no argument '" +
                        arguments.named[0].first + "'");
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
  for (const Parameter& parameter : definition_->parameters) {
    auto& place = scope.names[parameter.name];
    place = used < arguments.positional.size() ? std::optional(std::move(arguments.positional[used++]))
                                               : take_named(arguments, parameter.name);
  }
  arguments.positional.erase(arguments.positional.begin(),
                             arguments.positional.begin() + static_cast<ptrdiff_t>(used));
  return bind_special(runtime, scope, std::move(arguments));
}

Result<Value> Macro::call(Runtime& runtime, CallArguments arguments) const {
  const Runtime::Level level(runtime);
  TRY_STATUS(runtime.check_depth());
  const SourceOffset called_from = runtime.place();
  auto scope = std::make_shared<Scope>();
  scope->outer = scope_;
  for (const auto& name : definition_->hidden) scope->names[name] = std::nullopt;
  TRY_STATUS(bind(runtime, *scope, std::move(arguments)));
  {
    const Exchange in_scope(interpreter_.scope_, scope);
    for (const Parameter& parameter : definition_->parameters) {
      if (scope->names[parameter.name]) continue;
      Value value = Value::undefined("the parameter '" + parameter.name + "' was not given");
      if (parameter.otherwise != nullptr) {
        TRY(value, interpreter_.evaluate(*parameter.otherwise));
      }
      scope->names[parameter.name] = std::move(value);
    }
  }
  TRY(Interpreter::Captured captured, interpreter_.capture(definition_->body, std::move(scope)));
  runtime.set_place(called_from);
  return std::move(captured.text);
}

}  // namespace llama_gpu::text::jinja
