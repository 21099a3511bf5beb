// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "text/jinja/builtin.h"

namespace llama_gpu::text::jinja {

// The filters in groups, each sorted by name; find_filter() looks through all.
std::span<const Builtin> text_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> lazy_filters();
std::span<const Builtin> number_filters();

}  // namespace llama_gpu::text::jinja
