// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace llama_gpu {

// A named place where a test can make the program fail: in front of each durable step and each call into the
// system whose failure matters. Returns what was set for `name`, else success. Thread-safe; costs one relaxed
// load while none is set.
//
//   TRY_STATUS(failpoint("file.rename"));
Status failpoint(std::string_view name);

// Replaces all failpoints by those of `spec`, parts separated by ';':
//   name=error            fails each call with kInternal
//   name=error:disk_full  with another code of api/errors.yaml
//   name=abort            ends the process
//   name=sleep:100        logs that it sleeps, and goes on after so many milliseconds
// Each may end in @N: only the Nth call from now, counted from 1. An empty spec clears them. kInvalidValue
// for a spec that cannot be read; the old failpoints stay then.
Status set_failpoints(std::string_view spec);

// Sets failpoints for the length of a scope; for tests. REQUIRES: `spec` is valid.
class ScopedFailpoints {
 public:
  explicit ScopedFailpoints(std::string_view spec);
  ~ScopedFailpoints();
  ScopedFailpoints(const ScopedFailpoints&) = delete;
  ScopedFailpoints& operator=(const ScopedFailpoints&) = delete;
};

}  // namespace llama_gpu
