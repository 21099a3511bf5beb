// SPDX-License-Identifier: Apache-2.0
#include "server/static_pages.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/strings.h"

namespace llama_gpu::server {
namespace {

constexpr std::array<std::string_view, 3> kApiPrefixes = {"/v1", "/admin", "/api"};
// What a path of ours never holds: a second spelling of another path.
constexpr std::array<std::string_view, 6> kTricks = {"//", "..", "%", "\\", ";", "/."};

constexpr std::string_view kIndex = "/index.html";
constexpr std::string_view kNoDashboard =
    "LLaMA GPU is running. This build has no dashboard; the API is under /v1, its description at "
    "/openapi.json.\n";

// Styles may stand in elements: the component library sets them from scripts.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

bool is_api_path(std::string_view path) {
  const std::string lower = to_lower(path);
  return std::ranges::any_of(kApiPrefixes, [&](std::string_view prefix) {
    return lower.starts_with(prefix) && (lower.size() == prefix.size() || lower[prefix.size()] == '/');
  });
}

bool is_deep_link(std::string_view path) {
  return path.substr(path.rfind('/')).find('.') == std::string_view::npos;
}

const Asset* find_asset(const Assets& assets, std::string_view path) {
  const auto found = std::ranges::find(assets, path, &Asset::path);
  return found == assets.end() ? nullptr : &*found;
}

void add_page_headers(HttpResponse& response) {
  response.headers.add("Content-Security-Policy", std::string(kContentSecurityPolicy));
  response.headers.add("X-Frame-Options", "DENY");
  response.headers.add("Referrer-Policy", "no-referrer");
  response.headers.add("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
}

HttpResponse asset_response(const Asset& asset, const HttpRequest& request) {
  HttpResponse response;
  response.headers.add("ETag", std::string(asset.etag));
  response.headers.add("Cache-Control",
                       asset.is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  add_page_headers(response);
  if (!asset.etag.empty() && request.headers.find("If-None-Match") == asset.etag) {
    response.status = 304;
    return response;
  }
  response.content_type = asset.content_type;
  response.body = asset.content;
  return response;
}

}  // namespace

std::optional<HttpResponse> static_page(const Assets& assets, std::string_view path,
                                        const HttpRequest& request) {
  const bool has_tricks = std::ranges::any_of(
      kTricks, [&](std::string_view trick) { return path.find(trick) != std::string_view::npos; });
  if (has_tricks || !path.starts_with('/') || is_api_path(path)) return std::nullopt;
  if (const Asset* asset = find_asset(assets, path)) return asset_response(*asset, request);
  if (!is_deep_link(path)) return std::nullopt;
  if (const Asset* index = find_asset(assets, kIndex)) return asset_response(*index, request);
  if (path != "/") return std::nullopt;
  HttpResponse response{
      .status = 200, .content_type = "text/plain; charset=utf-8", .body = std::string(kNoDashboard)};
  add_page_headers(response);
  return response;
}

}  // namespace llama_gpu::server
