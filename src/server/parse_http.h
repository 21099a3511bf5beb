// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "server/http_message.h"
#include "server/server_options.h"

namespace llama_gpu::server {

// Reads one HTTP/1 request from bytes as they come. Stricter than the library below it: what two parsers
// could read in two ways (folded fields, bare line ends, several lengths, length with chunks) is refused.
//
// One thread. After an error the connection cannot be used any more.
class HttpParser {
 public:
  explicit HttpParser(const HttpLimits& limits);
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Takes bytes from the front of `bytes`, and says how many: the rest is to be given again, with more behind
  // it. Stops at the end of the header section once, so that limit_body() can be called, and at the end of
  // the message. Errors: kInvalidRequest, kHeadersTooLarge, kRequestTooLarge.
  Result<size_t> feed(std::string_view bytes);

  bool has_begun() const { return has_begun_; }
  bool has_head() const { return has_head_; }
  bool is_complete() const;

  // The request without its body. REQUIRES: has_head().
  const HttpRequest& head() const { return request_; }
  // Most bytes of the body, however it is framed; kRequestTooLarge at once where its length says more.
  // REQUIRES: has_head().
  Status limit_body(uint64_t max_bytes);
  // The whole request. REQUIRES: is_complete().
  HttpRequest take();

 private:
  class Beast;

  Result<size_t> feed_head(std::string_view bytes);
  Result<size_t> feed_body(std::string_view bytes);
  Status scan_head(std::string_view bytes);
  Status read_head();

  HttpLimits limits_;
  std::unique_ptr<Beast> beast_;
  HttpRequest request_;
  size_t scanned_ = 0;   // bytes of the head that were looked at
  size_t head_end_ = 0;  // where it ends, once that was seen
  bool has_begun_ = false;
  bool has_head_ = false;
};

}  // namespace llama_gpu::server
