// SPDX-License-Identifier: Apache-2.0
#include "app/present_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "formats/mapped_file.h"

namespace llama_gpu::app {
namespace {

Error another_file(const std::string& path, const std::string& difference) {
  return Error{ErrorCode::kChecksumMismatch,
               fmt::format("'{}' is there already and is another file: {}", path, difference),
               "--force replaces it; or rename the one that is there"};
}

std::string size_difference(uint64_t size_bytes, uint64_t source_bytes) {
  return fmt::format("it has {} bytes, the source {}", size_bytes, source_bytes);
}

// Where two files of one size differ first.
Result<std::optional<uint64_t>> first_difference(const File& a, const File& b,
                                                 const std::atomic<bool>& cancelled) {
  std::vector<std::byte> of_a(size_t{4} << 20), of_b(of_a.size());
  for (uint64_t offset = 0;; offset += of_a.size()) {
    if (cancelled) return Error{ErrorCode::kCancelled, "stopped"};
    TRY(const size_t size_a, a.pread(of_a, offset));
    TRY(const size_t size_b, b.pread(of_b, offset));
    const size_t common = std::min(size_a, size_b);
    if (std::memcmp(of_a.data(), of_b.data(), common) != 0) {
      const auto differing = std::ranges::mismatch(of_a, of_b).in1;
      return std::optional(offset + uint64_t(differing - of_a.begin()));
    }
    if (common < of_a.size()) return std::optional<uint64_t>();
  }
}

Status compare_checksum(const PulledFile& file, const std::string& sha256,
                        const std::atomic<bool>& cancelled) {
  TRY(const std::string actual, sha256_of_file(file.path, cancelled));
  if (actual == to_lower(sha256)) return {};
  return another_file(file.path, fmt::format("its SHA-256 is {}, expected {}", actual, to_lower(sha256)));
}

Status compare_contents(const PulledFile& file, const std::string& source,
                        const std::atomic<bool>& cancelled) {
  TRY_STATUS(formats::check_model_path(source));
  TRY(const File present, File::open_for_reading(file.path));
  TRY(const File other, File::open_for_reading(source));
  TRY(const uint64_t source_bytes, other.size_bytes());
  if (source_bytes != file.size_bytes)
    return another_file(file.path, size_difference(file.size_bytes, source_bytes));
  TRY(const std::optional<uint64_t> difference, first_difference(present, other, cancelled));
  if (!difference) return {};
  return another_file(file.path, fmt::format("it differs from the source at byte {}", *difference));
}

// The size that a server says, or why it does not.
Result<uint64_t> remote_size(const std::string& url, const HttpClient& http) {
  HttpRequest request{.url = url, .body = {}, .headers = {"Accept-Encoding: identity"}};
  request.is_head = true;
  request.follow_redirects = true;
  TRY(const HttpResponse response, http.send(request));
  const std::optional<int64_t> length = parse_integer(response.header("content-length"));
  if (response.status == 200 && length && *length > 0) return uint64_t(*length);
  const std::string reason = response.status == 200 ? std::string("the server does not say its size")
                                                    : fmt::format("the server answered {}", response.status);
  return Error{ErrorCode::kDownloadFailed, reason};
}

}  // namespace

Result<PulledFile> compare_present_file(const std::string& path, const PullOptions& options,
                                        const HttpClient& http, const std::atomic<bool>& cancelled) {
  TRY(const File present, File::open_for_reading(path));
  PulledFile file{.path = path, .was_there = true};
  TRY(file.size_bytes, present.size_bytes());
  if (!options.sha256.empty()) {
    TRY_STATUS(compare_checksum(file, options.sha256, cancelled));
    return file;
  }
  if (!is_url(options.source)) {
    TRY_STATUS(compare_contents(file, options.source, cancelled));
    return file;
  }
  const Result<uint64_t> source_bytes = remote_size(options.source, http);
  if (source_bytes.ok() && *source_bytes != file.size_bytes)
    return another_file(path, size_difference(file.size_bytes, *source_bytes));
  if (!source_bytes.ok() && source_bytes.error().code == ErrorCode::kCancelled) return source_bytes.error();
  if (!source_bytes.ok()) file.not_compared = source_bytes.error().message;
  return file;
}

}  // namespace llama_gpu::app
