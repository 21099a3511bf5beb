// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/filters.h"

#include "text/jinja/filter_tables.h"

namespace llama_gpu::text::jinja {

const Builtin* find_filter(std::string_view name) {
  for (const auto table : {text_filters(), sequence_filters(), lazy_filters(), number_filters()}) {
    if (const Builtin* filter = find_builtin(table, name)) return filter;
  }
  return nullptr;
}

}  // namespace llama_gpu::text::jinja
