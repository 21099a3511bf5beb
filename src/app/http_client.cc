// SPDX-License-Identifier: Apache-2.0
#include "app/http_client.h"

#include <curl/curl.h>

#include <array>
#include <memory>
#include <mutex>

#include "base/strings.h"
#include "server/parse_target.h"

namespace llama_gpu::app {
namespace {

constexpr size_t kMaxKeptBodyBytes = 64 << 10;
constexpr long kConnectSeconds = 20;
constexpr long kMaxRedirects = 5;

// What a transfer writes to, reached from curl's callbacks.
struct Transfer {
  const HttpRequest& request;
  const std::atomic<bool>& cancelled;
  HttpResponse response;
  bool stopped_by_reader = false;
};

size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line = trim({data, size * count});
  if (line.starts_with("HTTP/")) {
    // A redirect or "100 Continue" came before: its headers are not those of the answer.
    transfer.response = {};
    transfer.response.status = int(parse_integer(line.substr(line.find(' ') + 1, 3)).value_or(0));
  } else if (const auto [name, value] = split_once(line, ':'); !name.empty()) {
    transfer.response.headers[to_lower(name)] = trim(value);
  }
  return size * count;
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  if (transfer.request.on_body && transfer.response.status / 100 == 2) {
    transfer.stopped_by_reader = !transfer.request.on_body(transfer.response, bytes);
    return transfer.stopped_by_reader ? 0 : bytes.size();
  }
  std::string& body = transfer.response.body;
  const size_t max_bytes = transfer.response.status / 100 == 2 ? size_t{64} << 20 : kMaxKeptBodyBytes;
  body.append(bytes.substr(0, max_bytes - std::min(max_bytes, body.size())));
  return bytes.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->cancelled ? 1 : 0;
}

Error transfer_error(CURLcode code, const std::array<char, CURL_ERROR_SIZE>& detail, const std::string& url) {
  const std::string_view reason =
      detail[0] != '\0' ? std::string_view(detail.data()) : curl_easy_strerror(code);
  const std::string message = "'" + escape_line(url, 300) + "': " + escape_line(trim(reason), 300);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return Error{ErrorCode::kServerUnreachable, "cannot reach " + message,
                   "check the address and the network"};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Error{ErrorCode::kInvalidValue, "cannot fetch " + message, "give an https URL"};
    default:
      return Error{ErrorCode::kDownloadFailed, "the transfer failed: " + message, "try again"};
  }
}

// The host of a URL as curl itself would read it; "" where there is none.
std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  char* host = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return "";
  }
  std::string text = host;
  curl_free(host);
  return text;
}

std::string scheme_of(std::string_view url) { return to_lower(url.substr(0, url.find("://"))); }

struct CurlCleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlCleanup>;
using CurlHeaders = std::unique_ptr<curl_slist, CurlCleanup>;

CurlHeaders make_headers(const std::vector<std::string>& lines) {
  CurlHeaders headers;
  for (const std::string& line : lines) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    CHECK(longer != nullptr, "no memory for a header");
    (void)headers.release();
    headers.reset(longer);
  }
  return headers;
}

void set_options(CURL* curl, Transfer& transfer) {
  const HttpRequest& request = transfer.request;
  const bool is_https = to_lower(request.url.substr(0, 6)) == "https:";
  const char* const protocols = is_https ? "https" : "http,https";
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, long(request.stall_seconds));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "llama-gpu");
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  if (request.is_head) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!request.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
  }
}

}  // namespace

std::string_view HttpResponse::header(std::string_view lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

HttpClient::HttpClient(const Environment& environment, const std::atomic<bool>& cancelled)
    : ca_file_(environment.get("CURL_CA_BUNDLE")), cancelled_(cancelled) {
  if (ca_file_.empty()) ca_file_ = environment.get("SSL_CERT_FILE");
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request) const {
  const bool is_allowed_plain = request.allow_plain_http && is_plain_http(request.url);
  if (!is_allowed_url(request.url) && !is_allowed_plain) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(request.url, 300) + "' is not an https URL",
                 "plain http is taken for this machine only"};
  }
  const CurlHandle curl(curl_easy_init());
  if (!curl) return Error{ErrorCode::kInternal, "the HTTP client cannot start"};

  Transfer transfer{request, cancelled_, {}};
  set_options(curl.get(), transfer);
  const CurlHeaders headers = make_headers(request.headers);
  if (headers) curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (!ca_file_.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ca_file_.c_str());
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail.data());

  const CURLcode code = curl_easy_perform(curl.get());
  if (cancelled_) return Error{ErrorCode::kCancelled, "stopped"};
  if (code != CURLE_OK && !transfer.stopped_by_reader) return transfer_error(code, detail, request.url);
  return std::move(transfer.response);
}

bool is_allowed_url(std::string_view url) {
  const std::string text(url);
  if (scheme_of(url) == "https") return !host_of(text).empty();
  const auto host = server::parse_host(host_of(text));
  return scheme_of(url) == "http" && host && server::is_loopback(*host);
}

bool is_plain_http(std::string_view url) {
  return scheme_of(url) == "http" && !host_of(std::string(url)).empty();
}

}  // namespace llama_gpu::app
