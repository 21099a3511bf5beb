// SPDX-License-Identifier: Apache-2.0
#include "server/parse_http.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

#include "base/check.h"

namespace llama_gpu::server {
namespace {

constexpr size_t kLastChunkBytes = std::string_view("0\r\n\r\n").size();

namespace http = boost::beast::http;

Error bad_request(std::string why) {
  return Error{ErrorCode::kInvalidRequest, "the request is not valid HTTP/1.1: " + std::move(why)};
}

Error head_too_large(const HttpLimits& limits) {
  return Error{ErrorCode::kHeadersTooLarge, "the header section is over " +
                                                std::to_string(limits.max_head_bytes) + " bytes or " +
                                                std::to_string(limits.max_head_fields) + " fields"};
}

Error body_too_large() {
  return Error{ErrorCode::kRequestTooLarge, "the body is larger than this route takes"};
}

Error parser_error(const boost::beast::error_code& code, const HttpLimits& limits) {
  if (code == http::error::header_limit) return head_too_large(limits);
  if (code == http::error::body_limit) return body_too_large();
  return bad_request(code.message());
}

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::put:
      return Method::kPut;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::patch:
      return Method::kPatch;
    case http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// What decides where the body ends must be said once, and in one way.
Status check_framing(const HttpRequest& request) {
  const size_t lengths = request.headers.count("Content-Length");
  const size_t encodings = request.headers.count("Transfer-Encoding");
  if (lengths > 1) return bad_request("several Content-Length fields");
  if (encodings > 1) return bad_request("several Transfer-Encoding fields");
  if (lengths == 1 && encodings == 1) return bad_request("Content-Length beside Transfer-Encoding");
  if (lengths == 1 && !is_digits(*request.headers.find("Content-Length")))
    return bad_request("bad Content-Length");
  if (encodings == 1) {
    if (!equals_ignoring_case(*request.headers.find("Transfer-Encoding"), "chunked")) {
      return bad_request("a Transfer-Encoding other than chunked");
    }
    if (request.minor_version == 0) return bad_request("Transfer-Encoding in HTTP/1.0");
  }
  return {};
}

}  // namespace

class HttpParser::Beast {
 public:
  http::request_parser<http::string_body> parser;
};

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits), beast_(std::make_unique<Beast>()) {
  beast_->parser.header_limit(static_cast<std::uint32_t>(limits.max_head_bytes + 1));
  beast_->parser.body_limit(boost::none);
}

HttpParser::~HttpParser() = default;

bool HttpParser::is_complete() const { return has_head_ && beast_->parser.is_done(); }

Result<size_t> HttpParser::feed(std::string_view bytes) {
  if (is_complete()) return size_t{0};
  return has_head_ ? feed_body(bytes) : feed_head(bytes);
}

Result<size_t> HttpParser::feed_head(std::string_view bytes) {
  size_t skipped = 0;
  if (!has_begun_) {
    // Old clients send a line end behind a body (RFC 9112, 2.2).
    while (bytes.substr(skipped).starts_with("\r\n")) skipped += 2;
    bytes.remove_prefix(skipped);
    if (bytes.empty() || bytes == "\r") return skipped;
    has_begun_ = true;
  }
  TRY_STATUS(scan_head(bytes));
  if (head_end_ == 0) {
    if (bytes.size() > limits_.max_head_bytes) return head_too_large(limits_);
    return skipped;
  }
  boost::beast::error_code code;
  const size_t used = beast_->parser.put(boost::asio::buffer(bytes.data(), head_end_), code);
  if (code) return parser_error(code, limits_);
  CHECK(used == head_end_ && beast_->parser.is_header_done(), "the whole header section was taken");
  TRY_STATUS(read_head());
  has_head_ = true;
  return skipped + used;
}

// Looks at each byte once, however few come at a time.
Status HttpParser::scan_head(std::string_view bytes) {
  for (; scanned_ < bytes.size() && head_end_ == 0; ++scanned_) {
    const char c = bytes[scanned_];
    const char before = scanned_ == 0 ? '\n' : bytes[scanned_ - 1];
    if (c == '\0') return bad_request("a NUL in the header section");
    if ((c == '\n') != (before == '\r') && scanned_ > 0) return bad_request("a bare line end");
    if (before == '\n' && (c == ' ' || c == '\t')) return bad_request("a folded field");
    if (c == '\n' && bytes.substr(0, scanned_ + 1).ends_with("\r\n\r\n")) head_end_ = scanned_ + 1;
  }
  if (head_end_ > limits_.max_head_bytes) return head_too_large(limits_);
  return {};
}

Status HttpParser::read_head() {
  const auto& message = beast_->parser.get();
  request_.method = method_of(message.method());
  request_.method_name = std::string(message.method_string());
  request_.target = std::string(message.target());
  if (message.version() != 10 && message.version() != 11) return bad_request("unknown version");
  request_.minor_version = message.version() == 11 ? 1 : 0;
  size_t count = 0;
  for (const auto& field : message) {
    if (++count > limits_.max_head_fields) return head_too_large(limits_);
    request_.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  request_.keep_alive = beast_->parser.keep_alive();
  request_.is_chunked = beast_->parser.chunked();
  if (const auto length = beast_->parser.content_length()) request_.content_length = *length;
  return check_framing(request_);
}

Status HttpParser::limit_body(uint64_t max_bytes) {
  CHECK(has_head_, "the limit of a body depends on its header section");
  if (request_.content_length.value_or(0) > max_bytes) return body_too_large();
  beast_->parser.body_limit(max_bytes);
  return {};
}

Result<size_t> HttpParser::feed_body(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && !is_complete()) {
    // Beast, once it has seen the size of the last chunk, asserts that it is asked about the whole of it.
    const std::string_view rest = bytes.substr(used);
    if (request_.is_chunked && rest.starts_with('0') && rest.size() < kLastChunkBytes) break;
    boost::beast::error_code code;
    const size_t taken =
        beast_->parser.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), code);
    used += taken;
    if (code == http::error::need_more) {
      if (bytes.size() - used > limits_.max_head_bytes) return bad_request("an endless chunk header");
      break;
    }
    if (code) return parser_error(code, limits_);
  }
  return used;
}

HttpRequest HttpParser::take() {
  CHECK(is_complete(), "a request is taken once it is whole");
  request_.body = std::move(beast_->parser.get().body());
  return std::move(request_);
}

}  // namespace llama_gpu::server
