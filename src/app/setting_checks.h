// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/settings.gen.h"

namespace llama_gpu::app {

// The text in its plain form ("::1" for the host "[::1]"), or nullopt where it is not what the check asks
// for.
std::optional<std::string> checked_text(SettingCheck check, std::string_view text);

// What the check asks for, to stand behind "expected"; empty for kNone.
std::string_view expected_by(SettingCheck check);

}  // namespace llama_gpu::app
