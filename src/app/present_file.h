// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "app/http_client.h"
#include "app/pull.h"
#include "base/result.h"

namespace llama_gpu::app {

// Compares the file at `path`, which is there, with what the options would bring: by the checksum where one
// is given, else with a local source by contents, with a remote one by size. kChecksumMismatch where it is
// another one; kCancelled.
Result<PulledFile> compare_present_file(const std::string& path, const PullOptions& options,
                                        const HttpClient& http, const std::atomic<bool>& cancelled);

}  // namespace llama_gpu::app
