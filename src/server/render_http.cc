// SPDX-License-Identifier: Apache-2.0
#include "server/render_http.h"

#include <array>
#include <charconv>
#include <ctime>

namespace llama_gpu::server {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value.substr(0, value.find_first_of(std::string_view("\r\n\0", 3)));
  out += "\r\n";
}

}  // namespace

void append_response(std::string& out, const HttpResponse& response, const ResponseFrame& frame) {
  out += "HTTP/1.1 " + std::to_string(response.status) + " ";
  out += reason_phrase(response.status);
  out += "\r\n";
  append_field(out, "Date", http_date(frame.unix_seconds));
  if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers.fields()) append_field(out, name, value);
  if (frame.common != nullptr) {
    for (const auto& [name, value] : frame.common->fields()) append_field(out, name, value);
  }
  const bool has_no_body = response.status == 204 || response.status == 304;
  if (frame.framing == Framing::kChunked) {
    append_field(out, "Transfer-Encoding", "chunked");
  } else if (frame.framing == Framing::kLength && !has_no_body) {
    append_field(out, "Content-Length", std::to_string(response.body.size()));
  }
  append_field(out, "Connection", frame.keep_alive ? "keep-alive" : "close");
  out += "\r\n";
  if (frame.is_head_request || has_no_body) return;
  if (frame.framing == Framing::kChunked) return append_chunk(out, response.body);
  out += response.body;
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
  out.append(digits.data(), end);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

std::string http_date(int64_t unix_seconds) {
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = unix_seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  const auto two = [](int value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  std::string date(kDays[static_cast<size_t>(parts.tm_wday)]);
  date += ", " + two(parts.tm_mday) + " ";
  date += kMonths[static_cast<size_t>(parts.tm_mon)];
  date += " " + std::to_string(parts.tm_year + 1900) + " " + two(parts.tm_hour) + ":" + two(parts.tm_min) +
          ":" + two(parts.tm_sec) + " GMT";
  return date;
}

}  // namespace llama_gpu::server
