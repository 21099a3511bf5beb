// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "text/jinja/ast.h"

namespace llama_gpu::text::jinja {

// Fills in what a program knows of names before it runs: the hidden names of each scope and which special
// names its macros use. kTemplateError for an assignment to `loop` within a loop, and for filters and tests
// that do not exist, unless they stand in a branch and may never be reached.
Status analyze_scopes(Program& program);

}  // namespace llama_gpu::text::jinja
