// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llama_gpu::server {

// Methods that routes are declared for; the rest are kOther and keep their name in HttpRequest::method_name.
enum class Method : uint8_t { kGet, kHead, kPost, kPut, kDelete, kPatch, kOptions, kOther };

// Header fields in the order they came; names are compared without case.
class Headers {
 public:
  // Appends; a name may stand several times.
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // The first value of `name`; nullopt where there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  // How often `name` stands.
  size_t count(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A request as it came, checked only for being HTTP.
struct HttpRequest {
  Method method = Method::kGet;
  std::string method_name;
  std::string target;     // as sent: path and query, or an absolute URI
  int minor_version = 1;  // of HTTP/1
  Headers headers;
  std::optional<uint64_t> content_length;
  bool is_chunked = false;
  bool keep_alive = true;
  std::string body;

  bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
};

// An answer; Content-Length, Date, Connection and the common headers are added by the session.
struct HttpResponse {
  int status = 200;
  std::string content_type = {};  // empty: none is sent
  std::string body = {};
  Headers headers = {};
};

// The standard phrase of a status code; "Unknown" for those that we never send.
std::string_view reason_phrase(int status);

// Whether two ASCII texts are equal apart from case.
bool equals_ignoring_case(std::string_view a, std::string_view b);

// `text` without spaces and tabs at its ends.
std::string_view trim_spaces(std::string_view text);

}  // namespace llama_gpu::server
