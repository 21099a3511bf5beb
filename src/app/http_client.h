// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "base/result.h"

namespace llama_gpu::app {

// What an HTTP server answered. Header names are lower case; of a name that came twice the last is kept.
struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;
  std::string body;  // empty where it went to HttpRequest::on_body

  // Empty where there is none.
  std::string_view header(std::string_view lower_case_name) const;
};

// One request.
struct HttpRequest {
  std::string url;
  std::string body;                  // not empty: POST, else GET
  std::vector<std::string> headers;  // "Name: value"
  // Takes the body of a 2xx answer as it comes; false ends the transfer. Other bodies are kept, up to 64 KiB.
  std::function<bool(const HttpResponse& so_far, std::string_view bytes)> on_body = {};
  bool is_head = false;  // asks for the headers alone
  bool follow_redirects = false;
  bool allow_plain_http = false;  // also to other machines
  int64_t stall_seconds = 60;  // fewer than one byte a second for so long: the transfer failed; 0: no bound
};

// Makes requests with libcurl; each call opens its own connection. Thread-safe.
//
// https anywhere; http only to this machine, or where a request allows it, and a redirect never leads from
// https to http. HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and CURL_CA_BUNDLE count.
class HttpClient {
 public:
  // `cancelled` outlives the client; once set, calls end with kCancelled within a second.
  HttpClient(const Environment& environment, const std::atomic<bool>& cancelled);

  // An answer of any status is not an error. kServerUnreachable: no connection or name; kDownloadFailed: the
  // transfer broke off or TLS failed; kInvalidValue: not a URL that may be asked.
  Result<HttpResponse> send(const HttpRequest& request) const;

 private:
  std::string ca_file_;
  const std::atomic<bool>& cancelled_;
};

// Whether the URL is https, or http to this machine.
bool is_allowed_url(std::string_view url);
// Whether the URL is http, to whatever machine.
bool is_plain_http(std::string_view url);

}  // namespace llama_gpu::app
