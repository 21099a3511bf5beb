// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// A macro, or the body of a call block, as a value that can be called. Valid as long as its interpreter.
class Macro final : public Callable {
 public:
  // `scope`: where it was defined, which its body sees.
  Macro(Interpreter& interpreter, std::shared_ptr<const MacroDefinition> definition,
        std::shared_ptr<Scope> scope)
      : interpreter_(interpreter), definition_(std::move(definition)), scope_(std::move(scope)) {}

  Result<Value> call(Runtime& runtime, CallArguments arguments) const override;
  std::string description() const override {
    return "<Macro " + (definition_->name.empty() ? "anonymous" : "'" + definition_->name + "'") + ">";
  }

 private:
  // Puts arguments into `scope`; parameters that were not given stay unset.
  Status bind(Runtime& runtime, Scope& scope, CallArguments arguments) const;
  Status bind_special(Runtime& runtime, Scope& scope, CallArguments arguments) const;
  bool has_parameter(std::string_view name) const;

  Interpreter& interpreter_;
  std::shared_ptr<const MacroDefinition> definition_;
  std::shared_ptr<Scope> scope_;
};

}  // namespace llama_gpu::text::jinja
