// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "text/jinja/builtin.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Methods of the value's type that templates may call, sorted by name. None of them changes the value.
std::span<const Builtin> methods_of(const Value& object);

// The same for text only: the largest table, in a file of its own.
std::span<const Builtin> text_methods();

}  // namespace llama_gpu::text::jinja
