// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llama_gpu::text::jinja {

// What stands between the quotes of a string literal, its escapes resolved as Python does: an unknown escape
// stays as it is. nullopt for a broken \x, \u or \U, for surrogates, and for \N, which would need all names.
std::optional<std::string> unescape(std::string_view literal);

}  // namespace llama_gpu::text::jinja
