// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Equal for keys that Python holds equal. Differs from run to run, so that no template can choose keys that
// meet in one place. Paid by what there is to read. REQUIRES: can_be_key(key).
Result<uint64_t> key_hash(Runtime& runtime, const Value& key);
Result<uint64_t> key_hash(Runtime& runtime, std::string_view key);
// Python's ==, but that a number that is none is the same key as itself. REQUIRES: can_be_key() of both.
Result<bool> same_key(Runtime& runtime, const Value& left, const Value& right);

}  // namespace llama_gpu::text::jinja
