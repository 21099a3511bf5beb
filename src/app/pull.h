// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "app/http_client.h"
#include "base/result.h"

// Brings a model file into the models folder.
//
// What has arrived stands in NAME.part until it is whole, verified and renamed; NAME.part.source says where
// it comes from. A pull that breaks off, is stopped or finds the disk full keeps both, and the next one goes
// on from there (Range, with If-Range where the server gave an ETag); a wrong checksum removes both. A *.gguf
// is read before it gets its name: its header, and that its tensors lie inside of it. One that is damaged or
// cut short stays in NAME.part.
//
// A file of that name that is there already is compared: by the checksum where one is given, else with a
// local source by its contents, with a remote one by its size.
namespace llama_gpu::app {

// What to bring, and how.
struct PullOptions {
  std::string source;       // https URL, or a path on this machine
  std::string folder;       // of the models; made where it is missing
  std::string sha256 = {};  // expected, in hexadecimal; empty: not checked
  bool replace = false;     // also where the file is there already
  int max_attempts = 5;     // in a row that bring nothing new of a transfer that breaks off
  std::chrono::milliseconds retry_delay{1000};  // doubled each time
  // Hears how much is there; total 0: not known.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> on_progress = {};
};

// What came of it.
struct PulledFile {
  std::string path;
  uint64_t size_bytes = 0;
  bool was_there = false;         // nothing had to be fetched
  std::string not_compared = {};  // why what was there could not be compared with the source; empty: it was
};

// kDownloadFailed, kServerUnreachable, kChecksumMismatch (also for another file of that name), kDiskFull
// (with the sizes), kModelInvalid and kModelTruncated, kCancelled once `cancelled` is set.
Result<PulledFile> pull(const PullOptions& options, const HttpClient& http,
                        const std::atomic<bool>& cancelled);

// The file name of a source: the last part of its path, without query; kInvalidValue where that is no name.
Result<std::string> file_name_of_source(const std::string& source);

// Whether a source is a URL rather than a path.
bool is_url(const std::string& source);

}  // namespace llama_gpu::app
